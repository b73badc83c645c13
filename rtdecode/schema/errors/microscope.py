"""Errors of the microscope, its scans, and the ROIs in them."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class StreamError(RtdecodeError, ValueError):
    """Data of a microscope do not have the format of its adapter."""

    def __init__(self, *, stream: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the stream of acquisition.source.kind {stream} cannot be read: {reason}; "
            f"check kind and settings of acquisition.source against the rig (docs/rig.md)"
        )


class MovieFileError(StreamError, BadInputError):
    """A file of scans does not have a format that its adapter reads."""

    def __init__(self, *, path: Path, reason: str) -> None:
        self.reason = reason
        RtdecodeError.__init__(
            self,
            f"the movie {path} cannot be read: {reason}; docs/rig.md lists the formats of movies",
        )


class ScanRateError(BadInputError):
    """The config states another scan rate than the file."""

    def __init__(self, *, path: Path, what: str, stated_hz: float, configured_hz: float) -> None:
        super().__init__(
            f"{what} {path} was recorded at {stated_hz:.5g} scans/s, but "
            f"acquisition.source.scan_rate_hz is {configured_hz:.5g}: set "
            f"acquisition.source.scan_rate_hz to {stated_hz:.5g}"
        )


class StreamAbsentError(BadInputError):
    """An LSL stream that is asked for does not exist."""

    def __init__(self, *, stream: str, waited_s: float) -> None:
        super().__init__(
            f"no LSL stream named '{stream}' was found within {waited_s:g} s: start its sender, or "
            f"give the name of an existing stream (acquisition.source.stream, "
            f"acquisition.behaviour.stream, or --photodiode lsl:NAME)"
        )


class MovieNotGivenError(BadInputError):
    """The source is a recorded movie, and no file is given."""

    def __init__(self) -> None:
        super().__init__(
            "acquisition.source.kind is raw_movie, and no movie is given: "
            "give --movie FILE, or set acquisition.source.path"
        )


class ScanSizeChangedError(RtdecodeError):
    """The size of the scans changed during a run."""

    def __init__(self, *, number: int, before: tuple[int, ...], now: tuple[int, ...]) -> None:
        super().__init__(
            f"scan {number} has shape {now}, but all earlier scans had {before}: ROIs and reference image "
            f"do not fit any more; keep the settings of the rig during a run, and start a new run "
            f"after changing them"
        )


class ScanShapeError(BadInputError):
    """A scan has another size than the reference image or the ROIs."""

    def __init__(self, *, got: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
        super().__init__(
            f"a scan has {_size(got)} pixels, but the {what} has {_size(expected)}: give the {what} of "
            f"this field of view (calcium.rois), or set the microscope to {_size(expected)} pixels"
        )


class RoiCountError(BadInputError):
    """The number of ROIs that the rig program sends changed during a run."""

    def __init__(self, *, number: int, got: int, before: int | None) -> None:
        super().__init__(
            f"scan {number} has values of {got} ROIs, but earlier scans had {before}: keep the ROIs "
            f"during a run, and start a new run after changing them"
        )


class ScanValueError(BadInputError):
    """A scan has values that cannot be detector counts."""

    def __init__(self, *, number: int, got: str) -> None:
        super().__init__(
            f"scan {number} has {got}: counts must be integers (uint16 or int16); "
            f"check the data type that the microscope's program sends"
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
    """ROIs that are inconsistent, or a file without ROIs; `got` is the reason alone."""

    def __init__(self, *, where: str, got: str) -> None:
        self.got = got
        super().__init__(
            f"the ROIs {where} cannot be used: {got}; give a masks.npz of rtdecode, a suite2p folder, "
            f"a CaImAn .hdf5 file, an EXTRACT .mat file or an NWB file with a PlaneSegmentation"
        )


class UnsafePickleError(BadInputError):
    """A pickled file names code that an array does not require; none of it was executed."""

    def __init__(self, *, path: Path, name: str) -> None:
        super().__init__(
            f"{path} names {name}, which an array of ROIs does not require, so none of it was executed: "
            f"convert it on the machine that wrote it, or give another ROI file"
        )


class CalibrationError(BadInputError):
    """A calibration belongs to other ROIs or another field of view."""

    def __init__(self, *, got: str, expected: str) -> None:
        super().__init__(
            f"the calibration does not fit: expected {expected}, got {got}; remove calcium.calibration to "
            f"calibrate on the first scans, or give the calibration made with these ROIs"
        )


class KeptFileError(BadInputError):
    """The ROIs or the calibration of a session changed while its decoder was restarted."""

    def __init__(self, *, path: Path, before: str, now: str) -> None:
        got = f"has the content hash {now}" if now else "cannot be loaded, or is not there"
        super().__init__(
            f"{path} had the content hash {before} before the decoder was restarted, and now {got}: "
            f"responses of other neurons, or in other units, must not continue this session; start "
            f"a new one"
        )


class FieldMismatchError(BadInputError):
    """The field of view differs from the reference image and the ROIs.

    Attributes
    ----------
    reference_counts, seen_counts
        (row, col) reference image, and mean of the first scans.
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
            f"the field of view does not match: {why}; move the objective back to the field of view of "
            f"reference image and ROIs, or give calcium.rois and calcium.calibration of this one{shown}"
        )

    def pictured(self, picture: Path) -> "FieldMismatchError":
        """The same error with the path of its `picture`."""
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
