"""From scans to activity in twin units."""

from enum import StrEnum
from pathlib import Path

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Fraction, Index, NotNegative, Positive, Section


class Detector(StrEnum):
    """Where masks come from if no file gives them."""

    NONE = "none"
    LOCAL_CORRELATION = "local_correlation"


class CalciumConfig(Section):
    """The online calcium chain, one scan at a time."""

    masks: Path | None = None
    detector: Detector = Detector.NONE
    detector_scans: Count = 200
    reference_scans: Count = 30
    max_shift_px: Positive = 8.0
    neuropil_ring_px: Count = 6
    neuropil_weight: Fraction = 0.7
    baseline_window_s: Positive = 30.0
    baseline_percentile: NotNegative = 20.0
    decay_tau_s: Positive = 0.7
    deconvolution_lag_scans: Index = 1
    frame_rate_hz: Positive = 30.0

    @model_validator(mode="after")
    def _percentile_fits(self) -> "CalciumConfig":
        if self.baseline_percentile > 100:
            raise ValueError(f"baseline_percentile={self.baseline_percentile} must be 0 to 100")
        return self
