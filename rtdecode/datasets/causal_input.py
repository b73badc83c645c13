"""Causal activity from the raw fluorescence of a recorded session, for `--input traces`.

Published responses were deconvolved over the whole recording, which a live system cannot do. Here
each scan of dF/F passes through the deconvolution and resampling of the live chain. The last scans
of a trial, which the fixed lag of the deconvolution leaves unfinished, give no activity.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.kinetics import KineticsPrior, kinetics
from rtdecode.calcium.resample import Resampler, ScanActivity
from rtdecode.datasets.video_session import TRAIN, Traces, VideoSession
from rtdecode.schema.config.calcium import CalciumConfig

F32 = NDArray[np.float32]

_CALIBRATION_TRIALS = 12
_NS_PER_S = 1_000_000_000


class CausalInput:
    """Causal activity of the trials of a session, in the units of its responses.

    Decay, noise and scale of each neuron are estimated on the first training trials, as a live
    system calibrates before a run; the decoded trial itself contributes nothing.

    Parameters
    ----------
    data
        A session with raw traces; `MissingFileError` if it has none.
    config
        The calcium chain; its defaults if None.
    """

    def __init__(self, data: VideoSession, config: CalciumConfig | None = None) -> None:
        self._data = data
        self._config = config or CalciumConfig()
        first = data.traces(data.trials(TRAIN)[0])
        self._period_s = float(np.median(np.diff(first.t_s)))

    def responses(self, number: int) -> tuple[F32, NDArray[np.bool_]]:
        """(frame, neuron) activity of a trial, and a mask that is False without measurement."""
        activity, valid = self._unscaled(number)
        return activity * self._gain, valid

    def _unscaled(self, number: int) -> tuple[F32, NDArray[np.bool_]]:
        traces = self._data.traces(number)
        frames = self._data.frames(number)
        activity = np.zeros((frames, self._data.neurons), np.float32)
        valid = np.zeros(activity.shape, np.bool_)
        phase = (traces.phase_s / self._period_s).astype(np.float32)
        resampler = Resampler(phase, frame_rate_hz=self._data.frame_rate_hz)
        for scan in self._scans(traces):
            for frame, value, seen in resampler.frames(scan):
                if 0 <= frame < frames:
                    activity[frame], valid[frame] = value, seen
        return activity, valid

    def _scans(self, traces: Traces) -> Iterator[ScanActivity]:
        """Activity of each scan, once the deconvolution has finished it."""
        estimator = ActivityEstimator(self._config, calibration=self._calibration)
        seen = np.ones(self._data.neurons, np.bool_)
        for scan, dff in enumerate(traces.dff):
            start_ns, end_ns = self._span_ns(traces, scan)
            yield from estimator.activities(
                np.ascontiguousarray(dff), seen, scan=scan, t_start_ns=start_ns, t_end_ns=end_ns
            )

    def _span_ns(self, traces: Traces, scan: int) -> tuple[int, int]:
        start_s = float(traces.t_s[scan])
        return round(start_s * _NS_PER_S), round((start_s + self._period_s) * _NS_PER_S)

    @cached_property
    def _calibration(self) -> Calibration:
        """Kinetics and noise of each neuron; as traces are dF/F, the other fields are unused."""
        trials = self._data.trials(TRAIN)[:_CALIBRATION_TRIALS]
        dff = np.concatenate([self._data.traces(number).dff for number in trials])
        rate = 1 / self._period_s
        prior = KineticsPrior(self._config.decay_tau_s, self._config.rise_tau_s)
        found = kinetics(dff, scan_rate_hz=rate, prior=prior)
        nothing = np.zeros(self._data.neurons, np.float32)
        return Calibration(
            reference_counts=np.zeros((0, 0), np.float32),
            scan_rate_hz=rate,
            baseline_counts=nothing,
            neuropil_counts=nothing,
            noise=found.noise,
            decay_tau_s=found.decay_tau_s,
            rise_tau_s=found.rise_tau_s,
            activity_quantiles=nothing[:, None],
            activity_mean=nothing,
            activity_sd=nothing,
        )

    @cached_property
    def _gain(self) -> F32:
        """(neuron,) mean response divided by mean causal activity, on the calibration trials."""
        published, found = np.zeros(self._data.neurons), np.zeros(self._data.neurons)
        for number in self._data.trials(TRAIN)[:_CALIBRATION_TRIALS]:
            activity, valid = self._unscaled(number)
            responses = self._data.segment(number).responses
            published += (responses * valid).sum(0)
            found += activity.sum(0)
        return (published / np.maximum(found, 1e-9)).astype(np.float32)
