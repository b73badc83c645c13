"""The indicator: the transient of one spike, and saturation."""

import numpy as np
import pytest

from acquisition_bridge.sources.simulated.mouse import Indicator

STEP_S = 0.001


def indicator(neurons: int = 400) -> Indicator:
    rng = np.random.default_rng(0)
    return Indicator(
        rng, neurons=neurons, spike_dff=0.2, rise_tau_s=0.03, decay_tau_s=0.4, step_s=STEP_S
    )


def transient(spikes: int, steps: int = 1500) -> np.ndarray:
    made = indicator()
    first, silent = np.full(400, spikes), np.zeros(400, np.int64)
    return np.stack([made.dff_after(first if step == 0 else silent) for step in range(steps)])


def test_one_spike_peaks_at_about_a_fifth_after_about_85_ms() -> None:
    trace = transient(1)
    # log(decay / rise) / (1 / rise - 1 / decay) = 84 ms
    assert np.median(trace.argmax(0)) == pytest.approx(84, abs=8)
    assert np.median(trace.max(0)) == pytest.approx(0.2 / (1 + 1 / 25), rel=0.1)


def test_it_falls_to_1_over_e_in_the_decay_time() -> None:
    trace = transient(1)
    np.testing.assert_allclose(np.median(trace[1000] / trace[600]), np.exp(-1), rtol=0.08)


def test_many_spikes_saturate() -> None:
    ratio = transient(25).max(0) / transient(1).max(0)
    np.testing.assert_allclose(ratio, 25 / 2 * (1 + 1 / 25), rtol=1e-3)


def test_without_spikes_there_is_no_fluorescence() -> None:
    assert (indicator().dff_after(np.zeros(400, np.int64)) == 0).all()
