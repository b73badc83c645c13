"""One scan to the counts of all neurons: register, move, extract, rings, demix."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.demix import Demixer
from rtdecode.calcium.extract import Extractor, Mover, neuropil_rings
from rtdecode.calcium.field_check import FieldGuard
from rtdecode.calcium.register import Registrar, Shift
from rtdecode.calcium.rois import Rois
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import ScanShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What one scan says of each neuron, all (neuron,)."""

    f_counts: NDArray[np.float32]
    neuropil_counts: NDArray[np.float32]
    corrected_counts: NDArray[np.float32]
    """`f_counts` less the neuropil's share, demixed."""
    measured: NDArray[np.bool_]
    shift: Shift


class ScanReader:
    """Reads the neurons of a field of view out of raw scans.

    Parameters
    ----------
    reference
        (row, col) counts; rois are drawn on this image.
    """

    def __init__(self, config: CalciumConfig, *, rois: Rois, reference: NDArray[Any]) -> None:
        if reference.shape != rois.shape:
            raise ScanShapeError(got=reference.shape, expected=rois.shape, what="rois")
        self.reference_counts = reference.astype(np.float32)
        self._shape = rois.shape
        self._registrar = Registrar(reference, max_shift_px=config.max_shift_px)
        self._mover = Mover(rois.shape)
        self._cells = Extractor(rois)
        self._rings = Extractor(neuropil_rings(rois, ring_px=config.neuropil_ring_px))
        self._share = np.float32(config.neuropil_weight)
        self._demixer = Demixer(rois)
        self.moved_counts = np.zeros(rois.shape, np.float32)
        """(row, col) scan read last, on the reference; the next one overwrites it."""
        self.guard = FieldGuard(config)

    def read(self, pixels: NDArray[Any]) -> Counts:
        """Counts of one scan, (row, col); raises ScanShapeError for another field of view."""
        if pixels.shape != self._shape:
            raise ScanShapeError(got=pixels.shape, expected=self._shape, what="rois")
        shift = self.guard.trusted(self._registrar.shift(pixels))
        moved, inside = self._mover.move(pixels, row_px=shift.row_px, col_px=shift.col_px)
        self.moved_counts = moved
        mean, measured = self._cells.means(moved, inside)
        neuropil, ring_measured = self._rings.means(moved, inside)
        measured &= ring_measured
        if self.guard.doubtful:
            measured[:] = False
        share = self._share * neuropil
        corrected = mean - share
        self._demixer.demix(corrected, measured)
        return Counts(corrected + share, neuropil, corrected, measured, shift)
