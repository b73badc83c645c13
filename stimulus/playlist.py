"""The playlist of a run: order of clips, their frames, and refreshes per frame, for playback."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import RefreshRateError
from rtdecode.schema.planned_trials import shuffled_rounds
from stimulus.clips import Clip, Split, embedded_clips
from stimulus.prefetch import Parameters, Presentation
from stimulus.videos import video_files, video_frames

_SAME_RATE = 0.01
"""Tolerance: a monitor of 59.94 Hz shows a movie of 30 Hz at 2 refreshes a frame, not 1.998."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class DisplayedTrial:
    """What a frame belongs to: one presentation of one stimulus or clip."""

    number: int
    """Of the trial in the protocol, from 0; -1 for what an action displays."""
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

    @property
    def is_of_protocol(self) -> bool:
        """Whether it belongs to a trial in the order of the protocol."""
        return self.of_trial is not None and self.of_trial.cause < 0


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
    for presentation in _ordered(clips, frames_of, first_clip):
        yield from presentation({})


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
    order = presentations(config, frame_rate_hz=frame_rate_hz, first_clip=first_clip)
    return (frame for presentation in order for frame in presentation({}))


def presentations(
    config: StimulusConfig, *, frame_rate_hz: float, first_clip: int = 0
) -> Iterator[Presentation[MovieFrame]]:
    """All clips of a run in order, from the place `first_clip` on, for the prefetcher.

    Raises
    ------
    ClipError
        At once, for videos that are missing, empty or broken from the start.
    """
    if config.clips is None:
        made = embedded_clips(
            Split.SHOW,
            count=config.embedded_clips,
            seconds=config.clip_s,
            seed=config.seed,
            frame_rate_hz=frame_rate_hz,
        )
        return embedded_presentations(tuple(made), seed=config.seed, first_clip=first_clip)
    files = video_files(config.clips)
    screen = (config.rows_px, config.cols_px)
    return _ordered(
        shuffled_rounds(files, seed=config.seed),
        lambda file: (file.name, video_frames(file, screen=screen, rate_hz=frame_rate_hz)),
        first_clip,
    )


def embedded_presentations(
    clips: Sequence[Clip], *, seed: int, first_clip: int = 0
) -> Iterator[Presentation[MovieFrame]]:
    """`clips`, which are in memory, in the order of a run."""
    ordered = shuffled_rounds(clips, seed=seed)
    return _ordered(ordered, lambda clip: (clip.name, clip.frames), first_clip)


def _ordered(
    clips: Iterable[T],
    frames_of: Callable[[T], tuple[str, Iterable[NDArray[np.uint8]]]],
    first_clip: int,
) -> Iterator[Presentation[MovieFrame]]:
    for place, clip in enumerate(islice(clips, first_clip, None), first_clip):
        yield partial(_clip_frames, clip, frames_of, place)


def _clip_frames(
    clip: T,
    frames_of: Callable[[T], tuple[str, Iterable[NDArray[np.uint8]]]],
    place: int,
    _parameters: Parameters,
) -> Iterator[MovieFrame]:
    name, frames = frames_of(clip)
    for index, luminance in enumerate(frames):
        yield MovieFrame(name, index, luminance, place)
