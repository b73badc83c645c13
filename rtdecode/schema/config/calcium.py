"""From scans to activity in twin units."""

from enum import StrEnum
from pathlib import Path

from rtdecode.schema.config.section import Count, Fraction, Index, Percent, Positive, Section


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
    baseline_percentile: Percent = 20.0
    decay_tau_s: Positive = 0.7
    deconvolution_lag_scans: Index = 1
    frame_rate_hz: Positive = 30.0
