"""The scatter of activity is a factor model, and its likelihood the normal one of SciPy."""

import numpy as np
import torch
from scipy.stats import multivariate_normal

from rtdecode.offline.stills.likelihood import fit_activity_model, logged

TRIALS, NEURONS = 4000, 12
FLOOR = 0.03


def recorded() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, what was observed on the logarithmic scale, and the direction of shared gain."""
    rng = np.random.default_rng(0)
    predicted = rng.gamma(2, 0.5, (TRIALS, NEURONS)).astype(np.float32)
    shared = np.linspace(0.2, 1, NEURONS)
    scatter = rng.normal(size=(TRIALS, 1)) * shared + 0.5 * rng.normal(size=(TRIALS, NEURONS))
    observed = 1.5 + 0.4 * np.log(predicted + FLOOR) + scatter
    return predicted, observed.astype(np.float32), shared


def test_offset_and_slope_of_simulated_activity_are_recovered() -> None:
    predicted, observed, _ = recorded()
    scatter = fit_activity_model(predicted, observed)
    np.testing.assert_allclose(scatter.slope, 0.4, atol=0.05)
    np.testing.assert_allclose(scatter.offset, 1.5, atol=0.08)


def test_shared_gain_is_its_first_factor() -> None:
    predicted, observed, shared = recorded()
    scatter = fit_activity_model(predicted, observed, factors=1)
    expected = shared / np.sqrt(shared**2 + 0.25)
    direction = scatter.shared[:, 0].numpy()
    assert abs(direction @ expected) / np.linalg.norm(expected) > 0.99


def test_the_likelihood_differs_as_the_normal_log_likelihood_does() -> None:
    predicted, observed, _ = recorded()
    scatter = fit_activity_model(predicted, observed, factors=3)
    shared = scatter.shared.double().numpy()
    variance = scatter.shared_variance.double().numpy()
    scaled = scatter.rest_variance * (np.eye(NEURONS) - shared @ shared.T)
    scaled += shared @ np.diag(variance) @ shared.T
    sd = scatter.sd.double().numpy()
    line = scatter.offset.numpy() + scatter.slope.numpy() * np.log(predicted[:2] + FLOOR)
    normal = multivariate_normal(cov=sd[:, None] * scaled * sd)
    expected = normal.logpdf(observed[0] - line[0]) - normal.logpdf(observed[1] - line[1])
    one, other = (
        float(
            scatter.neg_log_likelihood(
                torch.from_numpy(predicted[k]), torch.from_numpy(observed[k])
            )
        )
        for k in (slice(0, 1), slice(1, 2))
    )
    np.testing.assert_allclose(other - one, expected, rtol=1e-3)


def test_few_trials_get_few_factors() -> None:
    predicted, observed, _ = recorded()
    assert fit_activity_model(predicted[:8], observed[:8]).shared.shape == (NEURONS, 2)


def test_silence_stays_silence_on_the_logarithmic_scale() -> None:
    np.testing.assert_allclose(logged(np.array([0, 1], np.float32)), [0, np.log(4)], rtol=1e-6)
