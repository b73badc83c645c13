"""Activity behind fluorescence, online: pools of first-order decay, read at a fixed lag."""

import math

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled


class EventDetector:
    """Jumps of dF/F over what decay has left of the sample before, where they exceed the noise.

    Parameters
    ----------
    decay_scans
        (neuron,) time in scans for a transient to fall to 1/e.
    threshold
        (neuron,) dF/F that a jump must exceed; smaller ones give 0, larger ones their size.
    """

    def __init__(self, decay_scans: NDArray[np.float32], *, threshold: NDArray[np.float32]) -> None:
        self._log_kept = -1.0 / decay_scans
        self._threshold = threshold
        # before its first sample nobody knows whether a neuron has just jumped
        self._dff = np.full(len(decay_scans), np.nan, np.float32)
        self._dff_at = np.zeros(len(decay_scans), np.int64)
        self._events: dict[int, NDArray[np.float32]] = {}

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Take (neuron,) dF/F of scan number `scan`, which must grow from call to call."""
        left = np.exp(self._log_kept * (scan - self._dff_at))
        jump = dff - self._dff * left
        event = np.where(measured & (jump > self._threshold), jump, 0)
        self._events[scan] = event.astype(np.float32)
        self._dff = np.where(measured, dff, self._dff)
        self._dff_at[measured] = scan

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) events of `scan` as dF/F jumps; each scan once."""
        return self._events.pop(scan)


class DffReader:
    """dF/F itself; without unit, and below 0 where a neuron is darker than its baseline."""

    def __init__(self) -> None:
        self._dff: dict[int, NDArray[np.float32]] = {}

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Take (neuron,) dF/F of scan number `scan`."""
        self._dff[scan] = np.where(measured, dff, 0).astype(np.float32)

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) dF/F of `scan`; each scan once."""
        return self._dff.pop(scan)


def event_threshold(
    noise: NDArray[np.float32], decay_scans: NDArray[np.float32], *, noise_sd: float
) -> NDArray[np.float32]:
    """(neuron,) dF/F that noise alone exceeds only beyond `noise_sd` standard deviations.

    A jump is one sample less a share exp(-1 / decay) of the one before, so its noise is
    sqrt(1 + share²) that of one.
    """
    share = np.exp(-1.0 / decay_scans)
    threshold: NDArray[np.float32] = (noise_sd * noise * np.sqrt(1 + share**2)).astype(np.float32)
    return threshold


_POOLS = 24
"""Pools kept for each neuron; older ones can no longer change what is read."""
_NEVER = -1


class PoolDeconvolver:
    """Non-negative first-order deconvolution of all neurons, one scan at a time.

    Parameters
    ----------
    decay_scans
        (neuron,) time in scans for a transient to fall to 1/e.
    penalty
        (neuron,) dF/F that a sample loses before it is explained; larger is sparser.
    rise_scans
        Time in scans of the indicator's rise; 0 for a first-order model.

    Notes
    -----
    The model is c[t] = g c[t-1] + s[t], s >= 0, y = c + noise. With a rise it is of second order
    with the roots g and r: y[t] - r y[t-1], over 1 - r, is of first order again, at the price of
    some noise, so the same pools serve. Adjacent pools whose values break
    s >= 0 are merged (OASIS; Friedrich, Zhou & Paninski 2017, PLoS Comput. Biol.). Pools carry
    the scan number at which they begin, so a missing scan only lengthens the decay between two
    samples. What is read at a lag is the calcium that is then known, less what the activity
    read before explains of it; so nothing that later scans add to a transient is lost.
    """

    def __init__(
        self,
        decay_scans: NDArray[np.float32],
        *,
        penalty: NDArray[np.float32],
        rise_scans: float = 0.0,
    ) -> None:
        count = len(decay_scans)
        self._log_kept = (-1.0 / decay_scans).astype(np.float64)
        self._penalty = (penalty * (1 - np.exp(self._log_kept))).astype(np.float64)
        self._risen = math.exp(-1 / rise_scans) if rise_scans > 0 else 0.0
        self._dff = np.zeros(count)
        self._dff_at = np.full(count, _NEVER, np.int64)
        self._value = np.zeros((count, _POOLS))
        self._weight = np.zeros((count, _POOLS))
        self._start = np.zeros((count, _POOLS), np.int64)
        self._held = np.zeros(count, np.int64)
        self._read = np.zeros(count)
        self._read_at = np.zeros(count, np.int64)

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Take (neuron,) dF/F of scan number `scan`, which must grow from call to call."""
        _absorb(
            dff,
            measured,
            scan,
            self._risen,
            self._dff,
            self._dff_at,
            self._log_kept,
            self._penalty,
            self._value,
            self._weight,
            self._start,
            self._held,
        )

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) activity of `scan` as dF/F jumps, at least 0, as all absorbed scans tell it."""
        activity = np.zeros(len(self._held), np.float32)
        _read(
            scan,
            self._log_kept,
            self._value,
            self._start,
            self._held,
            self._read,
            self._read_at,
            activity,
        )
        return activity


@compiled
def _absorb(  # noqa: PLR0917 - compiled loops take no keywords
    dff: NDArray[np.float32],
    measured: NDArray[np.bool_],
    scan: int,
    risen: float,
    dff_before: NDArray[np.float64],
    dff_at: NDArray[np.int64],
    log_kept: NDArray[np.float64],
    penalty: NDArray[np.float64],
    value: NDArray[np.float64],
    weight: NDArray[np.float64],
    start: NDArray[np.int64],
    held: NDArray[np.int64],
) -> None:
    most = value.shape[1]
    for i in range(len(dff)):
        if not measured[i]:
            continue
        top = held[i]
        if top == most:
            for k in range(most - 1):
                value[i, k], weight[i, k] = value[i, k + 1], weight[i, k + 1]
                start[i, k] = start[i, k + 1]
            top -= 1
        left = risen ** min(scan - dff_at[i], 64) if dff_at[i] >= 0 else 0.0
        slow = (dff[i] - left * dff_before[i]) / (1 - left)
        dff_before[i], dff_at[i] = dff[i], scan
        new_value, new_weight, new_start = slow - penalty[i], 1.0, scan
        while top > 0:
            kept = np.exp(log_kept[i] * (new_start - start[i, top - 1]))
            if new_value >= kept * max(value[i, top - 1], 0.0):
                break
            total = weight[i, top - 1] + kept * kept * new_weight
            new_value = (
                weight[i, top - 1] * value[i, top - 1] + kept * new_weight * new_value
            ) / total
            new_weight, new_start = total, start[i, top - 1]
            top -= 1
        value[i, top], weight[i, top], start[i, top] = new_value, new_weight, new_start
        held[i] = top + 1


@compiled
def _read(  # noqa: PLR0917 - compiled loops take no keywords
    scan: int,
    log_kept: NDArray[np.float64],
    value: NDArray[np.float64],
    start: NDArray[np.int64],
    held: NDArray[np.int64],
    read: NDArray[np.float64],
    read_at: NDArray[np.int64],
    activity: NDArray[np.float32],
) -> None:
    for i in range(len(held)):
        place = held[i] - 1
        while place >= 0 and start[i, place] > scan:
            place -= 1
        now = 0.0
        if place >= 0:
            now = max(0.0, value[i, place]) * np.exp(log_kept[i] * (scan - start[i, place]))
        before = read[i] * np.exp(log_kept[i] * (scan - read_at[i]))
        activity[i] = max(0.0, now - before)
        read[i] = before + activity[i]
        read_at[i] = scan
