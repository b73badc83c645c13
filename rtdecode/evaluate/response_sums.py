"""Single-trial correlation of predicted and recorded activity, from sums that frames add to."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class NoiseVariance:
    """Variance of recorded about predicted activity f of each neuron, `slope` f + `floor`."""

    slope: F64
    """(neuron,) in twin units."""
    floor: F64
    """(neuron,) in twin units squared."""


@dataclass(frozen=True, slots=True, eq=False)
class ResponseSums:
    """Sums over frames of predicted activity p and recorded activity r, each (neuron,)."""

    n_frames: int
    """Frames in which any neuron was measured."""
    n: F64
    p: F64
    r: F64
    pp: F64
    rr: F64
    pr: F64

    @classmethod
    def of(cls, predicted: F32, recorded: F32, *, measured: NDArray[np.bool_]) -> Self:
        """Sums over the frames of (frame, neuron) activity, where it was measured."""
        p, r = (np.where(measured, x, 0.0).astype(np.float64) for x in (predicted, recorded))
        n_frames = int(measured.any(1).sum())
        return cls(n_frames, *(x.sum(0) for x in (measured * 1.0, p, r, p * p, r * r, p * r)))

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """Sums over the frames of all `parts`, of which there is at least one."""
        names = [field.name for field in fields(cls)]
        return cls(*(sum(getattr(part, name) for part in parts) for name in names))

    def pearson_r(self) -> F64:
        """(neuron,) Pearson correlation; NaN where either activity has no variance."""
        n = np.maximum(self.n, 1)
        p_variance, r_variance = self._variances()
        scale = np.sqrt(p_variance * r_variance)
        covariance = self.pr / n - self.p * self.r / n**2
        varies = scale > _TINY
        return np.where(varies, covariance / np.where(varies, scale, 1), np.nan)

    def expected_r(self, noise: NoiseVariance) -> F64:
        """(neuron,) correlation of the prediction with itself plus noise; NaN without frames.

        r = √(V / (V + N)) with the variance V of the prediction over frames, and the mean variance
        N of the noise.
        """
        variance, _ = self._variances()
        rate = np.maximum(self.p / np.maximum(self.n, 1), 0)
        r = np.sqrt(variance / (variance + noise.slope * rate + noise.floor))
        return np.where(self.n > 1, r, np.nan)

    def _variances(self) -> tuple[F64, F64]:
        n = np.maximum(self.n, 1)
        return (
            np.maximum(self.pp / n - (self.p / n) ** 2, 0),
            np.maximum(self.rr / n - (self.r / n) ** 2, 0),
        )
