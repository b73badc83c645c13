"""Each ablation changes one part of the decoder and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rtdecode.bench.ablation import cold_start, without_prediction, without_prior
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Solver
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import inverted_windows
from rtdecode.schema.config.decode import DecodeConfig

CONFIG = DecodeConfig(window_frames=8, estimated_frames=6, lag_frames=2, steps=2)
Watch = Callable[..., Trial]


def pixel_variance(prior: VideoPrior) -> float:
    down, across = prior.basis.down, prior.basis.across
    return float((down.T.square() @ prior.power @ across.square()).mean())


def test_without_the_prior_contrast_and_mean_stay(linear_mouse: FittedTwin) -> None:
    before = linear_mouse.prior
    flat = without_prior(linear_mouse).prior
    assert pixel_variance(flat) == pytest.approx(pixel_variance(before), rel=1e-4)
    assert float(flat.mean.mean()) == pytest.approx(float(before.mean.mean()), rel=1e-5)
    assert float(flat.power.std()) == 0
    assert float(flat.autoregression.abs().max()) == 0


def test_a_cold_start_gives_every_frame_after_the_lag(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    video = cold_start(linear_mouse, CONFIG).video(watch(frames=30))
    given = np.isfinite(video).all((1, 2))
    assert given.tolist() == [True] * 28 + [False] * 2


def test_a_cold_start_does_not_depend_on_activity_before_its_horizon(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    shown = watch()
    disturbed = replace(shown, responses=shown.responses.copy())
    disturbed.responses[:10] = 0
    cold = [cold_start(linear_mouse, CONFIG).video(one)[15:28] for one in (shown, disturbed)]
    np.testing.assert_array_equal(*cold)
    warm = [Online([linear_mouse], CONFIG).video(one)[15:28] for one in (shown, disturbed)]
    assert np.abs(warm[0] - warm[1]).max() > 1


def test_without_the_priors_prediction_a_new_frame_starts_from_the_mean_and_old_ones_stay(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    begin = without_prediction(linear_mouse, CONFIG).begin
    compared = 0

    def compare_videos(solver: Solver) -> None:
        nonlocal compared
        before, _ = solver.result(back=4)
        begin(solver)
        after, _ = solver.result(back=5)
        np.testing.assert_allclose(after[:-1], before, atol=1e-3)
        np.testing.assert_allclose(after[-1], linear_mouse.prior.mean, atol=1e-3)
        compared += 1

    frames = len(list(inverted_windows(linear_mouse, CONFIG, watch(), begin=compare_videos)))
    assert compared == frames


def test_the_priors_prediction_is_worth_something_where_few_steps_are_taken(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    shown, hurried = (
        watch(),
        DecodeConfig(window_frames=8, estimated_frames=6, lag_frames=0, steps=1),
    )
    usual = Online([linear_mouse], hurried).video(shown)
    less = without_prediction(linear_mouse, hurried).video(shown)
    assert np.abs(less - shown.truth).mean() > np.abs(usual - shown.truth).mean()
