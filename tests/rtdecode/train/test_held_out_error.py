"""The standard deviation that is told is the size of the errors that are made."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.posterior import posterior_sd
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.train.held_out_error import calibrated_sd, contrast_of

CONFIG = DecodeConfig(window_frames=12, estimated_frames=8, lag_frames=4, steps=3)
Watch = Callable[..., Trial]


@pytest.fixture
def sd(linear_mouse: FittedTwin) -> torch.Tensor:
    return posterior_sd(
        linear_mouse.twin,
        linear_mouse.prior,
        linear_mouse.noise,
        window_frames=CONFIG.window_frames,
    )


@pytest.mark.parametrize("noise_sd", [2.0, 20.0])
def test_on_other_trials_errors_are_as_large_as_it_says(
    linear_mouse: FittedTwin, watch: Watch, sd: torch.Tensor, noise_sd: float
) -> None:
    """Over ten pairs of trials: the mean log ratio is 0 to within three standard errors.

    Each pair is calibrated on one trial and tested on the other. The 5 % on top are for what
    is known to be off: errors are calibrated over all frames of a window, and tested at one lag.
    """

    def log_ratio(group: int) -> float:
        trials = [
            watch(frames=50, pace=5.0, noise_sd=noise_sd, seed=seed)
            for seed in (2 * group, 2 * group + 1)
        ]
        usual = contrast_of([trials[1].truth], linear_mouse.prior.mean.numpy())
        told = calibrated_sd(sd, linear_mouse, trials[:1], contrast=usual, config=CONFIG)
        missed = Online([linear_mouse], CONFIG).video(trials[1]) - trials[1].truth
        said = float(told[CONFIG.lag_frames].square().mean())
        return float(np.log(said / np.nanmean(np.square(missed[30:]))) / 2)

    ratios = [log_ratio(group) for group in range(10)]
    margin = 3 * np.std(ratios, ddof=1) / np.sqrt(len(ratios))
    assert abs(np.mean(ratios)) < margin + 0.05
    assert margin < 0.2  # else the test could not fail


def test_its_pattern_over_the_screen_stays(
    linear_mouse: FittedTwin, watch: Watch, sd: torch.Tensor
) -> None:
    told = calibrated_sd(sd, linear_mouse, [watch(frames=60)], contrast=50.0, config=CONFIG)
    factor = told / sd
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor))
    assert not torch.allclose(factor, torch.ones_like(factor), rtol=0.01)


@pytest.mark.parametrize("trials", [0, 2])
def test_trials_that_are_too_short_change_nothing(
    linear_mouse: FittedTwin, watch: Watch, sd: torch.Tensor, trials: int
) -> None:
    short = [watch(frames=30) for _ in range(trials)]
    told = calibrated_sd(sd, linear_mouse, short, contrast=50.0, config=CONFIG)
    assert torch.equal(told, sd)


def test_what_is_told_follows_the_contrast_of_video_at_large(
    linear_mouse: FittedTwin, watch: Watch, sd: torch.Tensor
) -> None:
    trials = [watch(frames=60)]
    low, high = (
        calibrated_sd(sd, linear_mouse, trials, contrast=grey_levels, config=CONFIG)
        for grey_levels in (20.0, 60.0)
    )
    torch.testing.assert_close(high, 3 * low)


def test_contrast_is_about_the_mean_frame() -> None:
    mean_frame = np.full((2, 3), 100, np.float32)
    videos = [np.full((4, 2, 3), grey, np.uint8) for grey in (103, 96)]
    assert contrast_of(videos, mean_frame) == pytest.approx(np.sqrt((3**2 + 4**2) / 2))
