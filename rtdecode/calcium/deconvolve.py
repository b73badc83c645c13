"""Online deconvolution of calcium traces at a fixed lag, for the activity estimator.

Duties: estimate spiking activity, in dF/F per scan, from dF/F of successive scans. Three estimators
share one interface (`ActivityReadout`): PoolDeconvolver (non-negative deconvolution, OASIS),
EventDetector (thresholded jumps) and DffReader (dF/F itself). They do not depend on images, ROIs,
units of the twin, or the clock; time is counted in scans.

A transient that decays by the model is one jump, in the scan in which it began:

>>> deconvolver = PoolDeconvolver(np.full(1, 10, np.float32), penalty=np.zeros(1, np.float32))
>>> trace = [0, 0, 1, np.exp(-0.1), np.exp(-0.2)]
>>> for scan, dff in enumerate(trace):
...     deconvolver.absorb(np.full(1, dff, np.float32), np.ones(1, bool), scan=scan)
>>> [round(float(deconvolver.read(scan)[0]), 3) for scan in range(5)]
[0.0, 0.0, 1.0, 0.0, 0.0]
"""

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled


class EventDetector:
    """Jumps of dF/F over the decayed previous sample, where they exceed a threshold.

    The jump is y[t] - exp(-Δt / tau) y[t - Δt], where Δt > 1 after missing scans.

    Parameters
    ----------
    decay_scans
        (neuron,) time in scans for a transient to fall to 1/e.
    threshold
        (neuron,) dF/F that a jump must exceed; smaller jumps are reported as 0.
    """

    def __init__(self, decay_scans: NDArray[np.float32], *, threshold: NDArray[np.float32]) -> None:
        self._log_decay = -1.0 / decay_scans
        self._threshold = threshold
        # NaN: without a previous sample, a jump cannot be distinguished from resting fluorescence
        self._dff = np.full(len(decay_scans), np.nan, np.float32)
        self._dff_at = np.zeros(len(decay_scans), np.int64)
        self._events: dict[int, NDArray[np.float32]] = {}

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Add (neuron,) dF/F of scan number `scan`, which must increase from call to call."""
        decay = np.exp(self._log_decay * (scan - self._dff_at))
        jump = dff - self._dff * decay
        event = np.where(measured & (jump > self._threshold), jump, 0)
        self._events[scan] = event.astype(np.float32)
        self._dff = np.where(measured, dff, self._dff)
        self._dff_at[measured] = scan

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) jumps of `scan` in dF/F; each scan can be read once."""
        return self._events.pop(scan)


class DffReader:
    """dF/F itself, a ratio; negative where the fluorescence is below its baseline."""

    def __init__(self) -> None:
        self._dff: dict[int, NDArray[np.float32]] = {}

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Add (neuron,) dF/F of scan number `scan`."""
        self._dff[scan] = np.where(measured, dff, 0).astype(np.float32)

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) dF/F of `scan`; each scan can be read once."""
        return self._dff.pop(scan)


def event_threshold(
    noise: NDArray[np.float32], decay_scans: NDArray[np.float32], *, noise_sd: float
) -> NDArray[np.float32]:
    """(neuron,) threshold in dF/F at `noise_sd` standard deviations of the noise of a jump.

    The jump y[t] - g y[t-1] with g = exp(-1 / decay) has the standard deviation
    sqrt(1 + g²) · noise, where `noise`, (neuron,), is that of one sample of dF/F.
    """
    g = np.exp(-1.0 / decay_scans)
    threshold: NDArray[np.float32] = (noise_sd * noise * np.sqrt(1 + g**2)).astype(np.float32)
    return threshold


_POOLS = 24
"""Number of pools kept for each neuron; older ones no longer change the activity that is read."""
_NEVER = -1


class PoolDeconvolver:
    """Non-negative deconvolution of all neurons with an autoregressive model, scan by scan (OASIS).

    Parameters
    ----------
    decay_scans
        (neuron,) decay time constant in scans (time for a transient to fall to 1/e).
    penalty
        (neuron,) L1 penalty λ of the activity, in dF/F; larger is sparser.
    rise_scans
        (neuron,) rise time constant of the indicator in scans; None, or 0, for a first-order model.

    Notes
    -----
    The model is y[t] = c[t] + noise with calcium c[t] = g c[t-1] + s[t], s ≥ 0 and g =
    exp(-1 / decay). OASIS (Friedrich, Zhou & Paninski 2017, PLoS Comput. Biol.) minimises

        ½ Σ (y[t] - c[t])² + λ Σ s[t]     subject to s[t] = c[t] - g c[t-1] ≥ 0

    by merging adjacent pools, within which c decays without activity. The penalty is subtracted
    from the samples as λ (1 - g). A pool has a value v, a weight w and a start t; where the next
    pool violates s ≥ 0, v' < h v with h = g^(t' - t), both become one:

        w ← w + h² w',     v ← (w v + h w' v') / (w + h² w').

    Pools store the scan number of their start, so a missing scan only lengthens the decay between
    two samples. A rise makes the model second-order, with the roots g and r = exp(-1 / rise).
    (y[t] - r y[t-1]) / (1 - r) is then first-order again, with more noise, and is deconvolved.

    Activity is read at a fixed lag L: ŝ[t] = max(0, c[t | t + L] - ĉ[t]), where c[t | t + L] is the
    estimate from all samples so far and ĉ[t] the calcium that the activity read before explains.
    A transient that later samples reveal to be larger is therefore completed in later scans.
    """

    def __init__(
        self,
        decay_scans: NDArray[np.float32],
        *,
        penalty: NDArray[np.float32],
        rise_scans: NDArray[np.float32] | None = None,
    ) -> None:
        count = len(decay_scans)
        self._log_decay = (-1.0 / decay_scans).astype(np.float64)
        self._penalty = (penalty * (1 - np.exp(self._log_decay))).astype(np.float64)
        self._rise = np.zeros(count) if rise_scans is None else _kept(rise_scans)
        self._dff = np.zeros(count)
        self._dff_at = np.full(count, _NEVER, np.int64)
        self._value = np.zeros((count, _POOLS))
        self._weight = np.zeros((count, _POOLS))
        self._start = np.zeros((count, _POOLS), np.int64)
        self._held = np.zeros(count, np.int64)
        self._read = np.zeros(count)
        self._read_at = np.zeros(count, np.int64)

    def absorb(self, dff: NDArray[np.float32], measured: NDArray[np.bool_], *, scan: int) -> None:
        """Add (neuron,) dF/F of scan number `scan`, which must increase from call to call."""
        _absorb(
            dff,
            measured,
            scan,
            self._rise,
            self._dff,
            self._dff_at,
            self._log_decay,
            self._penalty,
            self._value,
            self._weight,
            self._start,
            self._held,
        )

    def read(self, scan: int) -> NDArray[np.float32]:
        """(neuron,) activity of `scan` in dF/F, at least 0, given all absorbed scans."""
        activity = np.zeros(len(self._held), np.float32)
        _read(
            scan,
            self._log_decay,
            self._value,
            self._start,
            self._held,
            self._read,
            self._read_at,
            activity,
        )
        return activity


def _kept(tau_scans: NDArray[np.float32]) -> NDArray[np.float64]:
    """(neuron,) factor exp(-1 / tau) of one scan; 0 for a time constant of 0."""
    positive = tau_scans > 0
    kept = np.exp(-1.0 / np.where(positive, tau_scans, 1.0))
    return np.where(positive, kept, 0.0).astype(np.float64)


@compiled
def _absorb(  # noqa: PLR0917 - compiled loops take no keywords
    dff: NDArray[np.float32],
    measured: NDArray[np.bool_],
    scan: int,
    rise: NDArray[np.float64],
    dff_before: NDArray[np.float64],
    dff_at: NDArray[np.int64],
    log_decay: NDArray[np.float64],
    penalty: NDArray[np.float64],
    value: NDArray[np.float64],
    weight: NDArray[np.float64],
    start: NDArray[np.int64],
    held: NDArray[np.int64],
) -> None:
    pools = value.shape[1]
    for i in range(len(dff)):
        if not measured[i]:
            continue
        top = held[i]
        if top == pools:
            for k in range(pools - 1):
                value[i, k], weight[i, k] = value[i, k + 1], weight[i, k + 1]
                start[i, k] = start[i, k + 1]
            top -= 1
        risen = rise[i] if dff_at[i] >= 0 else 0.0
        if risen > 0 and scan - dff_at[i] > 1:
            risen = rise[i] ** min(scan - dff_at[i], 64)
        # (y[t] - r y[t-1]) / (1 - r): the rise deconvolved
        slow = (dff[i] - risen * dff_before[i]) / (1 - risen)
        dff_before[i], dff_at[i] = dff[i], scan
        new_value, new_weight, new_start = slow - penalty[i], 1.0, scan
        while top > 0:
            # h = g^(t' - t); the pools are merged where v' < h v
            decay = np.exp(log_decay[i] * (new_start - start[i, top - 1]))
            if new_value >= decay * max(value[i, top - 1], 0.0):
                break
            total = weight[i, top - 1] + decay * decay * new_weight
            new_value = (
                weight[i, top - 1] * value[i, top - 1] + decay * new_weight * new_value
            ) / total
            new_weight, new_start = total, start[i, top - 1]
            top -= 1
        value[i, top], weight[i, top], start[i, top] = new_value, new_weight, new_start
        held[i] = top + 1


@compiled
def _read(  # noqa: PLR0917 - compiled loops take no keywords
    scan: int,
    log_decay: NDArray[np.float64],
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
            now = max(0.0, value[i, place]) * np.exp(log_decay[i] * (scan - start[i, place]))
        # calcium that the activity read so far explains
        before = read[i] * np.exp(log_decay[i] * (scan - read_at[i]))
        activity[i] = max(0.0, now - before)
        read[i] = before + activity[i]
        read_at[i] = scan
