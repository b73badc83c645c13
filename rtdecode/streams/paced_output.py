"""Reconstructions leave one by one at the frame rate, although they come in bursts.

A scan brings the responses of several frames at once, so the decoder finishes several
reconstructions together. Each waits here until its own time; one that comes after its time goes
out at once and says so.
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
    """Stage: Reconstructions in, the same out at their due times.

    Parameters
    ----------
    config
        Time budget of the computation.
    grid
        Frames of the output.
    latency_s
        Time in s between the middle of a frame and the end of the scan that completes its
        responses, at most: what the physics of the run needs before any computing.
    clock
        Tells what is due.
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
        """When `frame` should go out."""
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
        """What still waits when a run ends, each at its due time."""
        while self._waiting:
            self._clock.sleep_until(self.due_ns(self._waiting[0]))
            yield from self.step([])

    def wait_s(self) -> float:
        """How long nothing will be due."""
        if not self._waiting:
            return _LONGEST_WAIT_S
        left_ns = self.due_ns(self._waiting[0]) - self._clock.now_ns()
        return min(_LONGEST_WAIT_S, max(0.0, left_ns / 1e9))
