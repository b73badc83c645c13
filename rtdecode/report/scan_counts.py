"""Counts of recorded and of decoded scans, for the summary of a session."""

from collections.abc import Mapping
from typing import Any

from rtdecode.schema.config.calcium import CalciumConfig


def decoded_scans(
    calcium: CalciumConfig,
    counts: Mapping[str, int],
    *,
    lost: Mapping[str, int],
    by_plane: Mapping[int, int],
) -> dict[str, Any]:
    """Scans in the log, and those that were sent without fluorescence, also where some are lost.

    The planes of recorded scans are counted; of those that the log lacks, each plane counts for an
    equal part.
    """
    scans = [stream for stream in {*counts, *lost} if stream.endswith("/scan")]
    recorded = sum(counts.get(stream, 0) for stream in scans)
    to_decode, part = recorded, 1.0
    if calcium.planes > 1:
        to_decode = sum(by_plane.get(plane, 0) for plane in calcium.decoded_planes)
        part = len(calcium.decoded_planes) / calcium.planes
    sent = to_decode + round(part * sum(lost.get(stream, 0) for stream in scans))
    decoded = sum(found.get("decoder/fluorescence", 0) for found in (counts, lost))
    missing = sent - decoded if "decoder/start" in counts else 0
    return {
        "scans": recorded,
        "scans_to_decode": to_decode,
        "scans_not_decoded": max(0, missing),
    }
