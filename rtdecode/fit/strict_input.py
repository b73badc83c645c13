"""Responses as an online system would have them: raw scans, deconvolved without looking ahead.

Published responses were deconvolved over the whole recording. Here each scan of dF/F goes through
the deconvolution and the resampling of the live chain, and a frame's activity counts as known
when the live chain would have said it.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.autoregression import decay_tau_s, noise_sd
from rtdecode.calcium.deconvolve import PoolDeconvolver
from rtdecode.calcium.resample import Resampler, ScanActivity
from rtdecode.fit.datasets.sensorium import TRAIN, SensoriumFolder, Traces
from rtdecode.schema.config.calcium import CalciumConfig

F32 = NDArray[np.float32]

_CALIBRATION_TRIALS = 12
_NS_PER_S = 1_000_000_000
_FRAME_RATE_HZ = 30.0


class StrictInput:
    """Turns the raw traces of a session's trials into activity in the units of its responses.

    Decay, noise and the scale of each neuron come from the first training trials, as an online
    system would calibrate before a session; nothing is learnt from the trials themselves.
    """

    def __init__(self, data: SensoriumFolder, config: CalciumConfig | None = None) -> None:
        self._data = data
        self._config = config or CalciumConfig()
        first = data.traces(data.trials(TRAIN)[0])
        self._period_s = float(np.median(np.diff(first.t_s)))

    def responses(self, number: int) -> tuple[F32, NDArray[np.bool_]]:
        """(frame, neuron) activity of a trial, and where the live chain has measured it."""
        activity, valid = self._unscaled(number)
        return activity * self._gain, valid

    @property
    def delay_frames(self) -> float:
        """Frames by which a frame's activity is known later than the frame, on average.

        The deconvolution waits for its lag, interpolation for the next scan, and a scan ends a
        period after it began.
        """
        scans = self._config.deconvolution_lag_scans + 1.5
        return scans * self._period_s * _FRAME_RATE_HZ

    def _unscaled(self, number: int) -> tuple[F32, NDArray[np.bool_]]:
        traces = self._data.traces(number)
        frames = self._data.frames(number)
        activity = np.zeros((frames, self._data.neurons), np.float32)
        valid = np.zeros(activity.shape, np.bool_)
        phase = (traces.phase_s / self._period_s).astype(np.float32)
        resampler = Resampler(phase, frame_rate_hz=_FRAME_RATE_HZ)
        for scan in self._scans(traces):
            for frame, value, seen in resampler.frames(scan):
                if 0 <= frame < frames:
                    activity[frame], valid[frame] = value, seen
        return activity, valid

    def _scans(self, traces: Traces) -> list[ScanActivity]:
        """Activity of each scan, as known `deconvolution_lag_scans` scans later."""
        tau_s, noise = self._indicator
        penalty = (self._config.sparsity * noise).astype(np.float32)
        deconvolver = PoolDeconvolver(tau_s / np.float32(self._period_s), penalty=penalty)
        seen = np.ones(self._data.neurons, np.bool_)
        done: list[ScanActivity] = []
        lag = self._config.deconvolution_lag_scans
        for scan, dff in enumerate(traces.dff):
            deconvolver.absorb(np.ascontiguousarray(dff), seen, scan=scan)
            if scan >= lag:
                start_ns, end_ns = self._span_ns(traces, scan - lag)
                value = deconvolver.read(scan - lag)
                done.append(ScanActivity(scan - lag, start_ns, end_ns, value, seen))
        return done

    def _span_ns(self, traces: Traces, scan: int) -> tuple[int, int]:
        start_s = float(traces.t_s[scan])
        return round(start_s * _NS_PER_S), round((start_s + self._period_s) * _NS_PER_S)

    @cached_property
    def _indicator(self) -> tuple[F32, F32]:
        """Decay time in s and noise in dF/F of each neuron."""
        trials = self._data.trials(TRAIN)[:_CALIBRATION_TRIALS]
        dff = np.concatenate([self._data.traces(number).dff for number in trials])
        tau_s = decay_tau_s(
            dff, scan_rate_hz=1 / self._period_s, expected_s=self._config.decay_tau_s
        )
        return tau_s, noise_sd(dff)

    @cached_property
    def _gain(self) -> F32:
        """Of each neuron, mean response over mean activity."""
        told, found = np.zeros(self._data.neurons), np.zeros(self._data.neurons)
        for number in self._data.trials(TRAIN)[:_CALIBRATION_TRIALS]:
            activity, valid = self._unscaled(number)
            responses = self._data.stretch(number).responses
            told += (responses * valid).sum(0)
            found += activity.sum(0)
        return (told / np.maximum(found, 1e-9)).astype(np.float32)
