"""Demixing of overlapping ROIs by non-negative least squares, for the scan reader."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rtdecode.calcium.compiled import compiled
from rtdecode.calcium.rois import Rois

_SWEEPS = 8
_LEAST_OVERLAP = 0.01
"""Overlaps below 1 % of a ROI are set to 0: their effect is below the noise of one scan."""


class Demixer:
    """Fluorescence of each ROI alone, from weighted means to which overlapping ROIs contribute.

    Notes
    -----
    The image is modelled as y = Σ_j a_j c_j, with a_j the weights of ROI j times Σw / Σw². The
    weighted mean of a ROI is then its least-squares fit, m_i = a_i·y / a_i·a_i, and

        m_i = Σ_j Q_ij c_j     with  Q_ij = a_i·a_j / a_i·a_i,  Q_ii = 1.

    Coordinate descent on ½ |y - Σ_j a_j c_j|² subject to c ≥ 0 (sequential coordinate-wise NNLS;
    Franc, Hlaváč & Navara 2005) repeats, for one ROI i after the other,

        c_i ← max(0, m_i - Σ_{j≠i} Q_ij c_j),

    eight times per scan, starting from the solution of the previous scan. ROIs without overlap are
    not changed.
    """

    def __init__(self, rois: Rois) -> None:
        gram = _scaled_gram(rois)
        self._indptr = gram.indptr.astype(np.int64)
        self._others = gram.indices.astype(np.int64)
        self._overlap = gram.data.astype(np.float32)
        self._mixed = np.flatnonzero(np.diff(self._indptr) > 0).astype(np.int64)
        self._last = np.zeros(rois.count, np.float32)

    @property
    def mixed(self) -> NDArray[np.int64]:
        """Indices of the neurons that overlap with another."""
        return self._mixed

    def demix(self, counts: NDArray[np.float32], measured: NDArray[np.bool_]) -> None:
        """Replace the (neuron,) means of overlapping ROIs by their own fluorescence, in place."""
        if self._mixed.size:
            _coordinate_descent(
                counts,
                measured,
                self._mixed,
                self._indptr,
                self._others,
                self._overlap,
                self._last,
            )


def _scaled_gram(rois: Rois) -> sparse.csr_array:
    """(neuron, neuron) Q_ij = a_i·a_j / a_i·a_i, with a zero diagonal."""
    area = rois.shape[0] * rois.shape[1]
    weights = sparse.csr_array(
        (rois.weights.astype(np.float64), rois.pixels, rois.indptr), shape=(rois.count, area)
    )
    total: NDArray[np.float64] = weights.sum(1)
    square: NDArray[np.float64] = weights.multiply(weights).sum(1)
    scaled = sparse.diags_array(total / square) @ weights
    gram = sparse.csr_array(sparse.diags_array(square / total**2) @ (scaled @ scaled.T))
    gram.setdiag(0)
    gram.data[gram.data < _LEAST_OVERLAP] = 0
    gram.eliminate_zeros()
    return gram


@compiled
def _coordinate_descent(  # noqa: PLR0917 - compiled loops take no keywords
    counts: NDArray[np.float32],
    measured: NDArray[np.bool_],
    mixed: NDArray[np.int64],
    indptr: NDArray[np.int64],
    others: NDArray[np.int64],
    overlap: NDArray[np.float32],
    last: NDArray[np.float32],
) -> None:
    for _ in range(_SWEEPS):
        for i in mixed:
            if measured[i]:
                residual = counts[i]
                for k in range(indptr[i], indptr[i + 1]):
                    residual -= overlap[k] * last[others[k]]
                last[i] = max(residual, np.float32(0))
    for i in mixed:
        counts[i] = last[i]
