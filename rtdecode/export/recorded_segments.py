"""The trials of a recorded session, as `own_session` divides it, without its arrays.

Exports find them from what a log states of its frames, and read the images of one trial at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.segments import ClipSegment, segments_of, tiers_of_segments
from rtdecode.export.session_content import SessionContent
from rtdecode.schema.errors import TooFewClipsError

Images = Callable[[slice], NDArray[Any]]
"""(image, row, col) of a slice of the displayed frames, in the order of the log."""


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """One trial on the frame grid."""

    segment: ClipSegment
    tier: str | None
    """None for all where the session has too few clips for tiers."""


def recorded_segments(
    content: SessionContent, images: Images
) -> tuple[list[RecordedSegment], list[str]]:
    """The trials in temporal order, and a sentence where there are none or no tiers."""
    segments = segments_of(content.on_screen(), measured=lambda k: content.measured.get(k, False))
    if not segments:
        return [], ["No clip of 3 s or more was displayed while neurons were measured."]

    def video(segment: ClipSegment) -> NDArray[np.uint8]:
        return video_of(segment, content, images)

    try:
        tiers = tiers_of_segments(segments, video, source=content.log)
    except TooFewClipsError as few:
        without = [RecordedSegment(segment, None) for segment in segments]
        return without, [f"The trials have no tiers: {few}."]
    return [RecordedSegment(segments[k], tiers[k]) for k in sorted(tiers)], []


def video_of(segment: ClipSegment, content: SessionContent, images: Images) -> NDArray[np.uint8]:
    """(frame, row, col) what was on the screen in the middle of each frame of a trial."""
    places = np.array([content.truth[frame] for frame in segment.frames])
    first = int(places.min())
    video: NDArray[np.uint8] = images(slice(first, int(places.max()) + 1))[places - first]
    return video
