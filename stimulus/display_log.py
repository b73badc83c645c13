"""Displayed frames log: one DisplayedFrame for each flip to another picture, for the frame loop."""

from collections.abc import Iterator

from rtdecode.schema.messages import DisplayedFrame, Event
from stimulus.playlist import MovieFrame

_NS_PER_S = 1_000_000_000
_STALL_NS = _NS_PER_S


class DisplayLog:
    """Makes DisplayedFrame messages of flips, and counts the refreshes that were missed.

    A frame that stays on the screen for more refreshes than planned has delayed its successor;
    the excess counts as missed refreshes, which are an event (`flip_missed`), at most one a second
    with their sum. Where a second or more passed, that is an event too (`screen_stalled`).

    Parameters
    ----------
    light_delay_ms
        Delay from flip to light, measured with a photodiode on this monitor.
    refresh_hz
        Refresh rate of the screen; the movie's frame rate on a virtual screen, which has none.
    """

    def __init__(self, *, light_delay_ms: float, refresh_hz: float) -> None:
        self._light_delay_ns = round(light_delay_ms * 1e6)
        self._refresh_ns = _NS_PER_S / refresh_hz
        self._last_flip_ns: int | None = None
        self._planned = 1
        self.displayed = 0
        self.missed = 0
        self.longest_ns = 0
        self._last_frame_ns = 0
        self._reported, self._report_ns = 0, -_NS_PER_S

    def flipped(
        self, frame: MovieFrame, *, number: int, t_flip_ns: int, refreshes: int
    ) -> DisplayedFrame:
        """Record one flip; the message that describes it.

        Parameters
        ----------
        number
            Number of the frame since the session began.
        t_flip_ns
            HostNs at which the flip returned.
        refreshes
            Number of refreshes for which the frame is planned to stay.
        """
        elapsed = self._refreshes_since(t_flip_ns)
        self.missed += max(0, elapsed - self._planned) if self.displayed else 0
        self.displayed, self._planned, self._last_flip_ns = self.displayed + 1, refreshes, t_flip_ns
        return DisplayedFrame(
            clip=frame.clip,
            index=frame.index,
            luminance=frame.luminance,
            t_flip_ns=t_flip_ns + self._light_delay_ns,
            flips=elapsed,
            number=number,
        )

    def events(self) -> Iterator[Event]:
        """Events of the last flip: missed refreshes, and a screen that stood still."""
        if (stall := self._stall()) is not None:
            yield stall
        now_ns = self._last_flip_ns or 0
        if now_ns - self._report_ns >= _NS_PER_S:
            yield from self.unreported(now_ns)

    def unreported(self, now_ns: int = 0) -> Iterator[Event]:
        """The Event of missed refreshes that no event has stated yet; none if there are none."""
        if (refreshes := self.missed - self._reported) == 0:
            return
        self._reported, self._report_ns = self.missed, now_ns
        text = "frames stayed longer than planned, because the next one came too late for its flip"
        yield Event("warning", "stimulus", "flip_missed", text, {"refreshes": refreshes})

    def _stall(self) -> Event | None:
        """The Event of the last flip, where the frame before it stayed for a second or more."""
        if self._last_frame_ns < _STALL_NS:
            return None
        text = "the screen stood still, and no new frame was displayed"
        seconds = round(self._last_frame_ns / _NS_PER_S, 2)
        return Event("warning", "stimulus", "screen_stalled", text, {"seconds": seconds})

    def counters(self) -> dict[str, float]:
        """Counters for heartbeats and the last line of the process's log."""
        longest_ms = self.longest_ns / 1e6
        return {
            "frames_shown": self.displayed,
            "refreshes_missed": self.missed,
            "longest_frame_ms": longest_ms,
        }

    def _refreshes_since(self, t_flip_ns: int) -> int:
        """Refreshes between the previous flip and `t_flip_ns`; 0 for the first flip."""
        if self._last_flip_ns is None:
            return 0
        self._last_frame_ns = elapsed_ns = t_flip_ns - self._last_flip_ns
        self.longest_ns = max(self.longest_ns, elapsed_ns)
        return round(elapsed_ns / self._refresh_ns)
