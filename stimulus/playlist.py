"""The playlist of a run: order of clips, their frames, and refreshes per frame, for playback."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import RefreshRateError
from rtdecode.schema.planned_trials import shuffled_rounds
from stimulus.clips import Split, embedded_clips
from stimulus.videos import video_files, video_frames

_SAME_RATE = 0.01
"""Tolerance: a monitor of 59.94 Hz shows a movie of 30 Hz at 2 refreshes a frame, not 1.998."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class DisplayedTrial:
    """What a frame belongs to: one presentation of one stimulus or clip."""

    number: int
    """Of the trial in the protocol, from 0."""
    block: str
    stimulus: str
    """Name of the stimulus or clip."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the stimulus by name with unit, as they are displayed."""
    cause: int = -1
    """Number of the action that asked for it; -1 for the order of the protocol."""


@dataclass(frozen=True, slots=True, eq=False)
class MovieFrame:
    """One frame of the movie and its position in the playlist."""

    clip: str
    index: int
    """Number within the clip, from 0."""
    luminance: NDArray[np.uint8]
    """(row, col) grey levels."""
    place: int = 0
    """Position of the clip in the playlist, from 0; of a protocol, number of the trial."""
    of_trial: DisplayedTrial | None = None
    """The trial that it belongs to; None for a frame between trials."""
    waits: bool = False
    """True for a grey frame that is displayed again and again until the command `start_block`."""

    @property
    def trial(self) -> int:
        """Number of the trial that it belongs to; -1 for a frame between trials."""
        return -1 if self.of_trial is None else self.of_trial.number


def movie(
    clips: Iterable[T],
    frames_of: Callable[[T], tuple[str, Iterable[NDArray[np.uint8]]]],
    *,
    first_clip: int = 0,
) -> Iterator[MovieFrame]:
    """Frames of one clip after the other; each clip is decoded lazily, while it is shown.

    Parameters
    ----------
    first_clip
        Place among `clips` of the first one that is shown.
    frames_of
        Maps a clip to its name and its (row, col) uint8 frames in order.
    """
    for place, clip in enumerate(islice(clips, first_clip, None), first_clip):
        name, frames = frames_of(clip)
        for index, luminance in enumerate(frames):
            yield MovieFrame(name, index, luminance, place)


def holds(refresh_hz: float, frame_rate_hz: float) -> Iterator[int]:
    """Number of refreshes for which each movie frame stays on the screen, frame by frame.

    With the ratio a = refresh_hz / frame_rate_hz, frame k stays for floor((k+1) a) - floor(k a)
    refreshes, so the movie keeps its speed: 2, 3, 2, 3 for 30 Hz on 75 Hz. A ratio within 1 % of
    an integer is rounded to it.

    >>> pattern = holds(75.0, 30.0)
    >>> [next(pattern) for _ in range(4)]
    [2, 3, 2, 3]

    Raises
    ------
    RefreshRateError
        If the monitor refreshes less often than the movie has frames.
    """
    ratio = refresh_hz / frame_rate_hz
    if ratio < 1 - _SAME_RATE:
        raise RefreshRateError(got_hz=refresh_hz, expected=f"at least {frame_rate_hz:g} Hz")
    whole = round(ratio)
    if abs(ratio - whole) <= _SAME_RATE * whole:
        ratio = float(whole)
    return _hold_pattern(ratio)


def _hold_pattern(ratio: float) -> Iterator[int]:
    frame = 0
    while True:
        yield int((frame + 1) * ratio) - int(frame * ratio)
        frame += 1


def movie_frames(
    config: StimulusConfig, *, frame_rate_hz: float, first_clip: int = 0
) -> Iterator[MovieFrame]:
    """All frames of a run in order; the same arguments give the same frames.

    A restarted stimulus begins with the clip at the place `first_clip` of the same order.

    Raises
    ------
    ClipError
        At once, for videos that are missing, empty or broken from the start.
    """
    if config.clips is None:
        return _embedded(config, frame_rate_hz, first_clip)
    files = video_files(config.clips)
    screen = (config.rows_px, config.cols_px)
    return movie(
        shuffled_rounds(files, seed=config.seed),
        lambda file: (file.name, video_frames(file, screen=screen, rate_hz=frame_rate_hz)),
        first_clip=first_clip,
    )


def _embedded(
    config: StimulusConfig, frame_rate_hz: float, first_clip: int
) -> Iterator[MovieFrame]:
    clips = tuple(
        embedded_clips(
            Split.SHOW,
            count=config.embedded_clips,
            seconds=config.clip_s,
            seed=config.seed,
            frame_rate_hz=frame_rate_hz,
        )
    )
    ordered = shuffled_rounds(clips, seed=config.seed)
    return movie(ordered, lambda clip: (clip.name, clip.frames), first_clip=first_clip)
