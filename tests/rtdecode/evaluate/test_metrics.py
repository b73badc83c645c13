"""The metrics against scipy and scikit-image, numbers by hand, and what they refuse."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.stats import pearsonr
from skimage.metrics import structural_similarity

from rtdecode.evaluate import metrics
from rtdecode.schema.errors import ShapeError

FULL = np.ones((36, 64), bool)
DISC = np.hypot(*np.mgrid[-18:18, -32:32]) < 14


@cache
def film(*, frames: int = 40, seed: int = 0) -> np.ndarray:
    """Smooth moving grey levels (frame, row, col)."""
    noise = np.random.default_rng(seed).normal(size=(frames, 36, 64))
    return 128 + 900 * gaussian_filter(noise, (2, 3, 3))


@given(seed=st.integers(0, 50), amount=st.floats(0, 100))
@settings(max_examples=15)
def test_video_r_is_pearsons_over_all_pixels_in_the_mask(seed: int, amount: float) -> None:
    truth, noise = film(frames=5, seed=seed), film(frames=5, seed=seed + 1000)
    decoded = truth + amount * (noise - 128)
    expected = pearsonr(truth[:, DISC].ravel(), decoded[:, DISC].ravel()).statistic
    assert metrics.video_r(truth, decoded, DISC) == pytest.approx(expected, abs=1e-9)


@given(video=arrays(np.uint8, (3, 6, 8)), gain=st.floats(0.1, 10), offset=st.floats(-100, 100))
def test_contrast_and_luminance_do_not_change_a_correlation(
    video: np.ndarray, gain: float, offset: float
) -> None:
    mask = np.ones((6, 8), bool)
    r = metrics.video_r(video, video * gain + offset, mask)
    assert np.isnan(r) if video.std() == 0 else r == pytest.approx(1)


def test_one_number_by_hand() -> None:
    truth = np.array([[[0.0, 1.0]], [[2.0, 3.0]]])
    decoded = np.array([[[0.0, 1.0]], [[3.0, 2.0]]])
    mask = np.ones((1, 2), bool)
    assert metrics.video_r(truth, decoded, mask) == pytest.approx(0.8)
    assert metrics.frame_r(truth, decoded, mask) == pytest.approx(0.0)  # +1 and -1


def test_what_lies_outside_the_mask_counts_for_nothing() -> None:
    truth, decoded = film(), film(seed=1)
    elsewhere = np.where(DISC, decoded, 7.0)
    for score in (metrics.video_r, metrics.frame_r):
        assert score(truth, elsewhere, DISC) == score(truth, decoded, DISC)


def test_frames_with_nan_are_left_out_of_every_metric() -> None:
    truth, decoded = film(), film() + 0.2 * film(seed=1)
    holed = decoded.copy()
    holed[:10] = np.nan
    whole = metrics.clip_scores(truth[10:], decoded[10:], DISC, first_frame=0, frame_rate_hz=30)
    assert metrics.clip_scores(truth, holed, DISC, first_frame=0, frame_rate_hz=30) == whole
    assert metrics.clip_scores(truth, holed, DISC, first_frame=10, frame_rate_hz=30) == whole
    assert whole.n_frames == 30


def test_ssim_is_scikit_images_on_the_bounding_box() -> None:
    truth, decoded = film(frames=3), film(frames=3, seed=1)
    mask = np.zeros((36, 64), bool)
    mask[10:20, 30:50] = True
    pairs = zip(truth[:, 10:20, 30:50], decoded[:, 10:20, 30:50], strict=True)
    expected = np.mean([structural_similarity(*pair, data_range=255) for pair in pairs])  # type: ignore[no-untyped-call]
    assert metrics.ssim(truth, decoded, mask) == pytest.approx(expected)
    assert metrics.ssim(truth, truth, mask) == pytest.approx(1)


@pytest.mark.parametrize(("side", "expected"), [(2, np.nan), (4, 1.0), (6, 1.0)])
def test_ssim_of_a_small_mask_takes_a_smaller_window(side: int, expected: float) -> None:
    mask = np.zeros((36, 64), bool)
    mask[:side, :side] = True
    video = film(frames=2)
    assert metrics.ssim(video, video, mask) == pytest.approx(expected, nan_ok=True)


@given(late=st.integers(-6, 6))
@settings(max_examples=13)
def test_shift_finds_a_late_reconstruction(late: int) -> None:
    video = film(frames=80)
    truth, decoded = video[10:70], video[10 - late : 70 - late]
    found = metrics.shift_ms(truth, decoded, DISC, frame_rate_hz=30)
    assert found == pytest.approx(late * 1000 / 30, abs=3)


def test_shift_lies_between_frames_where_the_truth_does() -> None:
    video = film(frames=80)
    between = (video[9:69] + video[10:70]) / 2
    found = metrics.shift_ms(video[10:70], between, DISC, frame_rate_hz=30)
    assert found == pytest.approx(16.7, abs=1)


def test_a_grey_reconstruction_scores_nothing_and_a_grey_truth_cannot_be_scored() -> None:
    grey = np.full((40, 36, 64), 128.0)
    assert metrics.video_r(film(), grey, DISC) == 0
    assert metrics.frame_r(film(), grey, DISC) == 0
    assert np.isnan(metrics.video_r(grey, film(), DISC))
    assert np.isnan(metrics.frame_r(grey, film(), DISC))
    assert np.isnan(metrics.shift_ms(grey, film(), DISC, frame_rate_hz=30))


def test_no_frames_are_no_score() -> None:
    scores = metrics.clip_scores(film(frames=20), film(frames=20), FULL, frame_rate_hz=30)
    assert scores.n_frames == 0
    assert np.isnan([scores.video_r, scores.frame_r, scores.ssim, scores.shift_ms]).all()


def test_the_interval_holds_the_mean_and_shrinks_with_clips() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(0.5, 0.1, 5), rng.normal(0.5, 0.1, 200)
    wide = metrics.bootstrap_interval(list(few), rng=np.random.default_rng(1))
    narrow = metrics.bootstrap_interval(list(many), rng=np.random.default_rng(1))
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low == pytest.approx(4 * 0.1 / np.sqrt(200), rel=0.25)
    assert narrow.high - narrow.low < wide.high - wide.low


def test_the_interval_leaves_out_clips_without_a_score() -> None:
    rng = np.random.default_rng(0)
    assert metrics.bootstrap_interval([0.4, np.nan, 0.4], rng=rng) == metrics.Interval(
        0.4, 0.4, 0.4
    )
    assert np.isnan(metrics.bootstrap_interval([], rng=rng).mean)


def test_videos_and_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"reconstruction must have the shape of the ground truth, \(40, 36, 64\)"
    ):
        metrics.video_r(film(), film(frames=39), FULL)
    with pytest.raises(ShapeError, match="truth must have"):
        metrics.ssim(film()[0], film()[0], FULL)
    with pytest.raises(ShapeError, match="mask must have bool of shape"):
        metrics.frame_r(film(), film(), FULL.T)
    with pytest.raises(ShapeError, match="at least one pixel"):
        metrics.frame_r(film(), film(), np.zeros_like(FULL))
    with pytest.raises(ShapeError, match="mask must have bool"):
        metrics.frame_r(film(), film(), FULL.astype(float))
