import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.reference import passes_per_frame, reference_video, window_starts
from rtdecode.twins.twin import TwinSpec

ROWS, COLS, FRAMES = 4, 5, 40


class EveryPixel(nn.Module):
    """A twin with one neuron for each pixel, whose activity is that pixel's light."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = TwinSpec("pixels", ROWS * COLS, rows_px=ROWS, cols_px=COLS, history_frames=1)

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        return video.flatten(2) / 50 + 0.1


def a_clip() -> np.ndarray:
    rng = np.random.default_rng(0)
    steady = rng.uniform(60, 200, (1, ROWS, COLS))
    return (steady + rng.normal(0, 5, (FRAMES, ROWS, COLS))).astype(np.float32)


def reconstructed(mask: np.ndarray, iterations: int = 60) -> np.ndarray:
    responses = a_clip().reshape(FRAMES, -1) / 50 + 0.1
    behaviour = np.zeros((FRAMES, 4), np.float32)
    return reference_video(EveryPixel(), responses, behaviour, mask, iterations=iterations)


def test_it_finds_the_video_that_explains_the_activity() -> None:
    video = reconstructed(np.ones((ROWS, COLS), bool), iterations=300)
    assert pearson_r(a_clip().mean(0), video.mean(0)) > 0.95


def test_pixels_outside_the_mask_stay_grey() -> None:
    mask = np.zeros((ROWS, COLS), bool)
    mask[:, :2] = True
    video = reconstructed(mask, iterations=30)
    np.testing.assert_allclose(video[:, :, -1], 127.5, atol=1e-3)
    assert np.ptp(video[:, :, 0]) > 1


def test_pixels_stay_grey_levels() -> None:
    video = reconstructed(np.ones((ROWS, COLS), bool), iterations=80)
    assert video.min() >= 0
    assert video.max() <= 255


@given(frames=st.integers(32, 400))
def test_windows_cover_the_clip_and_end_with_it(frames: int) -> None:
    starts = window_starts(frames)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] + 32 == frames
    assert max(np.diff(starts), default=0) <= 8


def test_a_published_reconstruction_takes_about_117_passes_a_frame() -> None:
    assert passes_per_frame(300, iterations=1000) == pytest.approx(35 / 300 * 1000)
    assert passes_per_frame(300, iterations=100, twins=7) == pytest.approx(81.67, abs=0.01)


def test_what_is_reported_on_the_way_is_what_a_shorter_run_gives() -> None:
    responses = a_clip().reshape(FRAMES, -1) / 50 + 0.1
    told: dict[int, np.ndarray] = {}
    torch.manual_seed(0)
    reference_video(
        EveryPixel(),
        responses,
        np.zeros((FRAMES, 4), np.float32),
        np.ones((ROWS, COLS), bool),
        iterations=12,
        report=told.__setitem__,
        report_at=(5, 12),
    )
    assert sorted(told) == [5, 12]
    np.testing.assert_array_equal(told[5], reconstructed(np.ones((ROWS, COLS), bool), 5))


def test_a_neuron_that_was_not_measured_moves_nothing() -> None:
    responses = a_clip().reshape(FRAMES, -1) / 50 + 0.1
    responses[:, 7] = np.nan
    behaviour, mask = np.zeros((FRAMES, 4), np.float32), np.ones((ROWS, COLS), bool)
    video = reference_video(EveryPixel(), responses, behaviour, mask, iterations=20)
    assert np.isfinite(video).all()
    blurred_only = np.abs(video[:, 1, 2] - 127.5).max()
    assert blurred_only < np.abs(video - 127.5).max() / 2
