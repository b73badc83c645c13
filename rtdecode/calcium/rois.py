"""Regions of interest: the weighted pixels of every neuron, for the calcium stage and the reports.

Duties: hold, check, save and load the ROIs of one plane. The class does not depend on the program
that drew them (`roi_files` reads those formats), on scans, or on the twin. ROIs are cells in the
field of view; the screen mask, which selects pixels of the stimulus, is another thing.

>>> rois = rois_from_lists((4, 5), [(np.array([0, 1]), np.array([1.0, 3.0]))])
>>> rois.count, rois.centers_px.tolist()
(1, [[0.0, 0.75]])
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.arrays import MAX_NEURONS, MAX_PIXELS
from rtdecode.schema.errors import MissingFileError, RoisError

_REMEDY = "give calcium.rois, or set calcium.detector: local_correlation"


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
        np.savez_compressed(
            path,
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
        if not path.exists():
            raise MissingFileError(what="the ROI file", path=path, remedy=_REMEDY)
        try:
            with np.load(path, allow_pickle=False) as file:
                shape = file["shape"].astype(int).tolist()
                arrays = (file["indptr"], file["pixels"], file["weights"])
        except (ValueError, KeyError, IndexError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise RoisError(where=f"in {path}", got=f"it is no .npz of ROIs ({error})") from error
        try:
            return cls(
                (shape[0], shape[-1]),
                arrays[0].astype(np.int64),
                arrays[1].astype(np.int32),
                arrays[2].astype(np.float32),
            )
        except RoisError as error:
            raise RoisError(where=f"in {path}", got=str(error)) from error

    def _sizes(self) -> NDArray[np.int64]:
        return np.diff(self.indptr)

    def _mean_weight(self) -> NDArray[np.float32]:
        total = np.add.reduceat(self.weights, self.indptr[:-1])
        return (total / self._sizes()).astype(np.float32)


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
        np.concatenate([weights for _, weights in neurons]).astype(np.float32),
    )


def _mistake(rois: Rois) -> str:
    """A phrase for the first inconsistency of the arrays; empty if there is none."""
    rows, cols = rois.shape
    count, nonzero = len(rois.indptr) - 1, len(rois.pixels)
    if rows < 1 or cols < 1 or rows * cols > MAX_PIXELS:
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
