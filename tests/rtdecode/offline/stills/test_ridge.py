"""The linear decoder of images is scikit-learn's ridge, with a penalty that was not fitted to."""

import numpy as np
import pytest

from rtdecode.offline.stills.ridge import PENALTIES, ImageRidge, fit_image_ridge

TRIALS, NEURONS, PIXELS = 120, 30, 12
F32 = np.ndarray


def population(noise: float = 1.0) -> tuple[F32, F32]:
    rng = np.random.default_rng(0)
    images = rng.normal(110, 30, (TRIALS, PIXELS))
    seen = images @ rng.normal(0, 0.05, (PIXELS, NEURONS))
    activity = seen + noise * rng.normal(size=seen.shape) + 3
    activity[:, 4] = 0
    return activity.astype(np.float32), images.astype(np.float32)


def fitted(activity: F32, images: F32) -> ImageRidge:
    return fit_image_ridge(activity, images, rng=np.random.default_rng(1))


def test_it_is_ridge_regression_on_scaled_activity() -> None:
    activity, images = population()
    ridge = fitted(activity, images)
    used = np.delete(activity, 4, axis=1).astype(np.float64)
    scaled = (used - used.mean(0)) / used.std(0)
    penalty = ridge.penalty * np.square(scaled).sum() / TRIALS
    gram = scaled.T @ scaled + penalty * np.eye(NEURONS - 1)
    expected = scaled @ np.linalg.solve(gram, scaled.T @ (images - images.mean(0)))
    np.testing.assert_allclose(ridge.images(activity), expected + images.mean(0), atol=0.05)


def test_the_noisier_the_activity_the_greater_the_penalty() -> None:
    clear, noisy = (fitted(*population(noise)) for noise in (0.2, 5.0))
    assert clear.penalty < noisy.penalty
    assert {clear.penalty, noisy.penalty} <= set(PENALTIES)


def test_its_error_is_that_on_images_it_was_not_fitted_to() -> None:
    activity, images = population(noise=2)
    ridge = fitted(activity, images)
    own = images - ridge.images(activity)
    assert ridge.error.shape == (TRIALS // 5, PIXELS)
    assert np.square(ridge.error).mean() > np.square(own).mean()


def test_penalties_are_reported_until_the_correlation_decreases() -> None:
    told: list[tuple[float, float]] = []
    activity, images = population()
    ridge = fit_image_ridge(
        activity, images, rng=np.random.default_rng(1), report=lambda p, r: told.append((p, r))
    )
    assert [penalty for penalty, _ in told] == list(PENALTIES[: len(told)])
    assert max(told, key=lambda one: one[1])[0] == pytest.approx(ridge.penalty)
