"""The population as a strip: neighbouring neurons pooled into groups, each frame one column."""

import numpy as np
from numpy.typing import NDArray

_GROUPS = 96
_FORGETTING = 0.998
"""The brightest value fades by this each frame, so that one burst does not darken an hour."""
_TINY = 1e-9


class ActivityStrip:
    """Scales the activity of groups of neurons to bytes, by the greatest seen lately."""

    def __init__(self) -> None:
        self._greatest = 0.0

    def column(self, activity: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """(group,) uint8 mean activity; a group without a measured neuron is 0."""
        groups = min(_GROUPS, activity.size)
        if not groups:
            return np.zeros(0, np.uint8)
        starts = np.linspace(0, activity.size, groups, endpoint=False).astype(int)
        measured = np.add.reduceat(valid.astype(np.float64), starts)
        mean = np.add.reduceat(np.where(valid, activity, 0.0), starts) / np.maximum(measured, 1)
        self._greatest = max(self._greatest * _FORGETTING, float(mean.max()), _TINY)
        return np.asarray(255 * np.sqrt(np.clip(mean / self._greatest, 0, 1)), np.uint8)
