"""From spikes to fluorescence: a GCaMP with exponential rise and decay, slightly saturating."""

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.receptive_fields import F32

_SATURATION_SPIKES = np.float32(25.0)


class Indicator:
    """dF/F of all neurons, one step of `step_s` at a time.

    One spike raises dF/F along exp(-t/decay) - exp(-t/rise), scaled so that its peak is the
    neuron's `spike_dff` (drawn around the configured one; GCaMP6f gives about 0.2, Chen et al.
    2013, Nature); 25 spikes' worth of calcium halve what further spikes add.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        neurons: int,
        spike_dff: float,
        rise_tau_s: float,
        decay_tau_s: float,
        step_s: float,
    ) -> None:
        decay = decay_tau_s * np.exp(rng.normal(0, 0.08, neurons))
        rise = np.minimum(rise_tau_s * np.exp(rng.normal(0, 0.1, neurons)), 0.8 * decay)
        self._kept_decay = np.exp(-step_s / decay).astype(np.float32)
        self._kept_rise = np.exp(-step_s / rise).astype(np.float32)
        peak_s = np.log(decay / rise) / (1 / rise - 1 / decay)
        peak = np.exp(-peak_s / decay) - np.exp(-peak_s / rise)
        self._per_spike = (1 / peak).astype(np.float32)
        self._spike_dff = (spike_dff * np.exp(rng.normal(0, 0.3, neurons))).astype(np.float32)
        self._slow = np.zeros(neurons, np.float32)
        self._fast = np.zeros(neurons, np.float32)

    def dff_after(self, spikes: NDArray[np.int64]) -> F32:
        """Advance by one step with `spikes` (neuron,) in it; (neuron,) dF/F at its end."""
        added = self._per_spike * spikes
        self._slow = self._kept_decay * self._slow + added
        self._fast = self._kept_rise * self._fast + added
        calcium = self._slow - self._fast
        dff: F32 = self._spike_dff * calcium / (1 + calcium / _SATURATION_SPIKES)
        return dff
