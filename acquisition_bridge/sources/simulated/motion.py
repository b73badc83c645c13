"""How the brain moves under the objective: slow drift, and jitter that grows with running."""

import math

import numpy as np

from acquisition_bridge.sources.simulated.receptive_fields import F32

_DRIFT_TAU_S, _JITTER_TAU_S = 60.0, 0.25


class Motion:
    """Rigid displacement of the tissue, scan by scan; about `sd_px` in standard deviation."""

    def __init__(
        self, rng: np.random.Generator, *, sd_px: float, limit_px: float, period_s: float
    ) -> None:
        self._rng = rng
        self._sd_px = sd_px
        self._limit_px = limit_px
        self._drift_kept = math.exp(-period_s / _DRIFT_TAU_S)
        self._jitter_kept = math.exp(-period_s / _JITTER_TAU_S)
        self._drift = np.zeros(2)
        self._jitter = np.zeros(2)

    def next_shift_px(self, running_cm_s: float) -> F32:
        """(2,) rows and columns by which this scan's tissue lies beside its place at rest."""
        noise = self._rng.normal(size=(2, 2)) * self._sd_px
        shaking = 0.25 + 0.5 * min(1.0, running_cm_s / 20.0)
        self._drift = self._drift_kept * self._drift + _innovation(self._drift_kept) * noise[0]
        self._jitter = self._jitter_kept * self._jitter
        self._jitter += _innovation(self._jitter_kept) * shaking * noise[1]
        total = np.clip(0.8 * self._drift + self._jitter, -self._limit_px, self._limit_px)
        return total.astype(np.float32)


def _innovation(kept: float) -> float:
    return math.sqrt(1 - kept * kept)
