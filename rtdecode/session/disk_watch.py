"""Free disk space of a session: what a run will need, and how long the space still lasts.

Duties: estimate the data rate of a run from its config, measure it while the log grows, and state
in an `Event` when the disk is too small or soon full. It must not write, and ends nothing: that a
disk is full is found by the log itself.

    watch = DiskWatch(session.folder)
    for event in watch.step(t_ns=clock.now_ns(), written_bytes=stage.n_bytes):
        recorder.event(event)
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import LslRoisSource
from rtdecode.schema.disk import free_bytes, free_mb, mount_point
from rtdecode.schema.messages import Event
from rtdecode.session.layout import SessionLayout
from rtdecode.session.log_parts import parts_of

_BYTES_PER_MB = 1_000_000
_NS_PER_S = 1e9
_SIDE_PX, _NEURONS = 512, 1000
"""Size of a scan and number of neurons where neither config nor file states them."""
_BEHAVIOUR_BYTES_S, _HEARTBEAT_BYTES_S = 20_000, 10_000
_PERIOD_S, _WINDOW_S, _LEAST_S = 1.0, 60.0, 5.0
"""Intervals in s: between two measurements, of the mean rate, and before the first estimate."""
_LOW_MIN, _LAST_MIN = 10.0, 0.1
"""Minutes of remaining recording below which an alarm is sent, then at each half, down to these."""
_LEAST_MINUTES_S = 120.0
"""Time in s from which it is stated in minutes."""
_LEAST_HOURS_MIN = 120.0
"""Time in min from which it is stated in hours."""
LOW, SHORT = "disk_low", "disk_short"
LOG_MB, FREE_MB, MINUTES_LEFT = "log_mb", "disk_free_mb", "disk_minutes_left"
"""Counters of the recorder's heartbeat: the log on the disk, free space, and what it lasts for."""


def expected_mb_s(config: RunConfig, *, side_px: int = _SIDE_PX) -> float:
    """Data rate of the log of a run in MB/s, from the rates and sizes in its config.

    Scans are taken as `side_px` squared and neurons as 1000 where the config does not state them.
    """
    source = config.acquisition.source
    scan_hz = getattr(source, "scan_rate_hz", None) or config.frame_rate_hz
    scan_hz *= getattr(source, "speed", 1.0)
    rows, cols = (getattr(source, side, None) or side_px for side in ("rows_px", "cols_px"))
    scan_bytes = 0 if isinstance(source, LslRoisSource) else 2 * rows * cols
    neurons = getattr(source, "neurons", _NEURONS)
    screen_px = config.stimulus.rows_px * config.stimulus.cols_px
    # grey levels displayed (1 byte), reconstructed and their uncertainty (4 bytes each)
    frame_bytes = screen_px * (1 if config.decode is None else 9) + 5 * neurons
    per_s = scan_hz * (scan_bytes + 8 * neurons) + config.frame_rate_hz * frame_bytes
    return (per_s + _BEHAVIOUR_BYTES_S + _HEARTBEAT_BYTES_S) / _BYTES_PER_MB


def short_of_space(config: RunConfig, folder: Path) -> str:
    """A sentence where the disk of `folder` is too small for the planned run; else empty."""
    if config.seconds is None:
        return ""
    rate, has_mb = expected_mb_s(config), free_mb(folder)
    needed_mb = rate * config.seconds
    if needed_mb <= has_mb:
        return ""
    return (
        f"the disk mounted at {mount_point(folder)} has {has_mb:,.0f} MB free, and this run of "
        f"{config.seconds:,.0f} s needs about {needed_mb:,.0f} MB ({rate:.1f} MB/s): the disk will "
        f"be full after about {lasting(has_mb / rate)}"
    )


def lasting(seconds: float) -> str:
    """A duration in s, min or h.

    >>> lasting(90), lasting(600), lasting(36_000)
    ('90 s', '10.0 min', '10.0 h')
    """
    if seconds < _LEAST_MINUTES_S:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:,.1f} min" if minutes < _LEAST_HOURS_MIN else f"{minutes / 60:,.1f} h"


def _log_bytes(folder: Path) -> int:
    """Size on the disk of the log in `folder`, with all its parts; 0 without one."""
    sizes = 0
    for part in parts_of(SessionLayout(folder).log).values():
        with suppress(OSError):  # removed meanwhile, which the recorder reports itself
            sizes += part.stat().st_size
    return sizes


class DiskWatch:
    """Measures how fast the disk of a session fills, and sends an alarm before it is full.

    Parameters
    ----------
    folder
        The session folder.
    free
        Free bytes on the disk of a folder.

    Notes
    -----
    The rate is the mean over the last minute, of the log or of the decrease of the free space,
    whichever is larger: other programs may write to the same disk. An alarm is sent below 10
    minutes of remaining recording, and again each time that half of them have passed.
    """

    def __init__(self, folder: Path, *, free: Callable[[Path], int] = free_bytes) -> None:
        self._folder, self._free = folder, free
        self._measured: deque[tuple[int, int, int]] = deque()
        """Time in ns, bytes written and bytes free of each measurement."""
        self._alarm_below_min = _LOW_MIN
        self.minutes_left: float | None = None
        """Minutes until the disk is full; None before it is known, or if nothing grows."""
        self.text = ""
        """The newest alarm; empty while there is room."""
        self._log_bytes = 0

    def step(self, *, t_ns: int, written_bytes: int) -> Iterator[Event]:
        """Measure if that is due; the alarm where the disk is soon full."""
        if self._measured and t_ns - self._measured[-1][0] < _PERIOD_S * _NS_PER_S:
            return
        self._measured.append((t_ns, written_bytes, self._free(self._folder)))
        self._log_bytes = _log_bytes(self._folder)
        while t_ns - self._measured[0][0] > _WINDOW_S * _NS_PER_S:
            self._measured.popleft()
        rate_mb_s, has_mb = self._rate_mb_s(), self._measured[-1][2] / _BYTES_PER_MB
        if not rate_mb_s:
            return
        self.minutes_left = minutes = has_mb / rate_mb_s / 60
        if minutes > _LOW_MIN:
            self._alarm_below_min, self.text = _LOW_MIN, ""
        elif max(minutes, _LAST_MIN) < self._alarm_below_min:
            while max(minutes, _LAST_MIN) < self._alarm_below_min:
                self._alarm_below_min /= 2
            yield self._alarm(minutes, rate_mb_s, has_mb)

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        if not self._measured:
            return {}
        free_mb, log_mb = self._measured[-1][2] / _BYTES_PER_MB, self._log_bytes / _BYTES_PER_MB
        left = {} if self.minutes_left is None else {MINUTES_LEFT: self.minutes_left}
        return {LOG_MB: log_mb, FREE_MB: free_mb, **left}

    def _rate_mb_s(self) -> float:
        """MB/s over the measurements; 0 where they are too few."""
        (first_ns, first_written, first_free), (last_ns, written, free) = (
            self._measured[0],
            self._measured[-1],
        )
        span_s = (last_ns - first_ns) / _NS_PER_S
        if span_s < _LEAST_S:
            return 0.0
        return max(written - first_written, first_free - free) / span_s / _BYTES_PER_MB

    def _alarm(self, minutes: float, rate_mb_s: float, has_mb: float) -> Event:
        left, mount = lasting(60 * minutes), mount_point(self._folder)
        self.text = (
            f"the disk mounted at {mount} has room for {left} more at {rate_mb_s:.1f} MB/s "
            f"({has_mb:,.0f} MB free): free space there, or end the run before"
        )
        return Event("alarm", "recorder", LOW, self.text)
