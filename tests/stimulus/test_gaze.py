"""Gaze paths move in every frame, at speeds that eyes and heads have."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stimulus.gaze import gaze_path

SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS, frames=st.integers(1, 400))
def test_a_path_has_a_place_and_a_zoom_for_between_frames(seed: int, frames: int) -> None:
    path = gaze_path(np.random.default_rng(seed), frames, rate_hz=30.0)
    assert path.center_px.shape == (frames, 2)
    assert path.zoom.shape == (frames,)
    assert np.isfinite(path.center_px).all()
    assert 0.7 <= path.zoom.min() <= path.zoom.max() <= 1.42


@given(seed=SEEDS)
def test_the_gaze_never_rests(seed: int) -> None:
    path = gaze_path(np.random.default_rng(seed), 300, rate_hz=30.0)
    assert (np.hypot(*np.diff(path.center_px, axis=0).T) > 0).all()


@given(seed=SEEDS)
def test_the_same_generator_gives_the_same_path(seed: int) -> None:
    one, other = (gaze_path(np.random.default_rng(seed), 60, rate_hz=30.0) for _ in range(2))
    np.testing.assert_array_equal(one.center_px, other.center_px)
    np.testing.assert_array_equal(one.zoom, other.zoom)


def test_most_of_the_time_is_slow_and_some_of_it_fast() -> None:
    path = gaze_path(np.random.default_rng(0), 30_000, rate_hz=30.0)
    speed_px_s = 30.0 * np.hypot(*np.diff(path.center_px, axis=0).T)
    assert 5 < np.median(speed_px_s) < 20
    assert 0.02 < np.mean(speed_px_s > 60) < 0.15
