"""Messages for the page, and a clock that a test moves."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from chromium import browser, tab

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Received,
    Reconstruction,
    Responses,
    Stamped,
)

GRID = FrameGrid(30.0)
MS = 1_000_000


@dataclass
class StillClock:
    """Its time changes only where a test sets it."""

    t_ns: int = GRID.start_ns(1000)

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


@dataclass
class Rig:
    """Makes the messages of a run, numbered in each stream."""

    clock: StillClock = field(default_factory=StillClock)
    numbers: dict[str, int] = field(default_factory=dict)

    def received(self, body: Body) -> Received:
        seq = self.numbers[body.kind] = self.numbers.get(body.kind, -1) + 1
        now_ns = self.clock.now_ns()
        return Received(Stamped("test", seq, now_ns, "host", body), now_ns)

    def displayed(self, frame: int, level: int) -> Received:
        picture = np.full((36, 64), level, np.uint8)
        flip_ns = GRID.start_ns(frame)
        return self.received(DisplayedFrame("clips/walk.mp4", frame, picture, flip_ns, flips=2))

    def decoded(self, frame: int, level: float, *, warm: bool = True) -> Received:
        now_ns = self.clock.now_ns()
        body = Reconstruction(
            luminance=np.full((36, 64), level, np.float32),
            uncertainty=np.full((36, 64), 7, np.float32),
            frame=frame,
            t_frame_mid_ns=now_ns - 300 * MS,
            t_scan_ns=now_ns - 100 * MS,
            t_scan_end_ns=now_ns - 70 * MS,
            t_received_ns=now_ns - 69 * MS,
            t_responses_ns=now_ns - 60 * MS,
            t_ready_ns=now_ns - 40 * MS,
            lag_frames=8,
            steps=3,
            objective=0.0,
            warm=warm,
            late=False,
        )
        return self.received(body)

    def responses(self, frame: int) -> Received:
        now_ns, ones = self.clock.now_ns(), np.ones(120, np.float32)
        body = Responses(ones, ones > 0, frame, now_ns, now_ns, now_ns, now_ns, now_ns)
        return self.received(body)


@pytest.fixture
def rig() -> Rig:
    return Rig()
