"""Work is shed in order where it exceeds the time, never for one slow estimation, and resumed."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import Noise
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Estimate, ObservedFrames, Rejected, Solver
from rtdecode.decode.work_control import Estimation, WorkControl
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.messages import Event, Reconstruction, WindowFrame
from rtdecode.twins.linear import Linear

MS = 1_000_000
PERIOD_MS = 1000 / 30
MakeFrame = Callable[..., WindowFrame]
few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def control(*, steps: int = 5, members: int = 1, room: int = 4) -> WorkControl:
    period_ns = round(PERIOD_MS * MS)
    return WorkControl(
        steps=steps, members=members, room=room, period_ns=period_ns, deadline_ns=30 * MS
    )


def at_cost(
    work: WorkControl, *, step_ms: float, frames: int, other_ms: float = 2.0, covered: int = 1
) -> list[Event]:
    """Events of `frames` frames whose solver steps take `step_ms` each."""
    events = []
    for _ in range(frames // covered):
        steps_ns = round(work.level.passes * step_ms * MS)
        one = Estimation(
            frames=covered,
            turns=1,
            steps=work.level.steps,
            steps_ns=steps_ns,
            work_ns=steps_ns + round(other_ms * MS),
            waiting=covered,
        )
        work.add(one)
        events += work.events()
    return events


def codes(events: Sequence[Event]) -> list[str]:
    return [event.code for event in events]


@given(slow_ms=st.floats(0, 1e5), at=st.integers(0, 59), covered=st.integers(1, 4))
def test_one_slow_estimation_sheds_nothing(slow_ms: float, at: int, covered: int) -> None:
    work = control()
    for n in range(60):
        work.add(
            Estimation(
                frames=covered,
                turns=1,
                steps=5,
                steps_ns=20 * MS,
                work_ns=round((slow_ms if n == at else 25) * MS),
                is_cut=n == at,
                waiting=round(slow_ms / PERIOD_MS) if n == at + 1 else covered,
            )
        )
    assert work.events() == []
    assert work.level.steps == 5


@pytest.mark.parametrize(("step_ms", "steps"), [(4.0, 5), (7.0, 3), (11.0, 2), (14.0, 1)])
def test_steps_are_reduced_to_what_fits_within_a_second(step_ms: float, steps: int) -> None:
    work = control()
    assert len(at_cost(work, step_ms=step_ms, frames=30)) <= 1
    at_cost(work, step_ms=step_ms, frames=60)
    assert (work.level.steps, work.level.output_stride) == (steps, 1)


def test_twins_are_reduced_after_steps_and_before_the_output_rate() -> None:
    work = control(steps=2, members=3)
    assert codes(at_cost(work, step_ms=9, frames=40)) == ["members_shed"]
    assert str(work.level) == "1 step, 2 twins"
    at_cost(work, step_ms=28, frames=300)
    assert str(work.level) == "1 step"
    assert codes(at_cost(work, step_ms=70, frames=40, covered=2)) == ["rate_shed"]
    assert str(work.level) == "1 step, every 2nd frame"


def test_output_is_complete_while_frames_that_wait_are_estimated_together() -> None:
    """A step that takes one and a half frames: the frames that wait are given out in pairs."""
    work = control(steps=1)
    assert at_cost(work, step_ms=31, frames=300, covered=1) == []


def test_a_deadline_that_is_passed_all_the_time_reduces_steps_to_those_that_are_made() -> None:
    work = control(room=8)
    one = Estimation(
        frames=4, turns=1, steps=2, steps_ns=28 * MS, work_ns=32 * MS, is_cut=True, waiting=4
    )
    for _ in range(4):
        work.add(one)
    assert work.level.steps == 2
    assert codes(work.events()) == ["steps_shed"]


@settings(max_examples=6)
@given(step_ms=st.floats(0.1, 300))
def test_all_work_is_resumed_one_level_at_a_time_once_there_is_room(step_ms: float) -> None:
    work = control()
    at_cost(work, step_ms=step_ms, frames=600, covered=4)
    before = work.level
    events = at_cost(work, step_ms=1.0, frames=1500, covered=2)
    assert work.level.steps == 5
    assert set(codes(events)) <= {"work_recovered"}
    levels = len(control()._levels)
    assert len(events) <= levels - 1
    if before != work.level:
        assert events[-1].text.endswith("raised to 5 steps")
        assert sum(event.counts["seconds"] for event in events) > 3 * len(events)


@settings(max_examples=6)
@given(costs=st.lists(st.tuples(st.floats(0, 400), st.integers(1, 90)), min_size=1, max_size=12))
def test_any_costs_cause_few_events(costs: list[tuple[float, int]]) -> None:
    work, events, seconds = control(), [], 0.0
    for step_ms, frames in islice(cycle(costs), 40):
        events += at_cost(work, step_ms=step_ms, frames=frames)
        seconds += frames * PERIOD_MS / 1000
    resumed = codes(events).count("work_recovered")
    assert resumed <= seconds / 3
    assert len(events) - resumed <= resumed + len(work._levels) - 1


@settings(max_examples=6)
@given(step_ms=st.floats(0.1, 300), covered=st.integers(1, 4))
def test_constant_costs_do_not_let_the_level_oscillate(step_ms: float, covered: int) -> None:
    work = control()
    at_cost(work, step_ms=step_ms, frames=600, covered=covered)
    assert at_cost(work, step_ms=step_ms, frames=1800, covered=covered) == []


class CostClock:
    """Advanced by the test and by the solver steps alone."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def now_ns(self) -> int:
        return round(self.now_ms * MS)

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the decoder never sleeps")


class CostlySolver:
    """A solver whose steps take the time of a list, without any computation."""

    def __init__(
        self, clock: CostClock, costs_ms: Sequence[float], like: Solver, shape: tuple[int, int]
    ) -> None:
        self._clock, self._costs_ms, self._shape = clock, cycle(costs_ms), shape
        self._like, self._observed = like, list[ObservedFrames]()

    def observed(self, *measured: Tensor, members: int) -> ObservedFrames:
        self._observed = self._observed or [self._like.observed(*measured, members=members)]
        return self._observed[0]

    def advance(self, frames: int) -> None: ...

    def reset(self) -> None: ...

    def improve(self, observed: object) -> None:
        self._clock.now_ms += next(self._costs_ms)

    def estimate(self, *, back: int, ahead: int) -> Estimate:
        video = np.zeros((back + 1 + ahead, *self._shape), np.float32)
        return Estimate(video, 0.0, Rejected(np.zeros(7, np.bool_), np.zeros(7, np.bool_)))


def live(
    decoder: Decoder,
    clock: CostClock,
    frames: Sequence[WindowFrame],
    *,
    frames_a_scan: int,
    before_ms: float,
) -> tuple[list[tuple[Reconstruction, float]], list[Event]]:
    """Decode frames that arrive in time; each with the age in ms of its newest responses."""
    arrival = [(n // frames_a_scan + 1) * frames_a_scan * PERIOD_MS for n in range(len(frames))]
    given_out, events, taken = [], [], 0
    while taken < len(frames):
        clock.now_ms = max(clock.now_ms, arrival[taken])
        batch = [frame for frame, at in zip(frames, arrival, strict=True) if at <= clock.now_ms]
        begun_ns = clock.now_ns()
        clock.now_ms += before_ms * (len(batch) - taken)
        made = decoder.step(batch[taken:], begun_ns=begun_ns)
        taken = len(batch)
        given_out += [(one, clock.now_ms - arrival[one.frame + 3]) for one in made]
        events += decoder.events()
    return given_out, events


CONFIG = DecodeConfig(window_frames=12, estimated_frames=7, lag_frames=3, steps=4)
MakeLive = Callable[..., tuple[list[tuple[Reconstruction, float]], list[Event]]]


@pytest.fixture
def run_live(twin: Linear, prior: VideoPrior, noise: Noise, make_frame: MakeFrame) -> MakeLive:
    """Decode `seconds` with the real decoder at the given costs of a step, with a work control."""

    def run(
        costs_ms: Sequence[float], *, seconds: float, frames_a_scan: int, before_ms: float
    ) -> tuple[list[tuple[Reconstruction, float]], list[Event]]:
        clock = CostClock()
        work = control(steps=CONFIG.steps, room=CONFIG.room_frames)
        decoder = Decoder(CONFIG, twin, prior, noise=noise, clock=clock, work_control=work)
        solver = CostlySolver(clock, costs_ms, decoder._solver, tuple(prior.mean.shape))
        decoder._solver = solver  # type: ignore[assignment]
        frames = [make_frame(n, np.zeros(7)) for n in range(round(30 * seconds))]
        return live(decoder, clock, frames, frames_a_scan=frames_a_scan, before_ms=before_ms)

    return run


COSTS = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60)), min_size=1, max_size=8)


@few
@given(
    costs=COSTS,
    most_ms=st.floats(1, 600),
    frames_a_scan=st.integers(1, 4),
    before_share=st.floats(0, 0.5),
)
def test_the_age_of_the_output_is_bounded_at_any_costs(
    run_live: MakeLive,
    costs: list[tuple[float, int]],
    most_ms: float,
    frames_a_scan: int,
    before_share: float,
) -> None:
    """The bound of docs/decoder.md."""
    costs_ms = [most_ms * part for part, times in costs for _ in range(times)]
    given_out, _ = run_live(
        costs_ms,
        seconds=12,
        frames_a_scan=frames_a_scan,
        before_ms=before_share * PERIOD_MS,
    )
    oldest_ms = max(age_ms for _, age_ms in given_out)
    assert oldest_ms <= (2000 + 8 * most_ms) / (1 - before_share)


@few
@given(costs=COSTS, most_ms=st.floats(1, 600), frames_a_scan=st.integers(1, 4))
def test_every_frame_is_given_out_or_counted_as_shed(
    run_live: MakeLive, costs: list[tuple[float, int]], most_ms: float, frames_a_scan: int
) -> None:
    costs_ms = [most_ms * part for part, times in costs for _ in range(times)]
    given_out, events = run_live(costs_ms, seconds=10, frames_a_scan=frames_a_scan, before_ms=1.0)
    frames = [one for one, _ in given_out]
    assert frames[0].frame == frames[0].frames_shed == 0
    for before, after in pairwise(frames):
        assert after.frame - before.frame - 1 == after.frames_shed
    if sum(one.frames_shed for one in frames):
        assert {"rate_shed", "overloaded"} & set(codes(events))


@pytest.mark.parametrize("step_ms", [150, 400, 1000])
def test_a_decoder_that_cannot_keep_up_says_so_once_and_gives_the_newest_frame(
    run_live: MakeLive, step_ms: float
) -> None:
    given_out, events = run_live([step_ms], seconds=25, frames_a_scan=2, before_ms=1.0)
    assert codes(events)[-1] == "overloaded"
    assert codes(events).count("overloaded") == 1
    assert events[-1].severity == "alarm"
    later = given_out[-5:]
    assert {one.steps for one, _ in later} == {1}
    # one estimation during which its responses waited, one that used them, and a scan
    assert max(age_ms for _, age_ms in later) <= 2 * (1.1 * step_ms + 2 * PERIOD_MS)


def test_a_decoder_that_keeps_up_is_not_changed(run_live: MakeLive) -> None:
    given_out, events = run_live([3.0], seconds=20, frames_a_scan=2, before_ms=2.0)
    assert events == []
    assert {one.steps for one, _ in given_out} == {4}
    assert [one.frame for one, _ in given_out] == list(range(len(given_out)))


def test_after_an_overload_all_work_and_all_frames_come_back(run_live: MakeLive) -> None:
    costs = [*[2.0] * 400, *[150.0] * 60, *[2.0] * 4000]
    given_out, events = run_live(costs, seconds=50, frames_a_scan=2, before_ms=1.0)
    assert {"overloaded", "work_recovered"} <= set(codes(events))
    assert events[-1].text.endswith("raised to 4 steps")
    last = [one for one, _ in given_out][-30:]
    assert {(one.steps, one.frames_shed) for one in last} == {(4, 0)}
    shed = sum(one.frames_shed for one, _ in given_out)
    stated = sum(event.counts.get("frames_shed", 0) for event in events)
    assert 0 < shed == stated
