"""What an NWB file states that `rtdecode export` wrote, so that it is read as the session itself.

Such a file has a table `segments` with the trials on which rtdecode trains, on the frame grid of
the activity, and their tiers. Other files are divided by `nwb_session`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtdecode.datasets.video_session import Causality

SEGMENTS = "segments"
ACTIVITY = "Activity"
"""Names of the table of intervals, and of the container of the activity."""
ROIS_HASH = "rtdecode_rois_hash"
CAUSALITY = "rtdecode_causality"
"""Names of the content hash of the ROIs, and of the causality of the activity, in the scratch."""
_COLUMNS = frozenset({"start_time", "stop_time", "clip", "part", "first_frame", "n_frames"})


@dataclass(frozen=True, slots=True)
class ExportedSegment:
    """One trial, as the file states it."""

    clip: str
    part: int
    start_s: float
    """Start of its first frame."""
    frames: int
    tier: str | None
    """None where the session had too few clips for tiers."""


@dataclass(frozen=True, slots=True)
class Export:
    """The trials of a file that rtdecode wrote."""

    segments: Sequence[ExportedSegment]
    frame_rate_hz: float
    rois_hash: str
    """Content hash of the ROIs; empty if unknown."""
    causality: Causality
    """Of the activity."""


def export_in(file: Any) -> Export | None:
    """What a file states as pynwb reads it; None for a file that rtdecode did not write."""
    table = (file.intervals or {}).get(SEGMENTS)
    rate_hz = _rate_hz(file)
    if table is None or rate_hz is None or not _COLUMNS <= set(table.colnames):
        return None
    column = {name: np.asarray(table[name][:]) for name in table.colnames}
    tiers = column.get("tier", [None] * len(table))
    segments = [
        ExportedSegment(
            clip=str(column["clip"][k]),
            part=int(column["part"][k]),
            start_s=float(column["start_time"][k]),
            frames=int(column["n_frames"][k]),
            tier=None if tiers[k] is None else str(tiers[k]),
        )
        for k in range(len(table))
    ]
    kept = {name: str(one.data) for name, one in (file.scratch or {}).items()}
    causality = Causality(kept.get(CAUSALITY, Causality.CAUSAL))
    return Export(segments, rate_hz, kept.get(ROIS_HASH, ""), causality)


def _rate_hz(file: Any) -> float | None:
    """Rate of the activity on the frame grid; None where the file has no such series."""
    module = (file.processing or {}).get("ophys")
    if module is None or ACTIVITY not in module.data_interfaces:
        return None
    rates = [one.rate for one in module[ACTIVITY].roi_response_series.values()]
    return None if not rates or rates[0] is None else float(rates[0])
