"""Frames that come in bursts leave one by one at due times, which follow the measured ones."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.schema.config.decode import EmitConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Reconstruction
from rtdecode.streams.paced_output import OutputDelay, PacedOutput

MS = 1_000_000
PERIOD_NS = round(1e9 / 30)
LONGEST_NS = 300 * MS
MINUTE = 1800
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


def test_the_first_due_time_is_frame_plus_lag_plus_latency_plus_budget() -> None:
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
    assert not list(pace.step([]))
    assert out.late
    assert pace.n_late == 1


def test_a_frame_ready_in_time_is_not_late_however_long_it_waited() -> None:
    clock = SetClock()
    pace = paced(clock)
    clock.t_ns = pace.due_ns(FRAME) + 10**9
    [out] = pace.step([FRAME])
    assert not out.late


def new_delay() -> OutputDelay:
    return OutputDelay(longest_ns=LONGEST_NS, frame_rate_hz=30.0)


def delays_of(delay: OutputDelay, ready_after_ns: np.ndarray, *, first: int = 0) -> np.ndarray:
    """The delay that was in force when each frame became ready."""
    found = []
    for frame, span_ns in enumerate(ready_after_ns, start=first):
        found.append(delay.now_ns)
        delay.add(frame, ready_after_ns=int(span_ns))
    return np.array(found)


@given(spans_ms=st.lists(st.floats(0, 3000), min_size=1, max_size=60))
def test_the_delay_is_never_longer_than_its_bound_nor_falls_by_more_than_a_quarter_frame(
    spans_ms: list[float],
) -> None:
    delay = new_delay()
    found = [*delays_of(delay, np.array(spans_ms) * MS), delay.now_ns]
    assert max(found) <= LONGEST_NS
    assert min(np.diff(found)) >= -PERIOD_NS / 4


@given(
    seed=st.integers(0, 2**32 - 1),
    middle_ms=st.floats(60, 150),
    spread=st.floats(0.01, 0.3),
    frames_a_scan=st.integers(1, 4),
)
@settings(max_examples=15, deadline=None)
def test_few_frames_of_a_stationary_process_are_late_and_the_delay_is_no_longer_than_needed(
    seed: int, middle_ms: float, spread: float, frames_a_scan: int
) -> None:
    frames = 3 * MINUTE
    waited = (frames_a_scan - 1 - np.arange(frames) % frames_a_scan) * PERIOD_NS
    computed = np.random.default_rng(seed).lognormal(0, spread, -(-frames // frames_a_scan))
    spans = waited + middle_ms * MS * np.repeat(computed, frames_a_scan)[:frames]
    delay = OutputDelay(longest_ns=10**10, frame_rate_hz=30.0)
    found = delays_of(delay, spans)
    # the expected fraction is below 0.1 %; 0.4 % is seven standard deviations of the count away
    assert np.mean(spans > found) < 0.004
    assert found[-1] <= spans.max() + 4 * MS


@given(ms_per_s=st.floats(-3, 3))
@settings(max_examples=10, deadline=None)
def test_slow_drift_of_the_scans_against_the_grid_makes_no_frame_late(ms_per_s: float) -> None:
    spans = (150 + ms_per_s * np.arange(30 * MINUTE // 60) / 30) * MS
    assert not (spans > delays_of(new_delay(), spans)).any()


@given(stalled=st.integers(1, 60))
@settings(max_examples=10, deadline=None)
def test_after_a_stall_the_delay_grows_at_once_and_is_as_before_a_minute_and_a_half_later(
    stalled: int,
) -> None:
    delay, quiet = new_delay(), np.full(MINUTE, 150 * MS)
    delays_of(delay, quiet)
    before = delay.now_ns
    stall = 150 * MS + PERIOD_NS * np.arange(stalled, 0, -1)
    assert delays_of(delay, stall, first=MINUTE)[1:].min(initial=LONGEST_NS) > before
    delays_of(delay, np.full(MINUTE * 3 // 2, 150 * MS), first=MINUTE + stalled)
    assert abs(delay.now_ns - before) <= MS


@given(
    spans_ms=st.lists(
        st.one_of(st.floats(60, 90), st.floats(60, 250), st.floats(250, 900)),
        min_size=2,
        max_size=80,
    )
)
def test_every_frame_leaves_once_in_order_and_at_once_where_it_is_late(
    spans_ms: list[float],
) -> None:
    clock = SetClock()
    pace = paced(clock)
    # a decoder gives frames in order: none is ready before the one before it
    ready = np.maximum.accumulate(
        [FrameGrid(30.0).middle_ns(8 + n) + int(span * MS) for n, span in enumerate(spans_ms)]
    )
    left: list[tuple[Reconstruction, int]] = []
    for n, t_ready_ns in enumerate(ready):
        left += advanced(clock, pace, until_ns=int(t_ready_ns))
        given_now = pace.step([replace(FRAME, frame=n, t_ready_ns=int(t_ready_ns))])
        left += [(out, clock.t_ns) for out in given_now]
    left += [(out, clock.t_ns) for out in pace.rest()]
    assert [out.frame for out, _ in left] == list(range(len(spans_ms)))
    assert pace.n_late == sum(out.late for out, _ in left)
    for (before, before_ns), (after, after_ns) in pairwise(left):
        assert after_ns >= before_ns
        if not (before.late or after.late):
            assert after_ns - before_ns >= 3 * PERIOD_NS // 4 - 2


def advanced(
    clock: SetClock, pace: PacedOutput, *, until_ns: int
) -> list[tuple[Reconstruction, int]]:
    """Frames that are due before `until_ns`, with the times at which they leave."""
    left: list[tuple[Reconstruction, int]] = []
    while (next_ns := clock.t_ns + 1 + round(pace.wait_s() * 1e9)) < until_ns:
        clock.t_ns = next_ns
        left += [(out, clock.t_ns) for out in pace.step([])]
    clock.t_ns = until_ns
    return left


def test_frames_of_the_warm_up_are_not_measured() -> None:
    clock = SetClock()
    pace = paced(clock)
    before_ms = pace.delay_ms
    list(pace.step([replace(FRAME, frame=n, warm=False) for n in range(60)]))
    assert pace.delay_ms == before_ms
    list(pace.step([replace(FRAME, frame=60)]))
    assert pace.delay_ms < before_ms
