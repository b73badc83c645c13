"""Conversion of activity in dF/F per second to twin units, for the activity estimator."""

import math

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.schema.config.calcium import Rescale

_SMALLEST_SD = 1e-6
_WIDEST_DRIFT = 2.0
"""Largest factor of the drift correction; larger changes indicate another field of view."""


class Rescaler:
    """Maps each neuron's activity to the statistics of the twin's training data.

    Parameters
    ----------
    kind
        IDENTITY leaves activity unchanged; MOMENT scales it to the target's standard deviation, x
        sd_target / sd_measured; QUANTILE maps its quantiles to those of the target.
    measured
        Activity statistics of this field of view, from its calibration.
    target
        Statistics of the twin's training data; None for a standard deviation of 1.
    drift_scans
        Time constant in scans of the drift correction: activity is multiplied by the calibrated
        mean over an exponential moving average, bounded to a factor of 2. None for no correction.
    followed_scans
        Number of scans after which the correction is frozen; None for never.
    """

    def __init__(
        self,
        kind: Rescale,
        *,
        measured: Calibration,
        target: Calibration | None = None,
        drift_scans: float | None = None,
        followed_scans: float | None = None,
    ) -> None:
        self._kind = kind
        sd = np.maximum(measured.activity_sd, _SMALLEST_SD)
        self._gain = np.ones(measured.count, np.float32) if target is None else target.activity_sd
        if kind is Rescale.IDENTITY:
            self._gain = np.ones(measured.count, np.float32)
        else:
            self._gain = (self._gain / sd).astype(np.float32)
        self._from = measured.activity_quantiles
        self._to = (
            measured.activity_quantiles / sd[:, None]
            if target is None
            else target.activity_quantiles
        ).astype(np.float32)
        self._expected = np.maximum(measured.activity_mean, _SMALLEST_SD)
        self._mean = self._expected.copy()
        self._rate = 0.0 if drift_scans is None else 1 - math.exp(-1 / drift_scans)
        self._scans_to_follow = 0.0
        if drift_scans is not None:
            self._scans_to_follow = math.inf if followed_scans is None else followed_scans

    def rescaled(
        self, activity: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(neuron,) activity in twin units; at least 0 for QUANTILE."""
        if self._scans_to_follow > 0:
            self._scans_to_follow -= 1
            change = np.float32(self._rate) * (activity - self._mean)
            self._mean = np.where(measured, self._mean + change, self._mean)
        # gain that restores the calibrated mean
        drift = np.clip(self._expected / self._mean, 1 / _WIDEST_DRIFT, _WIDEST_DRIFT)
        steady = (activity * drift).astype(np.float32)
        if self._kind is Rescale.QUANTILE:
            return _through_quantiles(steady, self._from, self._to)
        return (steady * self._gain).astype(np.float32)


def _through_quantiles(
    activity: NDArray[np.float32], source: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(neuron,) piecewise linear map of each neuron's quantiles, proportional beyond the last."""
    count, steps = source.shape
    place = np.clip((source <= activity[:, None]).sum(1) - 1, 0, steps - 2)
    rows = np.arange(count)
    low, high = source[rows, place], source[rows, place + 1]
    part = np.where(high > low, (activity - low) / np.maximum(high - low, _SMALLEST_SD), 0)
    inner = target[rows, place] + np.clip(part, 0, 1) * (
        target[rows, place + 1] - target[rows, place]
    )
    top, top_target = np.maximum(source[:, -1], _SMALLEST_SD), target[:, -1]
    # calibration is short: larger transients follow, and must not be clipped
    beyond = activity > source[:, -1]
    mapped = np.where(beyond, top_target * activity / top, inner)
    return np.maximum(mapped, 0).astype(np.float32)
