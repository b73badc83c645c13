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
    def trials(seeds: range) -> list[Trial]:
        return [watch(frames=120, pace=5.0, noise_sd=noise_sd, seed=seed) for seed in seeds]

    mean_frame = linear_mouse.prior.mean.numpy()
    usual = contrast_of((one.truth for one in trials(range(100, 104))), mean_frame)
    told = calibrated_sd(sd, linear_mouse, trials(range(4)), contrast=usual, config=CONFIG)
    squares = [
        np.nanmean(np.square(Online([linear_mouse], CONFIG).video(one) - one.truth)[30:])
        for one in trials(range(100, 104))
    ]
    said = float(told[CONFIG.lag_frames].square().mean().sqrt())
    assert said == pytest.approx(float(np.sqrt(np.mean(squares))), rel=0.15)


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
