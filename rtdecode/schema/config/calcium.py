"""From scans to activity in twin units."""

from enum import StrEnum
from pathlib import Path

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


class CalciumConfig(Section):
    """The online calcium chain, one scan at a time."""

    masks: Path | None = None
    calibration: Path | None = None
    detector: Detector = Detector.NONE
    detector_scans: Count = 400
    plane: Index = 0
    planes: Count = 1
    reference_scans: Count = 30
    max_shift_px: Positive = 8.0
    min_peak_sd: NotNegative = 6.0
    lost_field_scans: Count = 15
    neuropil_ring_px: Count = 6
    neuropil_weight: Fraction = 0.7
    baseline_window_s: Positive = 30.0
    baseline_percentile: Percent = 10.0
    calibration_s: Positive = 10.0
    decay_tau_s: Positive = 0.7
    rise_tau_s: NotNegative = 0.04
    deconvolution_lag_scans: Index = 1
    sparsity: NotNegative = 0.5
    rescale: Rescale = Rescale.IDENTITY
    drift_tau_s: Positive | None = None
    frame_rate_hz: Positive = 30.0
