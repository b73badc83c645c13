"""Inverting a twin of images comes nearer to them than a linear decoder does."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.stills.likelihood import logged
from rtdecode.offline.stills.map_estimate import ImageMap, image_map, predicted_for
from rtdecode.offline.stills.ridge import fit_image_ridge
from rtdecode.twins.still import Still

ROWS, COLS, NEURONS, TRIALS = 12, 16, 60, 400


def images(count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (count, ROWS, COLS))
    smooth = gaussian_filter(noise, (0, 1.5, 1.5))
    return (110 + 250 * smooth).clip(0, 255).reshape(count, -1).astype(np.float32)


def recorded(mouse: Still, shown: np.ndarray, seed: int) -> np.ndarray:
    """Activity with noise of each neuron and a gain that all share."""
    rng = np.random.default_rng(seed)
    rate = predicted_for(mouse, torch.from_numpy(shown)).numpy()
    gain = np.exp(0.3 * rng.normal(size=(len(rate), 1)) + 0.3 * rng.normal(size=rate.shape))
    return (rate * gain).astype(np.float32)


@pytest.fixture(scope="module")
def mouse(still_twin: Callable[[int], Still]) -> Still:
    return still_twin(NEURONS)


@pytest.fixture(scope="module")
def inversion(mouse: Still) -> ImageMap:
    shown = images(TRIALS, 0)
    activity = recorded(mouse, shown, 1)
    ridge = fit_image_ridge(logged(activity), shown, rng=np.random.default_rng(0))
    return image_map(mouse, ridge, images=shown, activity=activity)


def test_it_is_nearer_to_new_images_than_the_linear_decoder(
    mouse: Still, inversion: ImageMap
) -> None:
    shown = images(40, 7)
    activity = recorded(mouse, shown, 8)
    linear = pearson_r(shown, inversion.ridge.images(logged(activity)))
    found = pearson_r(shown, inversion.images(activity).reshape(len(shown), -1))
    assert found > linear + 0.01


def test_without_a_step_it_is_the_linear_decoder(mouse: Still, inversion: ImageMap) -> None:
    activity = recorded(mouse, images(3, 7), 8)
    found = inversion.images(activity, iterations=0)
    assert found.shape == (3, ROWS, COLS)
    expected = inversion.ridge.images(logged(activity)).clip(0, 255)
    np.testing.assert_allclose(found.reshape(3, -1), expected, rtol=1e-5)


def test_trials_do_not_depend_on_those_beside_them(mouse: Still, inversion: ImageMap) -> None:
    activity = recorded(mouse, images(4, 7), 8)
    together = inversion.images(activity)
    alone = np.concatenate([inversion.images(activity[k : k + 1]) for k in range(4)])
    np.testing.assert_allclose(together, alone, atol=0.5)
