"""The clip that is being seen is found among others, as by brute force, and fires once."""

import math
from itertools import pairwise

import numpy as np
import pytest
from simulated_loop import simulate
from toy_loop import MASK, ToyRig, observed, reconstruction, toy_clips, toy_setting

from rtdecode.control.policies.clip_matcher import ClipMatcher
from rtdecode.control.policies.template_match import TemplateMatch
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.schema.errors import PolicyOptionValueError

CLIPS = toy_clips(4)
SETTING = toy_setting(CLIPS)


def pooled(video: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(frame, block) means over the compared pixels of blocks of 2 x 2."""
    frames, rows, cols = video.shape
    weights = mask.reshape(rows // 2, 2, cols // 2, 2).astype(float)
    levels = video.reshape(frames, rows // 2, 2, cols // 2, 2) * weights
    counts = weights.sum((1, 3))
    return (levels.sum((2, 4)) / np.maximum(counts, 1))[:, counts > 0]


@pytest.mark.parametrize("seed", range(10))
def test_the_correlation_is_the_one_of_the_whole_window_at_its_best_offset(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = MASK & (rng.random(MASK.shape) < 0.6)
    window, seen = 7, CLIPS["clip2"][20:40] + rng.normal(0, 40, (20, *MASK.shape))
    matcher = ClipMatcher(CLIPS, mask, window_frames=window)
    for frame, luminance in enumerate(seen):
        matches = matcher.add(reconstruction(frame, luminance))
    y = pooled(np.float32(seen[-window:]), mask)
    for match in matches:
        x = pooled(CLIPS[match.clip], mask)
        r = [pearson_r(x[o : o + window], y) for o in range(len(x) - window + 1)]
        assert match.r == pytest.approx(max(r), abs=1e-5)
        assert match.frame == int(np.argmax(r)) + window - 1
    assert [m.r for m in matches] == sorted((m.r for m in matches), reverse=True)


def test_a_missing_and_a_cold_frame_empty_the_window() -> None:
    matcher = ClipMatcher(CLIPS, MASK, window_frames=2)
    frames = CLIPS["clip0"]
    full = [
        bool(matcher.add(reconstruction(k, frames[k], warm=k != 6)))
        for k in (0, 1, 2, 4, 5, 6, 7, 8)
    ]
    assert full == [False, True, True, False, True, False, False, True]


def test_a_uniform_reconstruction_agrees_with_nothing() -> None:
    matcher = ClipMatcher(CLIPS, MASK, window_frames=1)
    assert {match.r for match in matcher.add(reconstruction(0, 90.0))} == {0.0}


@pytest.mark.parametrize("seed", range(5))
def test_each_displayed_clip_is_identified_with_its_frame(seed: int) -> None:
    setting = toy_setting(CLIPS, seed=seed)
    policy = TemplateMatch(setting, output="ttl", window_frames=10, above=0.4)
    record = simulate(policy, ToyRig(seed), CLIPS, setting=setting, seconds=24)
    names = [frame.clip for frame in record.displayed]
    order = [names[0], *(b for a, b in pairwise(names) if a != b)]
    fired = [list(CLIPS)[int(request.value)] for _, request in record.requests]
    # the last one may end before it is certain
    assert fired in (order, order[:-1])
    for t_ns, request in record.requests:
        found = request.reason.split(":")[0].split()
        shown = next(f for f in reversed(record.displayed) if f.t_flip_ns <= t_ns - 8 / 30 * 1e9)
        assert found[0] == shown.clip
        assert int(found[-1]) == pytest.approx(shown.index, abs=1)


def test_one_clip_fires_and_others_do_not() -> None:
    policy = TemplateMatch(SETTING, output="ttl", fire_on="clip3", above=0.4)
    record = simulate(policy, ToyRig(0), CLIPS, setting=SETTING, seconds=24)
    assert len(record.requests) >= 2
    assert {int(request.value) for _, request in record.requests} == {3}
    assert policy.identified is not None


def test_a_window_longer_than_a_clip_is_refused() -> None:
    with pytest.raises(PolicyOptionValueError, match="at most the 60 frames"):
        TemplateMatch(SETTING, output="ttl", window_frames=61)
    with pytest.raises(PolicyOptionValueError, match="at least 2 different clips"):
        TemplateMatch(SETTING, output="ttl", clips=["clip1"])


def test_the_margin_is_the_distance_to_the_next_best_clip() -> None:
    policy = TemplateMatch(SETTING, output="ttl", window_frames=1, hold_frames=1, margin=0.0)
    (now,) = observed([reconstruction(0, CLIPS["clip1"][30])])
    (request,) = policy.decide(now)
    found = policy.identified
    assert found is not None
    assert (found.clip, found.frame) == ("clip1", 30)
    assert found.r == pytest.approx(1, abs=1e-6)
    assert 0 < found.margin < 1 + math.fabs(found.r)
    assert request.value == 1.0
