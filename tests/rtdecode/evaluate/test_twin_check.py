"""The twin check: neurons in the right order match, in any other they raise an alarm."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_mouse import linear_mouse
from seeds import SEEDS

from rtdecode.evaluate.aligned_responses import F32, AlignedResponses, TwinInput
from rtdecode.evaluate.response_sums import NoiseVariance, ResponseSums
from rtdecode.evaluate.twin_check import MismatchAlarm, TwinCheck, TwinReference
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    Event,
    Received,
    Responses,
    Stamped,
)
from rtdecode.streams.behaviour_join import BehaviourJoin

RATE = 30.0
GRID = FrameGrid(RATE)
FIRST, NEURONS, ROWS, COLS = 3000, 40, 4, 6
NOISE_SD = 0.6
MOUSE = linear_mouse()
HISTORY = MOUSE.twin.spec.history_frames


def predict(video: F32, behaviour: F32) -> F32:
    activity = MOUSE.twin(torch.from_numpy(video)[None], torch.from_numpy(behaviour)[None])[0]
    return activity[HISTORY:].numpy()


def walk(frames: int, *, seed: int = 0) -> F32:
    """(frame, row, col) whole grey levels that wander within 60 of 127."""
    steps = np.random.default_rng(seed).normal(0, 8, (frames, ROWS, COLS))
    wander = np.zeros((ROWS, COLS))
    video = np.empty((frames, ROWS, COLS))
    for frame, step in enumerate(steps):
        wander = 0.97 * wander + step
        video[frame] = 127 + np.clip(wander, -60, 60)
    return video.astype(np.uint8).astype(np.float32)


def recorded(video: F32, *, seed: int = 1, noise_sd: float = NOISE_SD) -> F32:
    """(frame, neuron) activity of the mouse that sees `video`, with noise."""
    behaviour = torch.zeros(1, len(video), 4)
    activity = MOUSE.twin(torch.from_numpy(video)[None], behaviour)[0].numpy()
    noise = np.random.default_rng(seed).normal(0, noise_sd, activity.shape)
    return (activity + noise).astype(np.float32)


def stream(video: F32, activity: F32, *, late: int = 10) -> list[Received]:
    """As a live run brings them: flips at once, responses `late` frames after their frame."""
    bodies: list[tuple[str, int, Body]] = []
    for k, (picture, response) in enumerate(zip(video, activity, strict=True)):
        t_ns = GRID.start_ns(FIRST + k)
        shown = DisplayedFrame("walk", k, picture.astype(np.uint8), t_ns, 1)
        valid = np.isfinite(response)
        told = Responses(np.nan_to_num(response), valid, FIRST + k, *[t_ns] * 5)
        bodies += [("stimulus", 10 * k, shown), ("decoder", 10 * (k + late), told)]
        bodies.append(("bridge", 10 * k + 1, Behaviour(t_ns, 0.0, 30.0, np.zeros(2, np.float32))))
    numbers: dict[str, int] = {}
    items = []
    for source, _, body in sorted(bodies, key=lambda each: each[1]):
        seq = numbers[source] = numbers.get(source, -1) + 1
        items.append(Received(Stamped(source, seq, 0, "host", body), 0))
    return items


def reference(*, training_r: float | None = 0.6) -> TwinReference:
    noise = NoiseVariance(np.zeros(NEURONS), np.full(NEURONS, NOISE_SD**2))
    return TwinReference(noise, None if training_r is None else np.full(NEURONS, training_r))


def check(
    of: TwinReference | None = None, *, by: Callable[[F32, F32], F32] = predict, every: int = 1
) -> TwinCheck:
    aligned = AlignedResponses(
        GRID,
        BehaviourJoin(np.zeros(4, np.float32)),
        segment_frames=30,
        needs=TwinInput(HISTORY),
    )
    return TwinCheck(aligned, by, reference=of or reference(), frame_rate_hz=RATE, every=every)


def results(outputs: Sequence[object]) -> list[ResponsePrediction]:
    return [out for out in outputs if isinstance(out, ResponsePrediction)]


def codes(outputs: Sequence[object]) -> list[tuple[str, str]]:
    return [(out.severity, out.code) for out in outputs if isinstance(out, Event)]


def figures(outputs: Sequence[object]) -> list[tuple[object, ...]]:
    return [(one.frame, one.r, one.verdict, one.n_frames) for one in results(outputs)]


VIDEO = walk(36 * 30)
ACTIVITY = recorded(VIDEO)
RUN = stream(VIDEO, ACTIVITY)
WHOLE = list(check().step(RUN))


def test_r_is_the_mean_pearson_correlation_of_the_last_twenty_seconds() -> None:
    last = results(WHOLE)[-1]
    frames = slice(last.frame + 1 - 600 - FIRST, last.frame + 1 - FIRST)
    clean = recorded(VIDEO, noise_sd=0.0)
    r = [np.corrcoef(clean[frames, n], ACTIVITY[frames, n])[0, 1] for n in range(NEURONS)]
    assert last.r == pytest.approx(np.mean(r), abs=1e-4)
    assert (last.n_frames, last.n_neurons, last.window_s) == (600, NEURONS, 20.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_noise_model_expects_the_r_that_is_measured(seed: int) -> None:
    video = walk(25 * 30, seed=seed)
    last = results(list(check().step(stream(video, recorded(video, seed=seed + 100)))))[-1]
    assert last.r == pytest.approx(last.r_expected, abs=0.05)
    assert last.verdict == Verdict.MATCH


def test_neurons_in_the_right_order_raise_no_alarm() -> None:
    assert codes(WHOLE) == []
    assert {one.verdict for one in results(WHOLE)[10:]} == {Verdict.MATCH}


def test_no_verdict_before_ten_seconds() -> None:
    early = results(WHOLE)[:9]
    assert {one.verdict for one in early} == {Verdict.TOO_FEW_FRAMES}
    assert all(math.isnan(one.r) for one in early)


@pytest.mark.parametrize("seed", SEEDS)
def test_neurons_in_another_order_raise_one_alarm_after_twenty_seconds(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(NEURONS)
    outputs = list(check().step(stream(VIDEO, ACTIVITY[:, order])))
    assert codes(outputs) == [("alarm", "twin_mismatch")]
    (event,) = (out for out in outputs if isinstance(out, Event))
    for cause in ("ROIs of another day", "another order", "drift of the field", "shift of the eye"):
        assert cause in event.text
    below = [one.verdict == Verdict.MISMATCH for one in results(outputs)]
    at = len(results(outputs[: outputs.index(event)]))
    assert sum(below[:at]) == 20


def test_frames_that_are_shifted_by_a_second_raise_the_alarm() -> None:
    outputs = list(check().step(stream(VIDEO[:-60], ACTIVITY[60:])))
    assert codes(outputs) == [("alarm", "twin_mismatch")]


def test_a_mismatch_that_ends_is_reported_as_a_match() -> None:
    video = walk(100 * 30)
    activity = recorded(video)
    activity[: 45 * 30] = np.roll(activity[: 45 * 30], 1, axis=1)
    outputs = list(check().step(stream(video, activity)))
    assert codes(outputs) == [("alarm", "twin_mismatch"), ("info", "twin_match")]


def test_no_verdict_while_the_screen_is_constant() -> None:
    still = np.full((40 * 30, ROWS, COLS), 127, np.float32)
    outputs = list(check().step(stream(still, recorded(still))))
    assert codes(outputs) == []
    assert {one.verdict for one in results(outputs)[10:]} == {Verdict.CONSTANT_SCREEN}


def test_low_contrast_ends_the_verdict_before_it_raises_an_alarm() -> None:
    for contrast, expected in ((1.0, Verdict.MATCH), (0.5, Verdict.CONSTANT_SCREEN)):
        video = (127 + contrast * (VIDEO - 127)).astype(np.uint8).astype(np.float32)
        outputs = list(check(reference(training_r=0.7)).step(stream(video, recorded(video))))
        assert results(outputs)[-1].verdict == expected
        assert codes(outputs) == []


def test_without_a_training_r_the_noise_model_is_the_reference() -> None:
    unknown = reference(training_r=None)
    assert codes(list(check(unknown).step(RUN))) == []
    mixed = list(check(unknown).step(stream(VIDEO, np.roll(ACTIVITY, 1, axis=1))))
    assert codes(mixed) == [("alarm", "twin_mismatch")]
    assert math.isnan(results(mixed)[-1].r_training)
    assert "expected by the noise model" in next(o.text for o in mixed if isinstance(o, Event))


def test_a_silent_recording_is_a_mismatch() -> None:
    outputs = list(check().step(stream(VIDEO, np.zeros_like(ACTIVITY))))
    assert codes(outputs) == [("alarm", "twin_mismatch")]
    assert results(outputs)[-1].r == 0


def test_frames_after_a_hole_in_the_displayed_frames_are_left_out() -> None:
    missing = {("stimulus", 605), ("stimulus", 606)}
    kept = [i for i in RUN if (i.message.source, i.message.seq) not in missing]
    whole, found = results(WHOLE), results(list(check().step(kept)))
    # frames 604 to 606 are unknown, and 607 needs one frame of history
    assert found[22].n_frames == whole[22].n_frames - 3 - HISTORY
    assert found[22].r == pytest.approx(whole[22].r, abs=0.02)


def test_missing_responses_of_some_neurons_are_left_out() -> None:
    holes = ACTIVITY.copy()
    holes[300:330, :20] = np.nan
    holes[400:420] = np.nan
    found = results(list(check().step(stream(VIDEO, holes))))
    assert found[19].n_frames == 600 - HISTORY - 20
    assert found[19].r == pytest.approx(results(WHOLE)[19].r, abs=0.02)


def test_a_recording_that_is_mostly_holes_has_no_verdict() -> None:
    holes = ACTIVITY.copy()
    holes[np.arange(len(holes)) % 3 > 0] = np.nan
    found = results(list(check().step(stream(VIDEO, holes))))
    assert {one.verdict for one in found} == {Verdict.TOO_FEW_FRAMES}


@given(cuts=st.lists(st.integers(0, len(RUN)), max_size=6).map(sorted))
@settings(max_examples=5)
def test_any_way_of_cutting_the_stream_gives_the_same_results(cuts: list[int]) -> None:
    checked = check()
    edges = [0, *cuts, len(RUN)]
    outputs = [out for a, b in pairwise(edges) for out in checked.step(RUN[a:b])]
    assert figures(outputs) == figures(WHOLE)


def test_responses_that_come_later_give_the_same_results() -> None:
    later = list(check().step(stream(VIDEO, ACTIVITY, late=100)))
    assert figures(later) == figures(WHOLE)[: len(figures(later))]
    assert len(figures(later)) >= len(figures(WHOLE)) - 4


def test_a_slow_twin_is_evaluated_seldom_over_a_longer_window() -> None:
    calls = []

    def counted(video: F32, behaviour: F32) -> F32:
        calls.append(len(video))
        return predict(video, behaviour)

    found = results(list(check(by=counted, every=3).step(RUN)))
    assert calls == [30 + HISTORY] * len(found)
    assert len(found) == len([n for n in range(FIRST // 30, FIRST // 30 + 35) if n % 3 == 0])
    assert found[-1].window_s == 60.0


def test_a_pause_of_the_stimulus_costs_no_predictions_afterwards() -> None:
    calls = []

    def counted(video: F32, behaviour: F32) -> F32:
        calls.append(len(video))
        return predict(video, behaviour)

    paused = [i for i in RUN if i.message.source != "stimulus" or not 60 < i.message.seq < 1000]
    renumbered = []
    for item in paused:
        seq = item.message.seq
        if item.message.source == "stimulus" and seq >= 1000:
            seq -= 939
        body = Stamped(item.message.source, seq, 0, "host", item.message.body)
        renumbered.append(Received(body, 0))
    list(check(by=counted).step(renumbered))
    # the picture before the pause stayed for 31 s, of which the last ten are compared
    assert len(calls) <= 1 + 10 + 2


def test_predictions_at_every_third_frame_are_compared_with_these() -> None:
    def sparse(video: F32, behaviour: F32) -> F32:
        return predict(video, behaviour)[2::3]

    aligned = AlignedResponses(
        GRID, BehaviourJoin(np.zeros(4, np.float32)), segment_frames=30, needs=TwinInput(HISTORY)
    )
    strided = TwinCheck(aligned, sparse, reference=reference(), frame_rate_hz=RATE, stride=3)
    found, whole = results(list(strided.step(RUN))), results(WHOLE)
    assert {one.verdict for one in found[10:]} == {Verdict.MATCH}
    assert len(found) == len(whole)
    assert found[-1].n_frames == 200
    assert found[-1].r == pytest.approx(whole[-1].r, abs=0.05)


def test_another_number_of_neurons_is_refused() -> None:
    with pytest.raises(ShapeError, match="one value for each neuron of the twin, 40"):
        list(check().step(stream(VIDEO, ACTIVITY[:, :-1])))


def test_seconds_without_a_verdict_neither_raise_nor_end_an_alarm() -> None:
    alarm = MismatchAlarm(seconds=2)
    quiet = (Verdict.CONSTANT_SCREEN, Verdict.TOO_FEW_FRAMES)
    assert [alarm.after(v, seconds=9) for v in quiet] == [None, None]
    given_ = [Verdict.MISMATCH, quiet[0], Verdict.MISMATCH, quiet[1], Verdict.MATCH, Verdict.MATCH]
    told = [alarm.after(v, seconds=1) for v in given_]
    assert told == [None, None, Verdict.MISMATCH, None, None, Verdict.MATCH]


def test_expected_r_follows_from_variance_and_noise() -> None:
    predicted = np.array([[1.0, 0.0], [3.0, 0.0]], np.float32)  # variance 1 about mean 2, and none
    sums = ResponseSums.of(predicted, predicted, measured=np.ones((2, 2), bool))
    noise = NoiseVariance(slope=np.array([1.0, 1.0]), floor=np.array([1.0, 1.0]))
    np.testing.assert_allclose(sums.expected_r(noise), [0.5, 0.0])  # 1 / (1 + 1 * 2 + 1) squared
    np.testing.assert_allclose(sums.pearson_r(), [1.0, np.nan])
