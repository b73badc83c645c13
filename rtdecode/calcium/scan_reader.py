"""Fluorescence of all neurons in one scan, for the calcium stage: register, extract, demix."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.block_register import BlockRegistrar
from rtdecode.calcium.demix import Demixer
from rtdecode.calcium.extract import Extractor, Mover, neuropil_rings
from rtdecode.calcium.field_check import FieldGuard
from rtdecode.calcium.register import Registrar, Shift
from rtdecode.calcium.rois import Rois
from rtdecode.schema.config.calcium import CalciumConfig, Registration
from rtdecode.schema.errors import ScanShapeError


@dataclass(frozen=True, slots=True, eq=False)
class RoiSignals:
    """Fluorescence of every ROI in one scan; all arrays are (neuron,), in counts."""

    f_raw: NDArray[np.float32]
    """Demixed ROI means before neuropil correction: `f_corrected` + weight · `f_neuropil`."""
    f_neuropil: NDArray[np.float32]
    """Means of the neuropil rings."""
    f_corrected: NDArray[np.float32]
    """ROI means minus weight · `f_neuropil`, demixed."""
    measured: NDArray[np.bool_]
    """False where a neuron lies outside the scan, and everywhere in a rejected scan."""
    shift: Shift
    """Translation that registered the scan, as a whole."""


class ScanReader:
    """Extracts the fluorescence of all ROIs from raw scans of one plane.

    Neuropil is subtracted as f_corrected = f_ROI - w f_neuropil with the constant weight w =
    `config.neuropil_weight` (0.7 in Chen et al. 2013, Nature), before overlapping ROIs are demixed.

    Parameters
    ----------
    reference
        (row, col) mean image in counts on which the ROIs are drawn.

    Raises
    ------
    ScanShapeError
        If reference and ROIs have different shapes.
    ShapeError
        If the reference is too small for `config.registration`.
    """

    def __init__(self, config: CalciumConfig, *, rois: Rois, reference: NDArray[Any]) -> None:
        if reference.shape != rois.shape:
            raise ScanShapeError(got=reference.shape, expected=rois.shape, what="ROI set")
        self.reference_counts = reference.astype(np.float32)
        self._shape = rois.shape
        self._registrar = Registrar(reference, max_shift_px=config.max_shift_px)
        self._mover = Mover(rois.shape)
        self._blocks: BlockRegistrar | None = None
        if config.registration is Registration.BLOCKS:
            self._blocks = BlockRegistrar(
                reference, max_shift_px=config.max_shift_px, block_px=config.block_px
            )
        self._cells = Extractor(rois)
        self._rings = Extractor(neuropil_rings(rois, ring_px=config.neuropil_ring_px))
        self._neuropil_weight = np.float32(config.neuropil_weight)
        self._demixer = Demixer(rois)
        self.registered_counts = np.zeros(rois.shape, np.float32)
        """(row, col) the latest scan, registered onto the reference; overwritten by the next."""
        self.guard = FieldGuard(config)

    def read(self, pixels: NDArray[Any]) -> RoiSignals:
        """Fluorescence in one scan, (row, col) counts.

        Raises
        ------
        ScanShapeError
            If the scan has another shape than the ROIs.
        """
        if pixels.shape != self._shape:
            raise ScanShapeError(got=pixels.shape, expected=self._shape, what="ROI set")
        shift = self.guard.accepted(self._registrar.shift(pixels))
        if self._blocks is None or self.guard.rejected:
            moved, inside = self._mover.move(pixels, row_px=shift.row_px, col_px=shift.col_px)
        else:
            displacement = self._blocks.displacement(pixels, shift)
            moved, inside = self._blocks.move(pixels, displacement)
        self.registered_counts = moved
        f_roi, measured = self._cells.means(moved, inside)
        f_neuropil, ring_measured = self._rings.means(moved, inside)
        # without its ring, a cell's neuropil cannot be subtracted
        measured &= ring_measured
        if self.guard.rejected:
            measured[:] = False
        subtracted = self._neuropil_weight * f_neuropil
        f_corrected = f_roi - subtracted
        self._demixer.demix(f_corrected, measured)
        return RoiSignals(f_corrected + subtracted, f_neuropil, f_corrected, measured, shift)
