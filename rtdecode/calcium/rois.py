"""Regions of interest: the weighted pixels of every neuron, for the calcium stage and the reports.

Duties: hold, check, save and load the ROIs of one plane. The class does not depend on the program
that drew them (`roi_files` reads those formats), on scans, or on the twin. ROIs are cells in the
field of view; the screen mask, which selects pixels of the stimulus, is another thing.

>>> rois = rois_from_lists((4, 5), [(np.array([0, 1]), np.array([1.0, 3.0]))])
>>> rois.count, rois.centers_px.tolist()
(1, [[0.0, 0.75]])
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import arrays_of_npz
from rtdecode.schema.arrays import MAX_NEURONS, MAX_PIXELS, content_hash
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import RoisError, UnreadableFileError

log = logging.getLogger(__name__)

_REMEDY = "give calcium.rois, or set calcium.detector: local_correlation"
PixelWeights = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Rows, columns and weights of the pixels of one ROI."""


@dataclass(frozen=True, slots=True, eq=False)
class Rois:
    """ROIs of all neurons of one plane, in compressed sparse row format.

    Neuron i has the pixels `pixels[indptr[i]:indptr[i+1]]` with the `weights` at the same indices;
    a pixel may belong to several neurons.

    Raises
    ------
    RoisError
        If indices lie outside the field, weights are not positive, or a neuron has no pixel.
    """

    shape: tuple[int, int]
    """(row, col) of the field of view."""
    indptr: NDArray[np.int64]
    """(neuron + 1,) index of each neuron's first pixel."""
    pixels: NDArray[np.int32]
    """(nonzero,) flat index row * cols + col."""
    weights: NDArray[np.float32]
    """(nonzero,) above 0, without unit; only their ratios within a neuron matter."""

    def __post_init__(self) -> None:
        if mistake := _mistake(self):
            raise RoisError(where="in memory", got=mistake)

    @property
    def count(self) -> int:
        """Number of neurons."""
        return len(self.indptr) - 1

    @property
    def hash(self) -> str:
        """Hash of the content, which identifies the neurons and their order."""
        shape = np.array(self.shape, np.int64)
        return content_hash(shape, self.indptr, self.pixels, self.weights)

    @property
    def centers_px(self) -> NDArray[np.float32]:
        """(neuron, 2) weighted centre (row, col) of each neuron, in pixels."""
        rows, cols = np.divmod(self.pixels, self.shape[1])
        total = np.add.reduceat(self.weights, self.indptr[:-1])
        center = [np.add.reduceat(axis * self.weights, self.indptr[:-1]) for axis in (rows, cols)]
        return (np.stack(center, 1) / total[:, None]).astype(np.float32)

    def footprint(self) -> NDArray[np.float32]:
        """(row, col) sum of all ROIs, with the weights of each scaled to a mean of 1."""
        image = np.zeros(self.shape[0] * self.shape[1], np.float32)
        # add.at accumulates pixels that several ROIs share
        np.add.at(image, self.pixels, self.weights / np.repeat(self._mean_weight(), self._sizes()))
        return image.reshape(self.shape)

    def chosen(self, keep: NDArray[np.bool_]) -> "Rois":
        """The ROIs of the neurons where `keep`, (neuron,), is True."""
        picked = np.flatnonzero(keep)
        parts = [slice(self.indptr[i], self.indptr[i + 1]) for i in picked]
        return rois_from_lists(
            self.shape, [(self.pixels[part], self.weights[part]) for part in parts]
        )

    def save(self, path: Path) -> None:
        """Write a .npz of plain arrays, without pickled objects."""
        with written_atomically(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                shape=np.array(self.shape, np.int64),
                indptr=self.indptr,
                pixels=self.pixels,
                weights=self.weights,
            )

    @classmethod
    def load(cls, path: Path) -> "Rois":
        """Read a file that `save` wrote.

        Raises
        ------
        MissingFileError, RoisError
            If there is no file, or it holds no valid ROIs.
        """
        names = ("shape", "indptr", "pixels", "weights")
        what, expected = "the ROI file", "a .npz of ROIs"
        try:
            found = arrays_of_npz(path, names, what=what, expected=expected, remedy=_REMEDY)
            return _from_arrays(**found)
        except UnreadableFileError as error:
            got = f"it is no .npz of ROIs ({error.got})"
            raise RoisError(where=f"in {path}", got=got) from error
        except RoisError as error:
            raise RoisError(where=f"in {path}", got=error.got) from error

    def _sizes(self) -> NDArray[np.int64]:
        return np.diff(self.indptr)

    def _mean_weight(self) -> NDArray[np.float32]:
        total = np.add.reduceat(self.weights, self.indptr[:-1])
        return (total / self._sizes()).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PixelLists:
    """ROIs as the file of another program states them, until the size of the field is known."""

    neurons: Sequence[PixelWeights]
    shape: tuple[int, int] | None
    """(row, col) of the field of view that the file states; None if it states none."""
    source: str
    """The file, for messages."""
    axes_certain: bool = True
    """False where programs disagree about which axis of the file is the row."""

    @property
    def count(self) -> int:
        """Number of ROIs with at least one pixel."""
        return sum(bool(np.any(_as_weights(weight))) for *_, weight in self.neurons)

    @property
    def placed_without_scan(self) -> bool:
        """Whether the ROIs can be placed without the size of the field from elsewhere."""
        return self.axes_certain and self.shape is not None

    def placed(self, shape: tuple[int, int] | None) -> Rois:
        """The ROIs in a field of `shape`, (row, col), or, if None, of the size in the file.

        Where the axes are uncertain, they are swapped if only then the two sizes agree. Otherwise
        the size in the file counts, so that ROIs of another field of view are noticed. Pixels of
        weight 0 and ROIs without any pixel are left out.

        Raises
        ------
        RoisError
            If neither states a size, or a pixel lies outside the field, or as `Rois` does.
        """
        swapped = not self.axes_certain and self.shape != shape and self.shape == _turned(shape)
        field = shape if swapped or self.shape is None else self.shape
        if field is None:
            raise self._unusable("the file does not state the size of its field of view")
        if not _is_field(field):
            raise self._unusable(f"a field of {field[0]} x {field[1]} pixels")
        lists: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for number, (first, second, weight) in enumerate(self.neurons):
            row, col = (second, first) if swapped else (first, second)
            weight_f32 = _as_weights(weight)
            kept = weight_f32 != 0
            flat = self._flat(row[kept], col[kept], field, number)
            if len(flat):
                lists.append((flat, weight_f32[kept]))
        if len(lists) < len(self.neurons):
            empty = len(self.neurons) - len(lists)
            log.warning("%d ROIs of %s have no pixel and are left out", empty, self.source)
        try:
            return rois_from_lists(field, lists)
        except RoisError as error:
            raise self._unusable(error.got) from error

    def _flat(
        self, row: NDArray[Any], col: NDArray[Any], field: tuple[int, int], number: int
    ) -> NDArray[np.int64]:
        outside = (row < 0) | (row >= field[0]) | (col < 0) | (col >= field[1])
        if outside.any():
            at = int(np.argmax(outside))
            raise self._unusable(
                f"ROI {number} has a pixel at row {row[at]}, column {col[at]}, outside the field "
                f"of {field[0]} x {field[1]} pixels"
            )
        if not (np.all(row == np.floor(row)) and np.all(col == np.floor(col))):
            raise self._unusable(f"ROI {number} has a pixel at no whole row and column")
        flat: NDArray[np.int64] = row.astype(np.int64) * field[1] + col.astype(np.int64)
        return flat

    def _unusable(self, got: str) -> RoisError:
        return RoisError(where=f"in {self.source}", got=got)


def rois_from_lists(
    shape: tuple[int, int], neurons: list[tuple[NDArray[Any], NDArray[Any]]]
) -> Rois:
    """ROIs from one (pixels, weights) pair per neuron; pixels are flat indices row * cols + col.

    Raises
    ------
    RoisError
        If there is no neuron, or as `Rois` does.
    """
    if not neurons:
        raise RoisError(where="in memory", got="they contain no neuron")
    sizes = [len(pixels) for pixels, _ in neurons]
    return Rois(
        shape,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([pixels for pixels, _ in neurons]).astype(np.int32),
        _as_weights(np.concatenate([weights for _, weights in neurons])),
    )


def _from_arrays(
    shape: NDArray[Any], indptr: NDArray[Any], pixels: NDArray[Any], weights: NDArray[Any]
) -> Rois:
    """ROIs of the arrays of a file, which may have any rank and dtype of numbers."""
    ranks = [array.ndim for array in (shape, indptr, pixels, weights)]
    whole = all(array.dtype.kind in "iu" for array in (shape, indptr, pixels))
    if ranks != [1, 1, 1, 1] or shape.size != len(("row", "col")) or not whole:
        raise RoisError(
            where="in memory",
            got=f"its arrays have the shapes shape {shape.shape}, indptr {indptr.shape}, pixels "
            f"{pixels.shape} and weights {weights.shape}, of which shape must be (2,), the others "
            f"one-dimensional, and all but weights integers",
        )
    # A pixel index beyond int32 must not become another pixel by the conversion.
    limit = np.iinfo(np.int32).max
    return Rois(
        (int(shape[0]), int(shape[1])),
        indptr.astype(np.int64),
        pixels.astype(np.int64).clip(-1, limit).astype(np.int32),
        _as_weights(weights),
    )


def _as_weights(weights: NDArray[Any]) -> NDArray[np.float32]:
    """Weights as float32; those beyond its range become infinite, which `Rois` refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(weights).astype(np.float32)


def _turned(shape: tuple[int, int] | None) -> tuple[int, int] | None:
    return None if shape is None else (shape[1], shape[0])


def _is_field(shape: tuple[int, int]) -> bool:
    return min(shape) >= 1 and shape[0] * shape[1] <= MAX_PIXELS


def _mistake(rois: Rois) -> str:
    """A phrase for the first inconsistency of the arrays; empty if there is none."""
    rows, cols = rois.shape
    count, nonzero = len(rois.indptr) - 1, len(rois.pixels)
    if not _is_field(rois.shape):
        return f"a field of {rows} x {cols} pixels"
    if not 1 <= count <= MAX_NEURONS:
        return f"{count} neurons (1 to {MAX_NEURONS} are possible)"
    if rois.indptr[0] != 0 or rois.indptr[-1] != nonzero or len(rois.weights) != nonzero:
        return "the lengths of indptr, pixels and weights do not match"
    if np.diff(rois.indptr).min() < 1:
        return f"neuron {np.diff(rois.indptr).argmin()} has no pixel"
    if rois.pixels.min() < 0 or rois.pixels.max() >= rows * cols:
        return f"a pixel lies outside the field of {rows} x {cols}"
    sound = np.isfinite(rois.weights).all() and rois.weights.min() > 0
    return "" if sound else "weights must be finite and above 0"
