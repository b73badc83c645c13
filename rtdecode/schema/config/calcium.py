"""Settings of the calcium chain, from scans to activity in twin units."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from rtdecode.schema.config.section import (
    Count,
    Fraction,
    Index,
    NotNegative,
    Percent,
    Positive,
    Section,
)

MASKS_FILE = "masks.npz"
CALIBRATION_FILE = "calibration.npz"
"""Files that the chain writes into a session, or into the folder of each of several planes."""


class Detector(StrEnum):
    """Source of the ROIs where no file gives them."""

    NONE = "none"
    LOCAL_CORRELATION = "local_correlation"


class Registration(StrEnum):
    """Motion that registration corrects."""

    RIGID = "rigid"
    BLOCKS = "blocks"


class Rescale(StrEnum):
    """Conversion of activity, dF/F per second, to the units of the twin."""

    IDENTITY = "identity"
    MOMENT = "moment"
    QUANTILE = "quantile"


class Activity(StrEnum):
    """Activity that is computed from dF/F."""

    OASIS = "oasis"
    EVENTS = "events"
    DFF = "dff"


class CalciumConfig(Section):
    """The online calcium chain: registration, extraction, baseline, deconvolution."""

    earlier_names: ClassVar[Mapping[str, str]] = {
        "masks": "rois",
        "min_masks_sd": "min_rois_sd",
    }

    rois_from_source: bool = False
    """True where the microscope sends one value for each ROI instead of images."""
    rois: Path | None = None
    """ROIs of the neurons: masks.npz of a session, suite2p folder, CaImAn .hdf5, EXTRACT .mat, or
    NWB file."""
    rois_table: str | None = None
    """Name of the PlaneSegmentation of an NWB file that is read; null reads all of them, if they
    belong to one imaging plane."""
    calibration: Path | None = None
    """calibration.npz of an earlier session on this field of view; null makes a calibration from
    the first `calibration_s` seconds."""
    rescale_to: Path | None = None
    """calibration.npz of the session whose responses the twin was trained on; `rescale` uses it."""
    detector: Detector = Detector.NONE
    """Method that finds the ROIs in the first scans where `rois` names no file."""
    detector_scans: Count = 400
    """Number of scans that the detector uses."""
    planes: Count = 1
    """Number of imaging planes that the microscope cycles through."""
    decoded_planes: Annotated[tuple[Index, ...], Field(min_length=1)] = (0,)
    """Planes whose neurons are decoded, counted from 0, in this order; the others are recorded."""
    reference_scans: Count = 30
    """Number of first scans whose mean is the reference image. With a calibration, they are
    compared with its reference image instead."""
    line_offset_px: Annotated[int, Field(ge=-32, le=32)] = 0
    """Displacement in px of every second line (rows 1, 3, …) to higher columns, which is removed
    before ROIs are found and read; recorded scans keep it. The first scans of a run are measured,
    and a displacement that is left is reported with the value to set."""
    max_shift_px: Positive = 8.0
    """Largest displacement in px that the registration considers."""
    registration: Registration = Registration.RIGID
    """Motion that is corrected: of the whole scan (rigid), or of overlapping blocks too (blocks),
    which takes several times as long."""
    block_px: Annotated[int, Field(ge=32, le=256)] = 128
    """Side in px of the blocks of `registration: blocks`."""
    min_peak_sd: NotNegative = 6.0
    """Minimum z-score of the registration's correlation peak; scans below it are rejected."""
    lost_field_scans: Count = 15
    """Number of consecutive rejected scans after which the field of view is reported lost."""
    min_field_r: Fraction = 0.4
    """Minimum correlation of the first scans with the reference image; the run stops below it.
    0 disables the check."""
    min_rois_sd: NotNegative = 3.0
    """Minimum z-score of the match between ROIs and mean image; the run stops below it. 0 disables
    the check."""
    neuropil_ring_px: Count = 6
    """Width in px of the ring around a cell from which its neuropil signal is measured."""
    neuropil_weight: Fraction = 0.7
    """Fraction of the neuropil signal that is subtracted from a cell's fluorescence."""
    baseline_window_s: Positive = 30.0
    """Length in s of the sliding window of the baseline fluorescence."""
    baseline_percentile: Percent = 10.0
    """Percentile of the fluorescence in that window that is the baseline."""
    calibration_s: Positive = 10.0
    """Length in s of the calibration at the start of a run; no response is valid during it."""
    decay_tau_s: Positive = 0.7
    """Decay time constant of the indicator in s, to which the calibration shrinks its estimates."""
    rise_tau_s: NotNegative = 0.04
    """Rise time constant of the indicator in s, to which the calibration shrinks its estimate; 0
    assumes an instantaneous rise (first-order model)."""
    activity: Activity = Activity.OASIS
    """Activity measure: deconvolved (oasis), thresholded increases (events), or dF/F (dff)."""
    deconvolution_lag_scans: Index = 1
    """Number of later scans that the deconvolution uses for the activity of a scan."""
    sparsity: NotNegative = 0.5
    """L1 penalty of the deconvolution, in units of the noise SD."""
    event_sd: Positive = 3.0
    """Threshold of `activity: events`, in units of the noise SD."""
    rescale: Rescale = Rescale.IDENTITY
    """Conversion of activity to the units of the twin: none (identity), by mean and SD (moment), or
    by matching quantiles (quantile)."""
    drift_tau_s: Positive | None = None
    """Time constant in s over which slow drift of a neuron's mean activity is removed; null
    removes none."""
    drift_followed_s: Positive | None = None
    """Time in s after the calibration during which the drift correction is updated; null updates
    it for the whole run."""

    @property
    def lag_scans(self) -> int:
        """Number of scans by which final activity lags the newest scan."""
        return self.deconvolution_lag_scans if self.activity is Activity.OASIS else 0

    @property
    def several_planes(self) -> bool:
        """Whether more than one plane is decoded, so that each has a folder of its own."""
        return len(self.decoded_planes) > 1

    def of_plane(self, plane: int) -> "CalciumConfig":
        """The settings of one of several planes, with its files in `plane0`, `plane1` and so on."""

        def file(folder: Path | None, name: str) -> Path | None:
            return None if folder is None else folder / plane_folder(plane) / name

        return self.model_copy(
            update={
                "decoded_planes": (plane,),
                "rois": file(self.rois, ""),
                "calibration": file(self.calibration, CALIBRATION_FILE),
                "rescale_to": file(self.rescale_to, CALIBRATION_FILE),
            }
        )

    @model_validator(mode="after")
    def _planes_are_there(self) -> "CalciumConfig":
        decoded = self.decoded_planes
        if max(decoded) >= self.planes:
            raise ValueError(
                f"decoded_planes={list(decoded)} count from 0 and must be below "
                f"planes={self.planes}"
            )
        if len(set(decoded)) < len(decoded):
            raise ValueError(f"decoded_planes={list(decoded)} names a plane twice")
        return self


def plane_folder(plane: int) -> str:
    """Name of the folder of one of several planes, as suite2p writes it."""
    return f"plane{plane}"
