"""Paced output: reconstructions at the frame rate, although the decoder gives them in bursts.

A scan completes the responses of several frames at once, so the decoder finishes several
reconstructions together. Each is held here until it is due; one that is ready after its due time
is given at once and marked late.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rtdecode.schema.config.decode import EmitConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction

_LONGEST_WAIT_S = 0.1


class PacedOutput:
    """Stage that gives each Reconstruction at its due time.

    Parameters
    ----------
    config
        Time budget of the computation.
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
        self._latency_ns = round(latency_s * 1e9 + config.budget_ms * 1e6)
        self._clock = clock
        self._waiting: deque[Reconstruction] = deque()
        self.n_out = 0
        self.n_late = 0

    def due_ns(self, frame: Reconstruction) -> int:
        """Due time of `frame`: middle of frame k + lag, plus latency and time budget."""
        return self._grid.middle_ns(frame.frame + frame.lag_frames) + self._latency_ns

    def step(self, items: Sequence[Reconstruction]) -> Iterator[Reconstruction]:
        self._waiting.extend(items)
        while self._waiting and self.due_ns(self._waiting[0]) <= self._clock.now_ns():
            frame = self._waiting.popleft()
            late = frame.t_ready_ns > self.due_ns(frame)
            self.n_out += 1
            self.n_late += late
            yield replace(frame, late=late)

    def rest(self) -> Iterator[Reconstruction]:
        """Remaining reconstructions at the end of a run, each at its due time."""
        while self._waiting:
            self._clock.sleep_until(self.due_ns(self._waiting[0]))
            yield from self.step([])

    def wait_s(self) -> float:
        """Time in s until the next reconstruction is due, at most 0.1."""
        if not self._waiting:
            return _LONGEST_WAIT_S
        left_ns = self.due_ns(self._waiting[0]) - self._clock.now_ns()
        return min(_LONGEST_WAIT_S, max(0.0, left_ns / 1e9))
