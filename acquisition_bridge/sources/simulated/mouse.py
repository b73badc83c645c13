"""The simulated mouse: eye, cortex, behaviour, spikes and indicator, in fixed time steps."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.behaviour import Behaviour
from acquisition_bridge.sources.simulated.cortex import Cortex, natural_scenes
from acquisition_bridge.sources.simulated.receptive_fields import (
    F32,
    ReceptiveFields,
    draw_receptive_fields,
)
from acquisition_bridge.sources.simulated.retina import Retina
from rtdecode.schema.config.acquisition import SimulatedSource

_SATURATION_SPIKES = np.float32(25.0)


class Indicator:
    """dF/F of all neurons in steps of `step_s`.

    One spike adds exp(-t/decay) - exp(-t/rise), scaled so that its peak is the neuron's `spike_dff`
    (drawn around the configured one; about 0.2 for GCaMP6f, Chen et al. 2013, Nature). With the
    calcium c of all spikes, dF/F = spike_dff · c / (1 + c / 25), a saturation at 25 spikes.
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


STEPS_HZ = 120
_STEP_S = 1 / STEPS_HZ
_CALIBRATION_FRAMES = 480
_STEPS_PER_FRAME = STEPS_HZ // 30
_NS_PER_S = 1_000_000_000
_MAX_RATE_HZ = np.float32(80.0)


class Mouse:
    """One mouse in one session.

    The mouse follows from `config` and `config.mouse_seed` alone; `run_seed` determines spikes and
    behaviour. Step k ends at `t_start_ns + (k + 1) / STEPS_HZ`.

    Attributes
    ----------
    fields
        The receptive fields, which no experiment measures directly.
    behaviour
        The animal's current state.
    rates_hz
        (neuron,) float32 firing rates in the latest step.
    """

    def __init__(
        self,
        config: SimulatedSource,
        *,
        run_seed: int,
        screen_px: tuple[int, int],
        t_start_ns: int,
        history_steps: int,
    ) -> None:
        rng = np.random.default_rng([config.mouse_seed, 0])
        spike_seed, behaviour_seed = np.random.SeedSequence([run_seed, 1]).spawn(2)
        rows_px, cols_px = screen_px
        self.fields: ReceptiveFields = draw_receptive_fields(
            rng, config.neurons, rows_px=rows_px, cols_px=cols_px
        )
        self._cortex = Cortex(rng, self.fields, step_s=_STEP_S, rate_hz=config.rate_hz)
        self._retina = Retina(self.fields, rows_px=rows_px, cols_px=cols_px)
        self._indicator = Indicator(
            rng,
            neurons=config.neurons,
            spike_dff=config.spike_dff,
            rise_tau_s=config.rise_tau_s,
            decay_tau_s=config.decay_tau_s,
            step_s=_STEP_S,
        )
        self.behaviour = Behaviour(
            rng, np.random.default_rng(behaviour_seed), neurons=config.neurons, step_s=_STEP_S
        )
        self._calibrate(rng, screen_px)
        self._spike_rng = np.random.default_rng(spike_seed)
        self._t_start_ns = t_start_ns
        self._steps = 0
        self.rates_hz = np.zeros(config.neurons, np.float32)
        at_rest = np.zeros(config.neurons, np.float32)
        self._dff: deque[F32] = deque([at_rest] * history_steps, maxlen=history_steps)

    @property
    def now_ns(self) -> int:
        """End of the latest step."""
        return self._step_end_ns(self._steps)

    @property
    def late_frames(self) -> int:
        """Number of frames shown so late that the eye received them after their time."""
        return self._retina.late_frames

    def show(self, luminance: NDArray[np.uint8], t_ns: int) -> None:
        """Show `luminance`, (row, col) grey levels, from `t_ns` on."""
        self._retina.show(luminance, t_ns)

    def advance_until(self, t_ns: int) -> None:
        """Advance to the first step that ends at or after `t_ns`."""
        while self.now_ns < t_ns:
            self._advance_step()

    def dff_at(self, t_ns: NDArray[np.int64]) -> F32:
        """(neuron,) dF/F of each neuron at its own time `t_ns`, (neuron,), within the history."""
        history = np.stack(self._dff)
        at = (t_ns - self._t_start_ns) * (STEPS_HZ / _NS_PER_S) - self._steps + len(history) - 1
        at = np.clip(at, 0, len(history) - 1)
        before = np.minimum(at.astype(np.int64), len(history) - 2)
        neuron = np.arange(at.size)
        share = (at - before).astype(np.float32)
        dff: F32 = history[before, neuron] * (1 - share) + history[before + 1, neuron] * share
        return dff

    def _advance_step(self) -> None:
        end_ns = self._step_end_ns(self._steps + 1)
        self._retina.advance_to(end_ns, step_ns=end_ns - self.now_ns)
        self.behaviour.advance()
        driven = self._cortex.rates_hz(self._retina.drive, self._retina.contrast)
        self.rates_hz = np.minimum(driven * self.behaviour.gain(), _MAX_RATE_HZ)
        # Poisson spikes of the step, with expectation rate · step
        spikes = self._spike_rng.poisson(self.rates_hz * np.float32(_STEP_S))
        self._dff.append(self._indicator.dff_after(spikes))
        self._steps += 1

    def _step_end_ns(self, steps: int) -> int:
        return self._t_start_ns + steps * _NS_PER_S // STEPS_HZ

    def _calibrate(self, rng: np.random.Generator, screen_px: tuple[int, int]) -> None:
        scenes = natural_scenes(
            rng, _CALIBRATION_FRAMES, rows_px=screen_px[0], cols_px=screen_px[1]
        )
        drives = []
        for frame in scenes:
            self._retina.project(frame)
            for _ in range(_STEPS_PER_FRAME):
                drive = self._cortex.normalised_drive(self._retina.drive, self._retina.contrast)
            drives.append(drive)
        self._cortex.calibrate(np.stack(drives))
        self._retina.project(np.full(screen_px, 110, np.uint8))
