"""Observations become actions in an exact order, which the recorded messages repeat."""

import doctest
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from rtdecode.control import decision_stage, request_check
from rtdecode.control.decision_stage import REFUSALS, TIME, DecisionStage, Given, given
from rtdecode.control.policy import Observation, Request
from rtdecode.schema.control import Acknowledgement, Action, ActionName, Observed
from rtdecode.schema.errors import PolicyFailedError, PolicyReturnError, PolicyTooSlowError
from rtdecode.schema.messages import Event, Received, Reconstruction, Score, Stamped
from rtdecode.session.replay import RecordedClock

GREY = np.full((2, 2), 128, np.float32)
FRAME = Reconstruction(GREY, GREY, 41, 900, 800, 850, 860, 870, 880, 6, 3, 0.5, True, False)
SCORE = Score(0.8, 0.7, 0.6, 0.0, 10.0, 300, False)
MS = 1_000_000


class Scripted:
    """Asks for what `answer` returns, and keeps what it was given."""

    def __init__(self, answer: Callable[[Observation], Any]) -> None:
        self._answer = answer
        self.seen: list[Observation] = []

    def decide(self, observation: Observation) -> list[Request]:
        self.seen.append(observation)
        return self._answer(observation)  # type: ignore[no-any-return]


def made(policy: Scripted, *, rate_hz: float = 100.0, first: int = 0) -> DecisionStage:
    return DecisionStage(
        policy,
        policy="scripted",
        max_actions_per_s=rate_hz,
        clock=RecordedClock(),
        first_number=first,
    )


def at(t_ms: int, *, armed: bool = True, body: Any = None, stream: str = TIME) -> Given:
    return Given(stream, t_ms, t_ms * MS, armed, body)


def actions(out: Sequence[object]) -> list[Action]:
    return [one for one in out if isinstance(one, Action)]


def on_frames(observation: Observation) -> list[Request]:
    is_frame = isinstance(observation.body, Reconstruction)
    return [Request.show_clip("owl", reason="a frame")] if is_frame else []


def test_an_action_states_its_cause_with_frame_times_and_scan() -> None:
    stage = made(Scripted(on_frames), first=7)
    item = at(1, body=FRAME, stream="emit/reconstruction")
    observed, action = stage.step([item])
    assert isinstance(observed, Observed)
    assert isinstance(action, Action)
    assert (action.number, action.name, action.outcome) == (7, "show_clip", "sent")
    assert (action.cause, action.cause_frame) == ("emit/reconstruction", 41)
    assert (action.t_cause_ns, action.t_scan_ns) == (900, 800)
    assert action.t_observed_ns == observed.t_observed_ns == MS


def test_a_ready_frame_is_observed_under_the_name_that_the_log_has() -> None:
    late = replace(FRAME, late=True)
    ready = given(Received(Stamped("ready", 3, 5, "host", FRAME), 6), FRAME, t_ns=7, armed=False)
    logged = given(Received(Stamped("emit", 9, 8, "host", late), 9), late, t_ns=7, armed=False)
    for one in (ready, logged):
        assert (one.stream, one.number) == ("emit/reconstruction", 41)
        assert isinstance(one.body, Reconstruction)
        assert not one.body.late


def test_nothing_is_sent_before_arming_and_the_policy_is_told_once_before_the_next() -> None:
    policy = Scripted(on_frames)
    out = list(made(policy).step([at(1, armed=False, body=FRAME), at(2, armed=False)]))
    (action,) = actions(out)
    assert action.outcome == "not_armed"
    streams = [one.stream for one in out if isinstance(one, Observed)]
    assert streams == [TIME, REFUSALS, TIME]
    told = policy.seen[1].body
    assert isinstance(told, Acknowledgement)
    assert (told.number, told.result, told.text) == (0, "refused", "not armed")
    assert policy.seen[1].t_ns == 2 * MS


def test_a_policy_that_answers_every_refusal_is_given_each_refusal_once() -> None:
    policy = Scripted(lambda _: [Request.pause()])
    out = list(made(policy).step([at(t, armed=False) for t in range(5)]))
    # each observation, and from the second on the refusal of what the one before it asked for
    assert [one.stream for one in out if isinstance(one, Observed)] == [
        TIME,
        *[REFUSALS, TIME] * 4,
    ]
    assert len(actions(out)) == 9


def test_more_than_the_rate_limit_is_withheld_and_frames_of_it_are_not_kept() -> None:
    clip = np.zeros((3, 2, 2), np.uint8)
    policy = Scripted(
        lambda seen: [Request.show_frames(clip, name="mine")] * 3 if seen.body is SCORE else []
    )
    out = actions(list(made(policy, rate_hz=2.0).step([at(0, body=SCORE), at(1)])))
    assert [one.outcome for one in out] == ["sent", "sent", "rate_limited"]
    assert [one.frames.shape[0] for one in out] == [3, 3, 0]
    told = policy.seen[1].body
    assert isinstance(told, Acknowledgement)
    assert told.text.startswith("rate limited")


def test_the_time_since_arming_counts_from_the_first_armed_observation() -> None:
    policy = Scripted(lambda _: [])
    armed = [(0, False), (100, True), (350, True), (400, False), (500, True)]
    list(made(policy).step([at(t, armed=on) for t, on in armed]))
    assert [one.armed_for_s for one in policy.seen] == [0.0, 0.0, 0.25, 0.0, 0.0]


def failing(_observation: Observation) -> list[Request]:
    raise ZeroDivisionError("no variance")


def failing_in_a_library(_observation: Observation) -> list[Request]:
    np.linalg.inv(np.zeros((2, 2)))
    return []


def leaving(_observation: Observation) -> list[Request]:
    raise SystemExit(3)


def misnamed(_observation: Observation) -> list[Request]:
    """As the name of a file that is not UTF-8."""
    raise FileNotFoundError("mouse\udcff")


def wordless(_observation: Observation) -> list[Request]:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    raise WordlessError


def too_slow(_observation: Observation) -> list[Request]:
    raise PolicyTooSlowError(policy="scripted", took="more than 50 ms of processor time")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (failing, PolicyFailedError, "ZeroDivisionError: no variance .*test_decision_stage"),
        (failing_in_a_library, PolicyFailedError, r"Singular matrix .*: np\.linalg\.inv\(np"),
        (leaving, PolicyFailedError, "SystemExit: 3"),
        (misnamed, PolicyFailedError, r"FileNotFoundError: mouse\\udcff"),
        (wordless, PolicyFailedError, r"raised wordless.<locals>.WordlessError: <exception str"),
        (too_slow, PolicyTooSlowError, "took more than 50 ms"),
        (lambda _: None, PolicyReturnError, "returned None instead of a list"),
        (lambda _: [Request.pause()] * 101, PolicyReturnError, "101 requests"),
    ],
)
def test_a_policy_that_fails_is_an_alarm_and_is_not_called_again(
    answer: Callable[[Observation], Any], error: type[Exception], said: str
) -> None:
    policy = Scripted(answer)
    stage = made(policy)
    out = [*stage.step([at(1), at(2)]), *stage.step([at(3)])]
    assert isinstance(stage.failure, error)
    observed, alarm = out
    assert isinstance(observed, Observed)
    assert isinstance(alarm, Event)
    assert (alarm.severity, alarm.code) == ("alarm", "policy_failed")
    assert alarm.text.encode().decode() == alarm.text
    with pytest.raises(error, match=said):
        raise stage.failure
    assert len(policy.seen) == 1


@pytest.mark.parametrize(
    "request_",
    [
        3,
        Request("pause"),  # type: ignore[arg-type]
        Request(ActionName.TRIGGER, target=3),  # type: ignore[arg-type]
        Request(ActionName.TRIGGER, reason="x" * 2001),
        Request(ActionName.SHOW_CLIP, target="mouse\udcff"),
        Request(ActionName.PAUSE, reason="\ud800"),
        Request(ActionName.SET_PARAMETER, value=float("nan")),
        Request(ActionName.SET_PARAMETER, value=10**400),
        Request(ActionName.SET_PARAMETER, value=np.longdouble("1e4000")),  # type: ignore[arg-type]
        Request(ActionName.SET_PARAMETER, value=np.complex128(1j)),  # type: ignore[arg-type]
        Request(ActionName.SET_PARAMETER, value=np.timedelta64(5, "s")),  # type: ignore[arg-type]
        Request(ActionName.PAUSE, t_due_ns=-1),
        Request(ActionName.SHOW_FRAMES),
        Request(ActionName.SHOW_FRAMES, frames=np.zeros((1, 2, 2), np.float32)),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_sent_is_no_request(request_: Any) -> None:
    assert request_check.mistake_of([request_])


def varied(observation: Observation) -> list[Request]:
    """Depends on all that an observation has."""
    if isinstance(observation.body, Acknowledgement):
        return [Request.resume(reason=f"{observation.body.number}")] * (
            observation.body.number % 3 == 0
        )
    wanted = (observation.t_ns // MS + int(100 * observation.armed_for_s)) % 4
    return [Request.set_parameter("contrast", observation.armed_for_s)] * wanted


@drawn(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=30), st.data())
def test_the_recorded_observations_give_the_recorded_decisions_in_any_batches(
    steps: list[tuple[int, bool]], data: st.DataObject
) -> None:
    items, t_ms = [], 0
    for step_ms, armed in steps:
        t_ms += step_ms
        items.append(at(t_ms, armed=armed))
    live = list(made(Scripted(varied), rate_hz=5.0).step(items))
    # as a replay does it: what was observed, without the refusals, which the stage makes itself
    recorded = [
        Given(one.stream, one.number, one.t_observed_ns, one.armed)
        for one in live
        if isinstance(one, Observed) and one.stream != REFUSALS
    ]
    stage, again = made(Scripted(varied), rate_hz=5.0), list[object]()
    while recorded:
        n = data.draw(st.integers(1, len(recorded)))
        again += stage.step(recorded[:n])
        recorded = recorded[n:]
    assert [repr(asdict(one)) for one in live] == [repr(asdict(one)) for one in again]  # type: ignore[call-overload]


def test_the_examples_of_the_modules_are_true() -> None:
    assert doctest.testmod(decision_stage).failed == 0
    assert doctest.testmod(request_check).failed == 0
