"""Similarity of responses: its known answers, and what is compared with what."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from rtdecode.evaluate.response_similarity import (
    ClipResponses,
    PresentedClip,
    ShownBackSimilarity,
    shown_back_similarity,
)
from rtdecode.schema.control import ClipRole, role_of
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Responses, Stamped

GRID = FrameGrid(30.0)
NEURONS, FRAMES = 200, 90
ORIGINAL, SOURCE, BACK = ClipRole.ORIGINAL, ClipRole.SOURCE, ClipRole.SHOWN_BACK


def signal(clip: int, seed: int = 0) -> np.ndarray:
    """(frame, neuron) mean response to a clip, with the high mean rates of some neurons."""
    rng = np.random.default_rng([clip, seed])
    return np.float32(rng.gamma(2, 1, (FRAMES, NEURONS)) + np.linspace(0, 50, NEURONS))


def noisy(mean: np.ndarray, sd: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng([99, seed])
    return np.float32(mean + rng.normal(0, sd, mean.shape))


def compared(presented: Sequence[PresentedClip]) -> ShownBackSimilarity:
    found = shown_back_similarity(presented, frame_rate_hz=30.0, rng=np.random.default_rng(0))
    assert found is not None
    return found


def session(seed: int, *, sd: float, back: float) -> Iterator[PresentedClip]:
    """Two clips, whose reconstructions evoke their response with the weight `back`."""
    for clip in range(2):
        own, other = signal(clip), signal(clip + 10)
        for k in range(2):
            yield PresentedClip(ORIGINAL, f"c{clip}", noisy(own, sd, 10 * seed + 4 * clip + k))
        mixed = back * own + (1 - back) * other
        yield PresentedClip(BACK, f"c{clip}", noisy(mixed, sd, 1000 + 10 * seed + clip))


def test_the_same_response_has_similarity_one_and_another_one_none() -> None:
    found = compared(list(session(0, sd=0.0, back=1.0)))
    assert found.shown_back.mean == pytest.approx(1, abs=1e-6)
    assert found.ceiling.mean == pytest.approx(1, abs=1e-6)
    # the mean rates of the neurons, which all clips share, are no similarity: with two clips of
    # equal weight, what is left of the one is the negative of the other in part
    assert found.sham.mean < 0.05
    assert (found.n_clips, found.n_seconds) == (2, 6)


@pytest.mark.parametrize("seed", range(10))
def test_noise_lowers_similarity_and_ceiling_alike(seed: int) -> None:
    sd = 2.0
    found = compared(list(session(seed, sd=sd, back=1.0)))
    # the correlation of s + n and s + n' is var s / (var s + var n), with var s = 2 of the gamma
    expected = 2 / (2 + sd**2)
    # 30 x 200 samples a second: a standard error of 0.013, over six seconds 0.005
    assert found.ceiling.mean == pytest.approx(expected, abs=0.03)
    assert found.shown_back.mean == pytest.approx(found.ceiling.mean, abs=0.03)
    assert found.effect.low > 0.2


@pytest.mark.parametrize("seed", range(10))
def test_a_reconstruction_without_the_content_has_no_effect(seed: int) -> None:
    found = compared(list(session(seed, sd=1.0, back=0.0)))
    # six standard errors
    assert abs(found.effect.mean) < 0.04
    assert found.ceiling.mean > 0.5


def test_sources_count_for_the_ceiling_alone() -> None:
    plain = [one for one in session(0, sd=1.0, back=1.0) if one.role is BACK]
    plain += [PresentedClip(ORIGINAL, f"c{k}", noisy(signal(k), 1.0, 50 + k)) for k in range(2)]
    # a source whose noise the reconstruction has too would seem to be similar to it
    sources = [PresentedClip(SOURCE, f"c{k}", plain[k].activity) for k in range(2)]
    without, including = compared(plain), compared([*plain, *sources])
    assert np.isnan(without.ceiling.mean)
    assert including.ceiling.mean > 0.5
    assert including.shown_back.mean == pytest.approx(without.shown_back.mean, abs=0.02)


def test_missing_responses_are_left_out_and_not_zero() -> None:
    whole = list(session(1, sd=0.0, back=1.0))
    holes = [
        PresentedClip(one.role, one.clip, np.where(np.arange(NEURONS) < 5, np.nan, one.activity))
        for one in whole
    ]
    assert compared(holes).shown_back.mean == pytest.approx(1, abs=1e-6)


def test_a_presentation_that_was_cut_counts_with_its_whole_seconds() -> None:
    whole = list(session(1, sd=0.5, back=1.0))
    cut = [
        PresentedClip(one.role, one.clip, one.activity[:40])
        if (one.role, one.clip) == (BACK, "c0")
        else one
        for one in whole
    ]
    found = compared(cut)
    # in later seconds c0 lacks its own reconstruction, and c1 its sham
    assert found.n_seconds == 2
    assert found.shown_back.mean == pytest.approx(compared(whole).shown_back.mean, abs=0.02)


def test_fewer_than_two_clips_are_not_compared() -> None:
    one_clip = [one for one in session(0, sd=1.0, back=1.0) if one.clip == "c0"]
    rng = np.random.default_rng(0)
    assert shown_back_similarity(one_clip, frame_rate_hz=30.0, rng=rng) is None
    assert shown_back_similarity([], frame_rate_hz=30.0, rng=rng) is None


def test_responses_are_cut_by_presentation_and_ordered_by_frame_of_the_clip() -> None:
    responses = ClipResponses(GRID)
    order = [
        ("a", 0),
        ("a", 1),
        ("shown_back/a", 0),
        ("shown_back/a", 1),
        ("a", 0),
        ("a", 1),
        ("b", 0),
    ]
    valid = np.array([True, False])
    for frame in range(len(order)):
        activity = np.array([frame, 7], np.float32)
        body = Responses(activity, valid, frame, GRID.start_ns(frame), 0, 0, 0, 0)
        responses.add(Stamped("decoder", frame, 0, "host", body))
    for seq, (clip, index) in enumerate(order):
        shown = DisplayedFrame(clip, index, np.zeros((2, 2), np.uint8), GRID.start_ns(seq), 2)
        responses.add(Stamped("stimulus", seq, shown.t_flip_ns, "host", shown))
    found = responses.presented()
    assert [(one.role, one.clip) for one in found] == [
        (ORIGINAL, "a"),
        (BACK, "a"),
        (ORIGINAL, "a"),
    ]
    assert [one.activity[:, 0].tolist() for one in found] == [[0, 1], [2, 3], [4, 5]]
    assert all(np.isnan(one.activity[:, 1]).all() for one in found)


def test_a_role_is_found_again_in_its_name() -> None:
    for role in ClipRole:
        assert role_of(role.name_of("owl")) == (role, "owl")
    assert role_of("shown/owl") == (ORIGINAL, "shown/owl")
