"""Activity that needs no later scan: thresholded events, and dF/F as it is."""

import numpy as np
from numpy.typing import NDArray


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
