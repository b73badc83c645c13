"""Paced output: reconstructions at the frame rate, although the decoder gives them in bursts.

A scan completes the responses of several frames at once, so the decoder finishes several
reconstructions together. Each is held here until it is due; one that is ready after its due time
is given at once and marked late. The due time follows the measured times at which frames are ready
(docs/decisions/0032-the-output-delay-is-measured.md).
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rtdecode.schema.config.decode import EmitConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction

_LONGEST_WAIT_S = 0.1
_WINDOW_S = 60.0
_PERMITTED_LATE = 1e-3
_MARGIN_NS = 3_000_000
_RELAXATION_S = 5.0
_FASTEST_DECREASE = 0.25
"""Decrease of the delay from one frame to the next, in frame periods, at most."""


class OutputDelay:
    """Delay of the output behind the middle of frame k + lag, from the frames of the last minute.

    With d[k] the time from the middle of frame k + lag to the moment when frame k is ready, the
    delay tends to the 99.9th percentile of d over the last 60 s plus 3 ms. The percentile includes
    the sawtooth of d that arises where a scan completes several frames, and slow drift of its
    phase. The delay

    * is `longest_ns` at first, and never longer,
    * increases at once to d[k] + 3 ms where that is longer, so that a late frame delays those
      after it,
    * decreases with a time constant of 5 s, and by a quarter of a frame period a frame at most, so
      that frames leave in order and the output rate changes little.

    >>> delay = OutputDelay(longest_ns=300_000_000, frame_rate_hz=30.0)
    >>> for frame in range(3000):
    ...     delay.add(frame, ready_after_ns=180_000_000)
    >>> round(delay.now_ns / 1e6)
    183
    """

    def __init__(self, *, longest_ns: int, frame_rate_hz: float) -> None:
        self.now_ns = longest_ns
        self._longest_ns = longest_ns
        self._window_frames = round(_WINDOW_S * frame_rate_hz)
        self._decrease = 1 / (_RELAXATION_S * frame_rate_hz)
        self._fastest_ns = round(_FASTEST_DECREASE * 1e9 / frame_rate_hz)
        self._measured: deque[tuple[int, int]] = deque()
        self._sorted: list[int] = []

    def add(self, frame: int, *, ready_after_ns: int) -> None:
        """Add d of `frame`, whose number is larger than that of the frame before."""
        self._measured.append((frame, ready_after_ns))
        insort(self._sorted, ready_after_ns)
        while self._measured[0][0] <= frame - self._window_frames:
            _, old_ns = self._measured.popleft()
            del self._sorted[bisect_left(self._sorted, old_ns)]
        needed_ns = max(self._percentile_ns, ready_after_ns) + _MARGIN_NS
        if needed_ns >= self.now_ns:
            self.now_ns = min(needed_ns, self._longest_ns)
            return
        excess_ns = self.now_ns - (self._percentile_ns + _MARGIN_NS)
        decrease_ns = min(round(self._decrease * excess_ns), self._fastest_ns)
        self.now_ns = max(needed_ns, self.now_ns - decrease_ns)

    @property
    def _percentile_ns(self) -> int:
        return self._sorted[-1 - int(_PERMITTED_LATE * len(self._sorted))]


@dataclass(frozen=True, slots=True)
class _Held:
    frame: Reconstruction
    late: bool


class PacedOutput:
    """Stage that gives each Reconstruction at its due time.

    Frames of the warm-up (`warm` False) are paced, but their times are not measured: the first
    computations of a process take longer than all later ones.

    Parameters
    ----------
    config
        Upper bound of the time for computation.
    grid
        Frames of the output.
    latency_s
        Longest time in s between the middle of a frame and the end of the scan that completes its
        responses, before any computation.
    clock
        Decides what is due.
    """

    def __init__(
        self, config: EmitConfig, *, grid: FrameGrid, latency_s: float, clock: Clock
    ) -> None:
        self._grid = grid
        self._latency_ns = round(latency_s * 1e9)
        longest_ns = self._latency_ns + round(config.budget_ms * 1e6)
        self._delay = OutputDelay(longest_ns=longest_ns, frame_rate_hz=grid.rate_hz)
        self._clock = clock
        self._waiting: deque[_Held] = deque()
        self.n_out = 0
        self.n_late = 0

    @property
    def delay_ms(self) -> float:
        """Current time in ms from the middle of frame k + lag to the output of frame k."""
        return self._delay.now_ns / 1e6

    def due_ns(self, frame: Reconstruction) -> int:
        """Due time of `frame`: middle of frame k + lag, plus the current delay."""
        return self._newest_middle_ns(frame) + self._delay.now_ns

    def step(self, items: Sequence[Reconstruction]) -> Iterator[Reconstruction]:
        for frame in items:
            self._hold(frame)
        while self._waiting and self._is_due(self._waiting[0]):
            held = self._waiting.popleft()
            self.n_out += 1
            self.n_late += held.late
            yield replace(held.frame, late=held.late)

    def rest(self) -> Iterator[Reconstruction]:
        """Remaining reconstructions at the end of a run, each at its due time."""
        while self._waiting:
            self._clock.sleep_until(self.due_ns(self._waiting[0].frame))
            yield from self.step([])

    def wait_s(self) -> float:
        """Time in s until the next reconstruction is due, at most 0.1."""
        if not self._waiting:
            return _LONGEST_WAIT_S
        if self._is_due(self._waiting[0]):
            return 0.0
        left_ns = self.due_ns(self._waiting[0].frame) - self._clock.now_ns()
        return min(_LONGEST_WAIT_S, max(0.0, left_ns / 1e9))

    def _hold(self, frame: Reconstruction) -> None:
        # late is judged by the delay that was in force before the frame was measured
        late = frame.t_ready_ns > self.due_ns(frame)
        self._waiting.append(_Held(frame, late))
        if frame.warm:
            ready_after_ns = frame.t_ready_ns - self._newest_middle_ns(frame)
            self._delay.add(frame.frame, ready_after_ns=ready_after_ns)

    def _is_due(self, held: _Held) -> bool:
        return held.late or self.due_ns(held.frame) <= self._clock.now_ns()

    def _newest_middle_ns(self, frame: Reconstruction) -> int:
        return self._grid.middle_ns(frame.frame + frame.lag_frames)
