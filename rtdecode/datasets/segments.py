"""Division of a continuous run into trials, and their tiers, for rtdecode and NWB sessions.

A trial is one presentation of a clip, or of a part of about 10 s of a longer clip. Parts are
counted in the frames of the clip, so that every presentation of a clip is divided at the same
frames.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.video_session import TEST, TRAIN, VALIDATION
from rtdecode.evaluate.leakage import TrainedClips, clip_hash
from rtdecode.schema.errors import TooFewClipsError
from rtdecode.schema.messages import DisplayedFrame

PART_FRAMES = 300
SHORTEST_FRAMES = 90
FEWEST_CLIPS = 3
"""One for each tier."""
_HELD_OUT = 0.1
"""Fraction of the clips in each of the two held-out tiers."""

Video = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipSegment:
    """Consecutive frames of the grid that display one part of one clip."""

    clip: str
    part: int
    frames: range

    @property
    def name(self) -> str:
        """Identical for every presentation of the same part."""
        return f"{self.clip}/{self.part}"


def segments_of(
    displayed: Mapping[int, DisplayedFrame], *, measured: Callable[[int], bool]
) -> list[ClipSegment]:
    """The segments of a run, in temporal order.

    Parameters
    ----------
    displayed
        Displayed frames, by frame of the grid; a frame missing here ends a segment.
    measured
        Whether any neuron was measured in a frame. Frames without measurement are removed at both
        ends of a segment, but not inside it; segments shorter than three seconds are then dropped.
    """
    part_of = _parts(displayed)
    found: list[ClipSegment] = []
    for presentation in _presentations(displayed):
        clip = displayed[presentation[0]].clip
        for part, run in groupby(presentation, lambda frame: part_of(displayed[frame])):
            frames = _trimmed(list(run), measured)
            if len(frames) >= SHORTEST_FRAMES:
                found.append(ClipSegment(clip, part, frames))
    return found


def groups_of(
    segments: Sequence[ClipSegment], video: Callable[[ClipSegment], Video]
) -> list[list[int]]:
    """Indices in `segments`, grouped by content: the same name, or the same images.

    Images are compared by the criterion with which scoring refuses clips of the training set, so
    that no held-out segment counts as leaked. Segments without image content (pauses) are in no
    group.
    """
    hashes = [clip_hash(video(segment)) for segment in segments]
    clips = TrainedClips(hashes)
    groups: list[set[int]] = []
    for place in (place for place, found in enumerate(hashes) if found):
        segment = segments[place]
        equal = {place, *(leak.clip for leak in clips.leaks(video(segment)))}
        equal |= {k for k in range(place) if hashes[k] and segments[k].name == segment.name}
        touched = [group for group in groups if group & equal]
        groups = [group for group in groups if not group & equal]
        groups.append(equal.union(*touched))
    return sorted(sorted(group) for group in groups)


def tiers_of_segments(
    segments: Sequence[ClipSegment], video: Callable[[ClipSegment], Video], *, source: Path
) -> dict[int, str]:
    """Tier of each segment, by index; TooFewClipsError if `source` shows fewer than three clips."""
    groups = groups_of(segments, video)
    if len(groups) < FEWEST_CLIPS:
        raise TooFewClipsError(source=source, clips=len(groups), needed=FEWEST_CLIPS)
    names = [min(segments[place].name for place in group) for group in groups]
    tiers = zip(groups, tiers_of(names), strict=True)
    return {place: tier for group, tier in tiers for place in group}


def tiers_of(names: Sequence[str]) -> list[str]:
    """Tier of each named group: about 80 % train, 10 % test, 10 % validation, at least one each.

    The assignment depends on the hash of the name alone, not on the order of presentation, so that
    a clip keeps its tier across sessions with the same clips.
    """
    held_out = max(1, round(_HELD_OUT * len(names)))
    tiers = [TRAIN] * len(names)
    by_hash = sorted(range(len(names)), key=lambda k: sha256(names[k].encode()).digest())
    for rank, place in enumerate(by_hash[: 2 * held_out]):
        tiers[place] = TEST if rank < held_out else VALIDATION
    return tiers


def _parts(displayed: Mapping[int, DisplayedFrame]) -> Callable[[DisplayedFrame], int]:
    """The function from a frame to its part of the clip: equal parts with lengths nearest 10 s."""
    lengths: dict[str, int] = defaultdict(int)
    for now in displayed.values():
        lengths[now.clip] = max(lengths[now.clip], now.index + 1)
    counts = {clip: max(1, round(length / PART_FRAMES)) for clip, length in lengths.items()}
    return lambda now: now.index * counts[now.clip] // lengths[now.clip]


def _presentations(displayed: Mapping[int, DisplayedFrame]) -> Iterator[list[int]]:
    """Runs of consecutive frames of one clip whose index does not decrease."""
    run: list[int] = []
    for frame in sorted(displayed):
        if run and not _continues(displayed, run[-1], frame):
            yield run
            run = []
        run.append(frame)
    if run:
        yield run


def _continues(displayed: Mapping[int, DisplayedFrame], before: int, frame: int) -> bool:
    then, now = displayed[before], displayed[frame]
    return frame == before + 1 and now.clip == then.clip and now.index >= then.index


def _trimmed(frames: Sequence[int], measured: Callable[[int], bool]) -> range:
    known = [frame for frame in frames if measured(frame)]
    return range(known[0], known[-1] + 1) if known else range(0)
