"""Recognition of neurons without usable activity, for the live decoder and offline methods.

Duties: mark neurons that are stuck, saturated or constant. A detector at its limit, a ROI over a
dead pixel or a frozen stream give the same value in every scan. Such a neuron has no information
about the screen, and its misfit does not average out. This module must not depend on twin, prior or
noise model.
"""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

STUCK_SCANS = 12
"""Scans in a row with the same value, other than 0, after which a neuron is left out."""
SILENT_SCANS = 1800
"""The same for activity 0; it is longer because deconvolved activity is 0 most of the time."""
RECOVERY_SCANS = 12
"""Scans with changing activity after which a neuron that was left out is used again."""
LARGEST_SHARE = 0.2
"""If more neurons are silent, or constant at another value, at once, none of these is left out:
noise-free activity during a still image is constant as well, and a frozen stream is detected by the
calcium stage."""
_SAME = 1e-4
"""Relative difference below which two values are the same."""


class StuckNeurons:
    """Marks neurons whose activity is constant, with hysteresis.

    Example
    -------
    >>> stuck_neurons = StuckNeurons(neurons=10)
    >>> measured, activity = np.ones(10, bool), np.zeros(10, np.float32)
    >>> activity[3] = 7.0
    >>> [int(stuck_neurons.update(activity, measured).sum()) for _ in range(STUCK_SCANS)][-2:]
    [0, 1]
    """

    def __init__(self, *, neurons: int) -> None:
        self._level = np.full(neurons, np.nan, np.float32)
        self._unchanged = np.zeros(neurons, np.int64)
        self._since_stuck = np.full(neurons, RECOVERY_SCANS, np.int64)

    def update(self, activity: F32, measured: Mask) -> Mask:
        """Add one scan; return (neuron,) True for neurons that are left out from now on.

        A neuron without a measurement in this scan keeps its counts.
        """
        measured = measured & np.isfinite(activity)
        level = self._level
        with np.errstate(over="ignore"):  # the difference of huge values is infinite
            changed = measured & ~(np.abs(activity - level) <= _SAME * np.abs(level))
        self._level = np.where(changed, activity, level)
        self._unchanged = np.where(changed, 1, self._unchanged + measured)
        silent = self._level == 0
        stuck = _unless_common(silent & (self._unchanged >= SILENT_SCANS))
        stuck |= _unless_common(~silent & (self._unchanged >= STUCK_SCANS))
        later = np.minimum(self._since_stuck + measured, RECOVERY_SCANS)
        self._since_stuck = np.where(stuck, 0, later)
        return np.asarray(self._since_stuck < RECOVERY_SCANS, np.bool_)


def _unless_common(constant: Mask) -> Mask:
    """`constant`; no neuron where more than `LARGEST_SHARE` of them are constant."""
    # Silent neurons are counted apart from those at another value: in sparse recordings many are
    # silent for a minute, and one that is saturated is left out all the same.
    return np.asarray(constant & (constant.mean() <= LARGEST_SHARE), np.bool_)


def usable(activity: F32, measured: Mask) -> Mask:
    """`measured` of a whole trial, (frame, neuron), False where `StuckNeurons` leaves a neuron out.

    The scans before a neuron is recognised as stuck are left out as well, as in the horizon of the
    live decoder.
    """
    stuck_neurons = StuckNeurons(neurons=activity.shape[1])
    kept: Mask = measured & np.isfinite(activity)
    left_out = np.array(
        [stuck_neurons.update(*scan) for scan in zip(activity, measured, strict=True)]
    )
    for frame in np.flatnonzero((left_out[1:] & ~left_out[:-1]).any(1)) + 1:
        fresh = left_out[frame] & ~left_out[frame - 1]
        kept[max(0, frame - STUCK_SCANS + 1) : frame, fresh] = False
    return np.asarray(kept & ~left_out, np.bool_)
