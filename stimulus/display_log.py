"""What was really on the screen: one DisplayedFrame for each flip to another picture."""

from rtdecode.schema.messages import DisplayedFrame
from stimulus.playlist import MovieFrame

_NS_PER_S = 1_000_000_000


class DisplayLog:
    """Turns flips into ShownFrames, and counts the refreshes that came too late.

    Parameters
    ----------
    light_delay_ms
        From the flip to the light, measured with a photodiode on this monitor.
    refresh_hz
        Refreshes of the screen each second; on a virtual screen, which has none, the movie's rate.
    """

    def __init__(self, *, light_delay_ms: float, refresh_hz: float) -> None:
        self._light_delay_ns = round(light_delay_ms * 1e6)
        self._refresh_ns = _NS_PER_S / refresh_hz
        self._last_flip_ns: int | None = None
        self._planned = 1
        self.shown = 0
        self.missed = 0
        self.longest_ns = 0

    def flipped(self, frame: MovieFrame, *, t_flip_ns: int, refreshes: int) -> DisplayedFrame:
        """The truth about `frame`.

        Parameters
        ----------
        t_flip_ns
            HostNs at which the flip returned.
        refreshes
            For how many refreshes it is meant to stay.
        """
        stayed = self._refreshes_since(t_flip_ns)
        self.missed += max(0, stayed - self._planned) if self.shown else 0
        self.shown, self._planned, self._last_flip_ns = self.shown + 1, refreshes, t_flip_ns
        return DisplayedFrame(
            clip=frame.clip,
            index=frame.index,
            luminance=frame.luminance,
            t_flip_ns=t_flip_ns + self._light_delay_ns,
            flips=stayed,
        )

    def counters(self) -> dict[str, float]:
        """For heartbeats and the last line of the log."""
        longest_ms = self.longest_ns / 1e6
        return {
            "frames_shown": self.shown,
            "refreshes_missed": self.missed,
            "longest_frame_ms": longest_ms,
        }

    def _refreshes_since(self, t_flip_ns: int) -> int:
        if self._last_flip_ns is None:
            return 0
        elapsed_ns = t_flip_ns - self._last_flip_ns
        self.longest_ns = max(self.longest_ns, elapsed_ns)
        return round(elapsed_ns / self._refresh_ns)
