"""Activity in dF/F per second to the units that the twin was trained in."""

import math

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.schema.config.calcium import Rescale

_SMALLEST_SD = 1e-6
_WIDEST_DRIFT = 2.0
"""Drift is followed at most by this factor; more is another field of view, not drift."""


class Rescaler:
    """Maps each neuron's activity so that its statistics are those that the twin knows.

    Parameters
    ----------
    found
        Statistics of this chain's activity, from the calibration run.
    wanted
        Statistics of the twin's training data; None stands for a standard deviation of 1.
    drift_scans
        Time in scans over which a slow change of a neuron's mean is taken back; None for never.
    followed_scans
        After so many scans the correction stays as it is; None follows drift to the end.
    """

    def __init__(
        self,
        kind: Rescale,
        *,
        found: Calibration,
        wanted: Calibration | None = None,
        drift_scans: float | None = None,
        followed_scans: float | None = None,
    ) -> None:
        self._kind = kind
        sd = np.maximum(found.activity_sd, _SMALLEST_SD)
        self._gain = np.ones(found.count, np.float32) if wanted is None else wanted.activity_sd
        if kind is Rescale.IDENTITY:
            self._gain = np.ones(found.count, np.float32)
        else:
            self._gain = (self._gain / sd).astype(np.float32)
        self._from = found.activity_quantiles
        self._to = (
            found.activity_quantiles / sd[:, None] if wanted is None else wanted.activity_quantiles
        ).astype(np.float32)
        self._expected = np.maximum(found.activity_mean, _SMALLEST_SD)
        self._mean = self._expected.copy()
        self._pace = 0.0 if drift_scans is None else 1 - math.exp(-1 / drift_scans)
        self._to_follow = 0.0
        if drift_scans is not None:
            self._to_follow = math.inf if followed_scans is None else followed_scans

    def rescaled(
        self, activity: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(neuron,) activity in twin units; `quantile` gives nothing below 0."""
        if self._to_follow > 0:
            self._to_follow -= 1
            step = np.float32(self._pace) * (activity - self._mean)
            self._mean = np.where(measured, self._mean + step, self._mean)
        drift = np.clip(self._expected / self._mean, 1 / _WIDEST_DRIFT, _WIDEST_DRIFT)
        steady = (activity * drift).astype(np.float32)
        if self._kind is Rescale.QUANTILE:
            return _through_quantiles(steady, self._from, self._to)
        return (steady * self._gain).astype(np.float32)


def _through_quantiles(
    activity: NDArray[np.float32], source: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Piecewise linear map of each neuron's quantiles; beyond the last, in proportion."""
    count, steps = source.shape
    place = np.clip((source <= activity[:, None]).sum(1) - 1, 0, steps - 2)
    rows = np.arange(count)
    low, high = source[rows, place], source[rows, place + 1]
    part = np.where(high > low, (activity - low) / np.maximum(high - low, _SMALLEST_SD), 0)
    inner = target[rows, place] + np.clip(part, 0, 1) * (
        target[rows, place + 1] - target[rows, place]
    )
    top, top_target = np.maximum(source[:, -1], _SMALLEST_SD), target[:, -1]
    beyond = activity > source[:, -1]
    mapped = np.where(beyond, top_target * activity / top, inner)
    return np.maximum(mapped, 0).astype(np.float32)
