"""A continuous run cut into trials, and which tier each of them is of.

A trial is one showing of a clip, or of a part of about 10 s of a longer one. Parts are counted in
the clip's own frames, so that a clip that is shown again is cut at the same places.
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
"""Part of the clips that each of the two held-out tiers gets."""

Video = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipSegment:
    """Consecutive frames of the grid that show one part of one clip."""

    clip: str
    part: int
    frames: range

    @property
    def name(self) -> str:
        """The same for every showing of the same part."""
        return f"{self.clip}/{self.part}"


def segments_of(
    shown: Mapping[int, DisplayedFrame], *, measured: Callable[[int], bool]
) -> list[ClipSegment]:
    """The run in segments, in the order of time.

    Parameters
    ----------
    shown
        What was on the screen, by frame of the grid; a frame that is not in it ends a segment.
    measured
        Whether any neuron was measured in a frame. Frames at the ends of a segment in which none
        was are left out, then whatever is shorter than three seconds; holes inside stay.
    """
    part_of = _parts(shown)
    found: list[ClipSegment] = []
    for showing in _presentations(shown):
        clip = shown[showing[0]].clip
        for part, run in groupby(showing, lambda frame: part_of(shown[frame])):
            frames = _trimmed(list(run), measured)
            if len(frames) >= SHORTEST_FRAMES:
                found.append(ClipSegment(clip, part, frames))
    return found


def groups_of(
    segments: Sequence[ClipSegment], video: Callable[[ClipSegment], Video]
) -> list[list[int]]:
    """Places in `segments` of those that show the same, by name or by what is to be seen.

    By the measure that refuses to score a clip that a twin was trained on, so that nothing held
    out looks trained. Pieces without any picture, as while a run is paused, are in no group.
    """
    hashes = [clip_hash(video(segment)) for segment in segments]
    clips = TrainedClips(hashes)
    groups: list[set[int]] = []
    for place in (place for place, told in enumerate(hashes) if told):
        segment = segments[place]
        alike = {place, *(leak.clip for leak in clips.leaks(video(segment)))}
        alike |= {k for k in range(place) if hashes[k] and segments[k].name == segment.name}
        touched = [group for group in groups if group & alike]
        groups = [group for group in groups if not group & alike]
        groups.append(alike.union(*touched))
    return sorted(sorted(group) for group in groups)


def tiers_of_segments(
    segments: Sequence[ClipSegment], video: Callable[[ClipSegment], Video], *, source: Path
) -> dict[int, str]:
    """Tier of each segment that is a trial, by its place; TooFewClipsError names the `source`."""
    groups = groups_of(segments, video)
    if len(groups) < FEWEST_CLIPS:
        raise TooFewClipsError(source=source, clips=len(groups), needed=FEWEST_CLIPS)
    names = [min(segments[place].name for place in group) for group in groups]
    told = zip(groups, tiers_of(names), strict=True)
    return {place: tier for group, tier in told for place in group}


def tiers_of(names: Sequence[str]) -> list[str]:
    """Tier of each of the groups of that name: about 8 : 1 : 1, at least one of each held out.

    Which is which follows from the hash of the name alone, not from the order of the presentations.
    """
    held_out = max(1, round(_HELD_OUT * len(names)))
    tiers = [TRAIN] * len(names)
    by_hash = sorted(range(len(names)), key=lambda k: sha256(names[k].encode()).digest())
    for rank, place in enumerate(by_hash[: 2 * held_out]):
        tiers[place] = TEST if rank < held_out else VALIDATION
    return tiers


def _parts(shown: Mapping[int, DisplayedFrame]) -> Callable[[DisplayedFrame], int]:
    """Tells the part of its clip in which a frame lies: equal parts, of 10 s as near as can be."""
    lengths: dict[str, int] = defaultdict(int)
    for now in shown.values():
        lengths[now.clip] = max(lengths[now.clip], now.index + 1)
    counts = {clip: max(1, round(length / PART_FRAMES)) for clip, length in lengths.items()}
    return lambda now: now.index * counts[now.clip] // lengths[now.clip]


def _presentations(shown: Mapping[int, DisplayedFrame]) -> Iterator[list[int]]:
    """Runs of neighbouring frames in which one clip goes on."""
    run: list[int] = []
    for frame in sorted(shown):
        if run and not _goes_on(shown, run[-1], frame):
            yield run
            run = []
        run.append(frame)
    if run:
        yield run


def _goes_on(shown: Mapping[int, DisplayedFrame], before: int, frame: int) -> bool:
    then, now = shown[before], shown[frame]
    return frame == before + 1 and now.clip == then.clip and now.index >= then.index


def _trimmed(frames: Sequence[int], measured: Callable[[int], bool]) -> range:
    known = [frame for frame in frames if measured(frame)]
    return range(known[0], known[-1] + 1) if known else range(0)
