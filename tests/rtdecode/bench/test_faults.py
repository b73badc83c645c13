"""Faults change what they name and nothing else, and are the same each time."""

import numpy as np
import pytest

from rtdecode.bench.faults import Fault, with_scan_artefacts, with_stuck_neurons, without_fault
from rtdecode.offline.trial import Trial


@pytest.fixture
def trial() -> Trial:
    activity = np.random.default_rng(0).exponential(size=(300, 200)).astype(np.float32)
    nothing = np.zeros((300, 1), np.float32)
    return Trial(
        4, activity, np.ones(activity.shape, np.bool_), nothing, nothing, frame_rate_hz=30.0
    )


def test_one_neuron_in_a_hundred_is_stuck(trial: Trial) -> None:
    stuck = with_stuck_neurons(trial).responses
    changed = (stuck != trial.responses).any(0)
    assert changed.sum() == 2
    assert (stuck[:, changed] == 1e4).all()


def test_one_scan_in_twenty_is_twenty_times_as_large(trial: Trial) -> None:
    factor = with_scan_artefacts(trial).responses / trial.responses
    np.testing.assert_allclose(factor, factor[:, :1].repeat(200, 1), rtol=1e-5)
    assert factor.min() == pytest.approx(1)
    assert 15 < factor.max() < 20.01
    assert 0.05 < (factor[:, 0] > 2).mean() < 0.11


@pytest.mark.parametrize("fault", [without_fault, with_stuck_neurons, with_scan_artefacts])
def test_it_is_the_same_each_time_and_leaves_the_trial_as_it_was(
    trial: Trial, fault: Fault
) -> None:
    before = trial.responses.copy()
    np.testing.assert_array_equal(fault(trial).responses, fault(trial).responses)
    np.testing.assert_array_equal(trial.responses, before)
