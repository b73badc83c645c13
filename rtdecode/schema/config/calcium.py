"""From scans to activity in twin units."""

from enum import StrEnum
from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import (
    Count,
    Fraction,
    Index,
    NotNegative,
    Percent,
    Positive,
    Section,
)


class Detector(StrEnum):
    """Where masks come from if no file gives them."""

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

    masks: Path | None = None
    """Which pixels are which neuron: .npz of a session, suite2p folder, CaImAn .hdf5, or NWB."""
    calibration: Path | None = None
    """calibration.npz of an earlier session on this field; null: the first `calibration_s`."""
    rescale_to: Path | None = None
    """calibration.npz of the session whose responses the twin was trained on."""
    detector: Detector = Detector.NONE
    """How masks are found in the first scans where no file gives them."""
    detector_scans: Count = 400
    """Scans that the detector gets."""
    plane: Index = 0
    """The plane that is decoded; the others are recorded."""
    planes: Count = 1
    """How many the microscope goes through."""
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
    """How clearly masks must lie on what is bright, else the run is refused; 0: anyhow."""
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
    """Over which time a slow change of a neuron's mean activity is taken back; null: frozen."""
    frame_rate_hz: Positive = 30.0
    """Grid of the responses."""

    @property
    def lag_scans(self) -> int:
        """Scans that activity is final behind the newest: those oasis waits, else none."""
        return self.deconvolution_lag_scans if self.activity is Activity.OASIS else 0

    @model_validator(mode="after")
    def _plane_is_there(self) -> "CalciumConfig":
        if self.plane >= self.planes:
            raise ValueError(
                f"plane={self.plane} counts from 0 and must be below planes={self.planes}"
            )
        return self
