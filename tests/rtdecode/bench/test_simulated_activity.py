"""Simulated activity has the moments of the noise model, and eye movements move what is seen."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from rtdecode.bench.gaze import GazeCorrectedTwin, gaze_map, moved, moving_mask, on_retina
from rtdecode.bench.simulated_activity import (
    drawn_activity,
    noise_free,
    perturbed,
    simulated,
    single_trial_r,
)
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.noise import Noise
from rtdecode.offline.trial import Trial
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TailTwin, Twin, predict_tail

Watch = Callable[..., Trial]


def test_draws_have_mean_variance_correlation_and_memory_of_the_noise_model() -> None:
    dispersion, weight = torch.tensor([0.5, 2.0, 1.0]), 0.25
    shared = torch.tensor([[1.0], [1.0], [0.0]])
    noise = Noise(dispersion, torch.tensor(weight), shared)
    predicted = np.full((60_000, 3), 1.5, np.float32)
    drawn = drawn_activity(noise, predicted, np.random.default_rng(0))
    residual = drawn - predicted
    # eq. (3) for independent noise, eq. (4) for what neurons share
    independent = dispersion.numpy() * (1.5 + 0.3 * dispersion.numpy())
    np.testing.assert_allclose(residual.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(residual.var(0), independent * [2, 2, 1], rtol=0.06)
    correlation = np.corrcoef(residual.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.03)
    assert correlation[0, 2] == pytest.approx(0, abs=0.03)
    lagged = [float((residual[k:, 2] * residual[: len(residual) - k, 2]).mean()) for k in range(40)]
    integrated = 1 + 2 * sum(lagged[1:]) / lagged[0]
    assert integrated == pytest.approx(1 / weight, rel=0.15)


def test_a_draw_is_the_same_each_time_and_another_one_differs(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    trial = watch(noise_sd=3.0)
    free = noise_free(linear_mouse, trial)
    np.testing.assert_allclose(free.responses, watch().responses, atol=1e-4)
    first = simulated(linear_mouse, trial, draw=0).responses
    np.testing.assert_array_equal(first, simulated(linear_mouse, trial, draw=0).responses)
    other_trial = simulated(linear_mouse, replace(trial, number=1), draw=0).responses
    for other in (simulated(linear_mouse, trial, draw=1).responses, other_trial):
        assert np.abs(other - first).mean() > 0.1


def test_the_response_correlation_is_that_of_numpy_and_ignores_what_was_not_measured() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.normal(size=(50, 3)).astype(np.float32)
    recorded = (predicted + rng.normal(size=(50, 3))).astype(np.float32)
    valid = np.ones(predicted.shape, bool)
    valid[:10, 0], valid[:, 2] = False, False
    expected = [
        np.corrcoef(predicted[10:, 0], recorded[10:, 0])[0, 1],
        np.corrcoef(predicted[:, 1], recorded[:, 1])[0, 1],
    ]
    recorded[~valid] = 1e6
    assert single_trial_r(predicted, recorded, valid) == pytest.approx(np.mean(expected), abs=1e-4)


def test_errors_in_weights_are_as_large_as_asked_and_leave_the_twin_itself(
    linear_mouse: FittedTwin,
) -> None:
    before = linear_mouse.twin.spatial.clone()  # type: ignore[attr-defined]
    worse = perturbed(linear_mouse, relative_sd=0.2, seed=0).twin.spatial  # type: ignore[attr-defined]
    assert torch.equal(before, linear_mouse.twin.spatial)  # type: ignore[attr-defined]
    relative = (worse - before).square().mean() / before.square().mean()
    assert float(relative.sqrt()) == pytest.approx(0.2, rel=0.1)


def test_a_gaze_of_whole_pixels_moves_the_display_by_them() -> None:
    video = np.random.default_rng(2).uniform(0, 255, (2, 6, 8)).astype(np.float32)
    gaze = np.array([[2, 0], [0, -1]], np.float32)
    retina = on_retina(video, gaze)
    np.testing.assert_allclose(retina[0, :, :-2], video[0, :, 2:], atol=1e-2)
    np.testing.assert_allclose(retina[1, 1:], video[1, :-1], atol=1e-2)
    still = moved(torch.from_numpy(video), torch.zeros(2, 2)).numpy()
    np.testing.assert_allclose(still, video, atol=1e-2)


def test_the_mask_follows_the_gaze_the_other_way() -> None:
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:5] = True
    screen = moving_mask(mask, np.array([[2, 1]], np.float32))[0]
    # a receptive field at p of the retina has p + gaze of the screen
    expected = np.argwhere(mask) + np.array([1, 2])
    np.testing.assert_array_equal(np.argwhere(screen), expected)


def test_the_gaze_has_the_spread_that_is_asked_for() -> None:
    behaviour = np.zeros((100, 4), np.float32)
    behaviour[:, 2] = np.random.default_rng(3).normal(5, 3, 100)
    behaviour[:, 3] = np.random.default_rng(4).normal(-2, 3, 100)
    found = gaze_map([behaviour], sd_px=2.0).gaze_px(behaviour)
    assert float(np.sqrt(found.var(0).mean())) == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-3)
    assert gaze_map([np.zeros((9, 4), np.float32)], sd_px=2.0).gain == 0


def test_a_corrected_twin_predicts_from_the_screen_what_the_twin_predicts_from_the_retina(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    trial = watch(pace=4.0)
    behaviour = np.random.default_rng(5).normal(size=trial.behaviour.shape).astype(np.float32)
    gaze = gaze_map([behaviour], sd_px=1.0)
    corrected = GazeCorrectedTwin(linear_mouse.twin, gaze)
    assert isinstance(corrected, Twin)
    assert isinstance(corrected, TailTwin)
    assert (corrected.spec, corrected.temporal_stride) == (linear_mouse.twin.spec, 1)
    moving = torch.from_numpy(behaviour)[None]
    retina = torch.from_numpy(on_retina(trial.truth, gaze.gaze_px(behaviour)))[None]
    screen = torch.from_numpy(trial.truth)[None]
    close = {"atol": 1e-3, "rtol": 1e-4}
    torch.testing.assert_close(
        corrected(screen, moving), linear_mouse.twin(retina, moving), **close
    )
    torch.testing.assert_close(
        predict_tail(corrected, screen, moving, frames=4),
        predict_tail(linear_mouse.twin, retina, moving, frames=4),
        **close,
    )


def test_twins_of_the_studies_stay_on_their_device(linear_mouse: FittedTwin, watch: Watch) -> None:
    """Tensors of the meta device have no values: they raise where they meet one of the host."""
    meta, trial, twin = torch.device("meta"), watch(), linear_mouse.twin
    assert isinstance(twin, Linear)
    elsewhere = replace(linear_mouse, twin=deepcopy(twin).to(meta))
    worse = perturbed(elsewhere, relative_sd=0.1, seed=0).twin
    corrected = GazeCorrectedTwin(worse, gaze_map([trial.behaviour + 1], sd_px=1.0))
    video, behaviour = (
        torch.from_numpy(array)[None].to(meta) for array in (trial.truth, trial.behaviour)
    )
    assert corrected(video.requires_grad_(), behaviour).device == meta
