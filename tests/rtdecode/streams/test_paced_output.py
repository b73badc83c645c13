"""Frames that come in bursts leave one by one at their due times; late ones say so."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.config.decode import EmitConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Reconstruction
from rtdecode.streams.paced_output import PacedOutput

GREY = np.full((2, 3), 128, np.float32)
FRAME = Reconstruction(
    luminance=GREY,
    uncertainty=GREY * 0,
    frame=0,
    t_frame_mid_ns=0,
    t_scan_ns=0,
    t_scan_end_ns=0,
    t_received_ns=0,
    t_responses_ns=0,
    t_ready_ns=0,
    lag_frames=8,
    steps=3,
    objective=0.0,
    warm=True,
    late=False,
)


class SetClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


def paced(clock: SetClock) -> PacedOutput:
    return PacedOutput(EmitConfig(budget_ms=50.0), grid=FrameGrid(30.0), latency_s=0.1, clock=clock)


def test_the_due_time_is_frame_plus_lag_plus_latency_plus_budget() -> None:
    due_ns = paced(SetClock()).due_ns(replace(FRAME, frame=22))
    assert due_ns == round(30.5 / 30 * 1e9) + 150_000_000


@given(burst=st.integers(1, 6))
def test_a_burst_leaves_one_frame_a_period(burst: int) -> None:
    clock = SetClock()
    pace = paced(clock)
    assert not list(pace.step([replace(FRAME, frame=n) for n in range(burst)]))
    left: list[int] = []
    while len(left) < burst:
        clock.t_ns += 1 + round(pace.wait_s() * 1e9)
        out = list(pace.step([]))
        assert len(out) <= 1
        left += [frame.frame for frame in out]
    assert left == list(range(burst))
    assert pace.n_late == 0


def test_at_the_end_the_rest_leaves_at_its_due_times() -> None:
    clock = SetClock()
    pace = paced(clock)
    assert not list(pace.step([replace(FRAME, frame=n) for n in range(3)]))
    left = [(out.frame, clock.t_ns) for out in pace.rest()]
    assert left == [(n, pace.due_ns(replace(FRAME, frame=n))) for n in range(3)]


def test_a_frame_that_is_ready_after_its_time_goes_at_once_and_is_late() -> None:
    clock = SetClock()
    pace = paced(clock)
    clock.t_ns = pace.due_ns(FRAME) + 5
    [out] = pace.step([replace(FRAME, t_ready_ns=clock.t_ns)])
    assert out.late
    assert pace.n_late == 1


def test_a_frame_ready_in_time_is_not_late_however_long_it_waited() -> None:
    clock = SetClock()
    pace = paced(clock)
    clock.t_ns = pace.due_ns(FRAME) + 10**9
    [out] = pace.step([FRAME])
    assert not out.late
