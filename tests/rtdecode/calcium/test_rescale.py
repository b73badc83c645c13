"""Activity takes the statistics of the twin's training data."""

import numpy as np
import pytest

from rtdecode.calcium.calibration import Calibration, Rescaler
from rtdecode.schema.config.calcium import Rescale

EVERYWHERE = np.ones(3, bool)


def statistics(activity: np.ndarray) -> Calibration:
    """Calibration of (sample, neuron) activity; the rest is plain."""
    plain = np.ones(activity.shape[1], np.float32)
    return Calibration(
        reference_counts=np.zeros((2, 2), np.float32),
        scan_rate_hz=30.0,
        baseline_counts=plain,
        neuropil_counts=plain,
        noise=plain,
        decay_tau_s=plain,
        activity_quantiles=np.quantile(activity, np.linspace(0, 1, 33), axis=0).T.astype("f4"),
        activity_mean=activity.mean(0).astype("f4"),
        activity_sd=activity.std(0).astype("f4"),
    )


RNG = np.random.default_rng(0)
FOUND = RNG.gamma(0.5, [1.0, 3.0, 0.2], (4000, 3)).astype(np.float32)
WANTED = RNG.gamma(1.5, [2.0, 1.0, 5.0], (4000, 3)).astype(np.float32)


def test_identity_leaves_activity_alone() -> None:
    rescaler = Rescaler(Rescale.IDENTITY, measured=statistics(FOUND))
    np.testing.assert_array_equal(rescaler.rescaled(FOUND[0], EVERYWHERE), FOUND[0])


def test_moments_give_the_target_standard_deviation_and_keep_zero() -> None:
    for target, sd in ((None, [1, 1, 1]), (statistics(WANTED), WANTED.std(0))):
        rescaler = Rescaler(Rescale.MOMENT, measured=statistics(FOUND), target=target)
        mapped = np.array([rescaler.rescaled(row, EVERYWHERE) for row in FOUND])
        np.testing.assert_allclose(mapped.std(0), sd, rtol=0.01)
        assert not rescaler.rescaled(np.zeros(3, np.float32), EVERYWHERE).any()


def test_quantiles_give_the_target_distribution_and_continue_beyond_it() -> None:
    found = statistics(FOUND)
    rescaler = Rescaler(Rescale.QUANTILE, measured=found, target=statistics(WANTED))
    mapped = np.array([rescaler.rescaled(row, EVERYWHERE) for row in FOUND])
    for part in (0.25, 0.5, 0.9):
        target = np.quantile(WANTED, part, axis=0)
        np.testing.assert_allclose(np.quantile(mapped, part, axis=0), target, rtol=0.05)
    top = found.activity_quantiles[:, -1]
    twice = rescaler.rescaled(2 * top, EVERYWHERE)
    np.testing.assert_allclose(twice, 2 * WANTED.max(0), rtol=1e-4)


@pytest.mark.parametrize("kind", list(Rescale))
@pytest.mark.parametrize("drift_scans", [None, 20.0])
def test_the_future_changes_nothing_in_the_past(kind: Rescale, drift_scans: float | None) -> None:
    def mapped(activity: np.ndarray) -> np.ndarray:
        rescaler = Rescaler(kind, measured=statistics(FOUND), drift_scans=drift_scans)
        return np.array([rescaler.rescaled(row, EVERYWHERE) for row in activity])

    other = np.concatenate([FOUND[:40], 5 * FOUND[40:60]])
    np.testing.assert_array_equal(mapped(FOUND[:60])[:40], mapped(other)[:40])


@pytest.mark.parametrize(("followed_scans", "later"), [(None, 2.0), (300, 4.0)])
def test_drift_is_corrected_until_the_correction_is_frozen(
    followed_scans: float | None, later: float
) -> None:
    found = statistics(np.full((10, 3), 2.0, np.float32))
    rescaler = Rescaler(
        Rescale.IDENTITY, measured=found, drift_scans=20.0, followed_scans=followed_scans
    )
    faded = np.full(3, 1.5, np.float32)
    for _ in range(300):
        steady = rescaler.rescaled(faded, np.array([True, True, False]))
    np.testing.assert_allclose(steady, [2.0, 2.0, 1.5], rtol=0.01)
    for _ in range(300):
        steady = rescaler.rescaled(2 * faded, EVERYWHERE)
    assert steady[0] == pytest.approx(later, rel=0.01)
