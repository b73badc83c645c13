"""Takes overlapping cells apart: non-negative least squares on their Gram matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rtdecode.calcium.compiled import compiled
from rtdecode.calcium.rois import Rois

_SWEEPS = 8
_LEAST_OVERLAP = 0.01
"""A smaller share of a cell's weight that another covers changes nothing that can be measured."""


class Demixer:
    """Counts of each cell alone, from weighted means that overlapping cells share.

    A cell's mean m_i is the least-squares fit of its own mask. With overlap it is
    m_i = sum_j Q_ij c_j, where Q_ij is the product of rois i and j over the square of mask i,
    each mask scaled so that a lone cell's fit is its weighted mean. Coordinate descent with
    c >= 0, begun at the last scan's answer, solves that for c; cells without overlap are left
    as they are.
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
        """Neurons that overlap with another."""
        return self._mixed

    def demix(self, counts: NDArray[np.float32], measured: NDArray[np.bool_]) -> None:
        """Replace the shared (neuron,) counts of overlapping cells by their own, in place."""
        if self._mixed.size:
            _descend(
                counts,
                measured,
                self._mixed,
                self._indptr,
                self._others,
                self._overlap,
                self._last,
            )


def _scaled_gram(rois: Rois) -> sparse.csr_array:
    """(neuron, neuron) overlap of each mask with the others relative to itself, zero diagonal."""
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
def _descend(  # noqa: PLR0917 - compiled loops take no keywords
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
                left = counts[i]
                for k in range(indptr[i], indptr[i + 1]):
                    left -= overlap[k] * last[others[k]]
                last[i] = max(left, np.float32(0))
    for i in mixed:
        counts[i] = last[i]
