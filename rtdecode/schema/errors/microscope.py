"""The microscope, its scans, and the cells in them."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class StreamError(RtdecodeError, ValueError):
    """What a microscope sends is not what its adapter reads."""

    def __init__(self, *, stream: str, reason: str) -> None:
        super().__init__(
            f"the stream of acquisition.source.kind {stream} cannot be read: {reason}; "
            f"check kind and settings of acquisition.source against the rig (docs/rig.md)"
        )


class StreamAbsentError(BadInputError):
    """Nobody sends the stream that the config names."""

    def __init__(self, *, stream: str, waited_s: float) -> None:
        super().__init__(
            f"no LSL stream named '{stream}' was found within {waited_s:g} s: start its sender, or "
            f"set the stream's name in the config to one that `mne-lsl` lists"
        )


class MovieNotGivenError(BadInputError):
    """The source is a recorded movie, but no file is named."""

    def __init__(self) -> None:
        super().__init__(
            "acquisition.source.kind is raw_movie but no movie is named: "
            "give --movie FILE, or set acquisition.source.path"
        )


class ScanSizeChangedError(RtdecodeError):
    """Scans of another size than before; ROIs and reference no longer match."""

    def __init__(self, *, number: int, before: tuple[int, ...], now: tuple[int, ...]) -> None:
        super().__init__(
            f"scan {number} has shape {now}, all before had {before}: ROIs and reference no longer "
            f"fit; keep the rig's settings during a run, and start a new run after changing them"
        )


class ScanShapeError(BadInputError):
    """A scan has another size than what it is compared with."""

    def __init__(self, *, got: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
        super().__init__(
            f"a scan of {_size(got)} pixels came in, but the {what} has {_size(expected)}: give the "
            f"{what} of this field of view, or set the microscope back to {_size(expected)}"
        )


class RoiCountError(BadInputError):
    """The microscope's program sends another number of ROIs than before."""

    def __init__(self, *, number: int, got: int, before: int | None) -> None:
        super().__init__(
            f"scan {number} brings values of {got} ROIs, those before had {before}: keep the ROIs "
            f"during a run, and start a new run after changing them"
        )


class ScanValueError(BadInputError):
    """A scan holds values that no detector gives."""

    def __init__(self, *, number: int, got: str) -> None:
        super().__init__(
            f"scan {number} holds {got}: counts must be finite whole numbers (uint16 or int16); "
            f"look at what the microscope's software sends"
        )


class RoisMissingError(BadInputError):
    """The config names no source of ROIs."""

    def __init__(self) -> None:
        super().__init__(
            "the config names neither calcium.rois nor a calcium.detector: give the ROIs of this "
            "field of view, or set calcium.detector: local_correlation, or calcium.rois_from_source: "
            "true where the microscope sends values of its ROIs"
        )


class RoisError(BadInputError):
    """ROIs that are inconsistent, or a file without ROIs."""

    def __init__(self, *, where: str, got: str) -> None:
        super().__init__(
            f"the ROIs {where} cannot be used: {got}; give a .npz of ROIs of this project, a suite2p folder, "
            f"a CaImAn .hdf5 file or an NWB file with a PlaneSegmentation"
        )


class UnsafePickleError(BadInputError):
    """A pickled file names code that an array does not require; none of it was executed."""

    def __init__(self, *, path: Path, name: str) -> None:
        super().__init__(
            f"{path} names {name}, which an array of ROIs does not require, so none of it was executed: "
            f"convert it on the machine that wrote it, or give another ROI file"
        )


class CalibrationError(BadInputError):
    """A calibration that does not belong to these ROIs or this field of view."""

    def __init__(self, *, got: str, expected: str) -> None:
        super().__init__(
            f"the calibration does not fit: expected {expected}, got {got}; leave calibration out to "
            f"calibrate on the first scans, or give the one made with these ROIs"
        )


class FieldMismatchError(BadInputError):
    """The scans show another field of view than reference image and ROIs.

    Attributes
    ----------
    reference_counts, seen_counts
        (row, col) reference image, and the mean of the received scans.
    footprint
        (row, col) sum of all ROIs.
    """

    def __init__(
        self,
        *,
        why: str,
        reference_counts: NDArray[Any],
        seen_counts: NDArray[Any],
        footprint: NDArray[Any],
        picture: Path | None = None,
    ) -> None:
        self.why = why
        self.reference_counts, self.seen_counts = reference_counts, seen_counts
        self.footprint = footprint
        shown = "" if picture is None else f"; {picture} shows both"
        super().__init__(
            f"the field of view does not match: {why}; move the objective back to where reference image "
            f"and ROIs were made, or give calcium.rois and calcium.calibration of this field{shown}"
        )

    def pictured(self, picture: Path) -> "FieldMismatchError":
        """The same error, which names the `picture` of it."""
        return FieldMismatchError(
            why=self.why,
            reference_counts=self.reference_counts,
            seen_counts=self.seen_counts,
            footprint=self.footprint,
            picture=picture,
        )


class NoCellsFoundError(BadInputError):
    """The detector found no pixels with the time course of a cell."""

    def __init__(self, *, scans: int) -> None:
        super().__init__(
            f"no cells were found in the first {scans} scans: raise calcium.detector_scans, check that "
            f"the shutter is open, or give calcium.rois from suite2p, CaImAn or NWB"
        )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
