"""A copy of a training clip is found whatever was done to it, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom

from rtdecode.evaluate.leakage import TrainedClips, clip_hash
from rtdecode.schema.errors import ShapeError


def pan(seed: int, *, frames: int = 120) -> np.ndarray:
    """A window that moves over a large picture with the amplitudes of nature (frame, row, col)."""
    rng = np.random.default_rng(seed)
    fine, coarse = rng.normal(size=(2, 120, 200))
    picture = 20 * gaussian_filter(fine, 1) + 500 * gaussian_filter(coarse, 8)
    walk = np.array([40, 60]) + np.cumsum(rng.normal(0, 1.2, (frames, 2)), 0)
    path = np.clip(walk, 0, (80, 130)).astype(int)
    video = np.stack([picture[r : r + 36, c : c + 64] for r, c in path])
    return np.asarray(np.clip(128 + video, 0, 255))


CLIPS = [pan(seed) for seed in range(8)]
TRAINED = TrainedClips([clip_hash(clip) for clip in CLIPS])


@given(which=st.integers(0, 7), seed=st.integers(0, 9), gain=st.floats(0.7, 1.4))
@settings(max_examples=20)
def test_a_noisy_brighter_copy_is_found(which: int, seed: int, gain: float) -> None:
    noise = np.random.default_rng(seed).normal(0, 4, CLIPS[which].shape)
    leak = TRAINED.leak(CLIPS[which] * gain + 15 + noise)
    assert leak is not None
    assert leak.clip == which


@pytest.mark.parametrize("change", ["cut", "slower", "softer", "backwards", "uint8"])
def test_a_changed_copy_is_found(change: str) -> None:
    clip = CLIPS[3]
    changed = {
        "cut": clip[31:101],
        "slower": zoom(clip, (1.5, 1, 1), order=0),
        "softer": gaussian_filter(clip, (0, 1, 1)),
        "backwards": clip[::-1],
        "uint8": clip.astype(np.uint8),
    }[change]
    leak = TRAINED.leak(changed)
    assert leak is not None
    assert leak.clip == 3


@pytest.mark.parametrize("seed", range(100, 108))
def test_another_clip_is_not_taken_for_a_copy(seed: int) -> None:
    assert TRAINED.leak(pan(seed)) is None


def test_single_frames_are_told_apart() -> None:
    assert TRAINED.is_trained_frame(CLIPS[0][6])
    assert not TRAINED.is_trained_frame(pan(200)[6])


def test_frames_without_a_picture_are_never_a_leak() -> None:
    grey = np.full((60, 36, 64), 128.0)
    assert clip_hash(grey) == ""
    assert TrainedClips([clip_hash(grey)]).leak(grey) is None
    assert not TRAINED.is_trained_frame(grey[0])
    assert TrainedClips([]).leak(CLIPS[0]) is None
    assert TRAINED.leak(np.full((60, 36, 64), np.nan)) is None


def test_the_hash_is_text_that_stays_the_same() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 64), (1, 36, 64))
    assert clip_hash(ramp) == clip_hash(ramp * 0.5)
    assert len(clip_hash(CLIPS[0])) == 20 * 32  # 120 frames, every sixth, 128 bits in hex


def test_a_single_picture_is_refused_as_a_clip() -> None:
    with pytest.raises(ShapeError, match=r"video must have \(frame, row, col\)"):
        clip_hash(np.zeros((36, 64)))


def test_every_copy_is_found_not_only_the_nearest() -> None:
    twice = TrainedClips([clip_hash(CLIPS[k]) for k in (2, 5, 2)])
    assert [leak.clip for leak in twice.leaks(CLIPS[2])] == [0, 2]
    assert twice.leaks(np.full((20, 36, 64), 90)) == []
