"""From scans to activity in twin units."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
"""What the chain leaves in a session, or in the folder of each of several planes."""


class Detector(StrEnum):
    """Where rois come from if no file gives them."""

    NONE = "none"
    LOCAL_CORRELATION = "local_correlation"


class Rescale(StrEnum):
    """How activity, dF/F per second, becomes twin units."""

    IDENTITY = "identity"
    MOMENT = "moment"
    QUANTILE = "quantile"


class Activity(StrEnum):
    """What is read out of dF/F."""

    OASIS = "oasis"
    EVENTS = "events"
    DFF = "dff"


class CalciumConfig(Section):
    """The online calcium chain, one scan at a time."""

    rois_from_source: bool = False
    """Whether the microscope sends values of its ROIs, and no rois are laid on its scans."""
    rois: Path | None = None
    """Which pixels are which neuron: .npz of a session, suite2p folder, CaImAn .hdf5, or NWB."""
    calibration: Path | None = None
    """calibration.npz of an earlier session on this field; null: the first `calibration_s`."""
    rescale_to: Path | None = None
    """calibration.npz of the session whose responses the twin was trained on."""
    detector: Detector = Detector.NONE
    """How rois are found in the first scans where no file gives them."""
    detector_scans: Count = 400
    """Scans that the detector gets."""
    planes: Count = 1
    """How many the microscope goes through."""
    decoded_planes: Annotated[tuple[Index, ...], Field(min_length=1)] = (0,)
    """Planes that are decoded, their neurons one after the other; the others are recorded."""
    reference_scans: Count = 30
    """Their mean is the reference image; with a calibration, they are compared with its image."""
    max_shift_px: Positive = 8.0
    """Largest movement that is looked for."""
    min_peak_sd: NotNegative = 6.0
    """A scan whose registration is less clear is no measurement."""
    lost_field_scans: Count = 15
    """So many of these in a row are a lost field of view."""
    min_field_r: Fraction = 0.4
    """Least correlation of first scans and reference image, else the run is refused; 0: none."""
    min_masks_sd: NotNegative = 3.0
    """How clearly rois must lie on what is bright, else the run is refused; 0: anyhow."""
    neuropil_ring_px: Count = 6
    """Width of the ring around a cell whose light is taken for neuropil."""
    neuropil_weight: Fraction = 0.7
    """Share of the ring's light that is taken off a cell's."""
    baseline_window_s: Positive = 30.0
    """How far the running percentile looks back."""
    baseline_percentile: Percent = 10.0
    """Which percentile of it is the resting light."""
    calibration_s: Positive = 10.0
    """Length of the calibration at the start, during which all neurons are invalid."""
    decay_tau_s: Positive = 0.7
    """Expected decay of the indicator; calibration bends it where transients are clear."""
    rise_tau_s: NotNegative = 0.04
    """Rise of the indicator, taken back where scans resolve it; 0: first order."""
    activity: Activity = Activity.OASIS
    """Deconvolved, thresholded events, or dF/F as it is."""
    deconvolution_lag_scans: Index = 1
    """Scans that oasis waits before a scan's activity is final."""
    sparsity: NotNegative = 0.5
    """Noise sd that a sample loses before it is explained; more is sparser."""
    event_sd: Positive = 3.0
    """Noise sd that a jump must exceed to be an event."""
    rescale: Rescale = Rescale.IDENTITY
    """How activity becomes twin units."""
    drift_tau_s: Positive | None = None
    """Over which time a slow change of a neuron's mean activity is taken back; null: never."""
    drift_followed_s: Positive | None = None
    """Drift is followed for so long after the calibration and then frozen; null: to the end."""
    frame_rate_hz: Positive = 30.0
    """Grid of the responses."""

    @property
    def lag_scans(self) -> int:
        """Scans that activity is final behind the newest: those oasis waits, else none."""
        return self.deconvolution_lag_scans if self.activity is Activity.OASIS else 0

    @property
    def several_planes(self) -> bool:
        """Whether more than one plane is decoded, and each has a folder of its own."""
        return len(self.decoded_planes) > 1

    def of_plane(self, plane: int) -> "CalciumConfig":
        """The same for one of several planes: its files lie in `plane0`, `plane1` and so on."""

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
    """Where files of one of several planes lie: as suite2p names it."""
    return f"plane{plane}"
