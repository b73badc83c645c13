"""Which picture comes when: the order of clips, and for how many refreshes each frame stays."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import RefreshRateError
from stimulus.clips import Split, embedded_clips
from stimulus.videos import video_files, video_frames

_SAME_RATE = 0.01
"""A monitor of 59.94 Hz shows a movie of 30 Hz with two refreshes for each frame, not 1.998."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class MovieFrame:
    """One picture of the movie and where it is from."""

    clip: str
    index: int
    """Its number within the clip."""
    luminance: NDArray[np.uint8]
    """(row, col) grey levels."""


def shuffled_rounds(items: Sequence[T], *, seed: int) -> Iterator[T]:
    """All `items` in random order, then all again in another, without end.

    No item follows itself, unless there is only one.
    """
    rng, before = np.random.default_rng([abs(seed), int(seed < 0)]), -1
    while items:
        for place in _round(rng, len(items), before):
            yield items[place]
            before = place


def _round(rng: Generator, count: int, before: int) -> list[int]:
    order: list[int] = rng.permutation(count).tolist()
    if order[0] == before:
        order.append(order.pop(0))
    return order


def movie(
    clips: Iterable[T], frames_of: Callable[[T], tuple[str, Iterable[NDArray[np.uint8]]]]
) -> Iterator[MovieFrame]:
    """The frames of one clip after the other; a clip may be decoded while it is shown.

    Parameters
    ----------
    frames_of
        Name of a clip, and its (row, col) frames in order.
    """
    for clip in clips:
        name, frames = frames_of(clip)
        for index, luminance in enumerate(frames):
            yield MovieFrame(name, index, luminance)


def holds(refresh_hz: float, frame_rate_hz: float) -> Iterator[int]:
    """For how many refreshes each movie frame stays on the screen, frame after frame.

    A constant where the refresh rate is a multiple of the movie's (within 1 %); elsewhere the two
    nearest integers in turn, so that the movie keeps its speed (75 Hz: 2, 3, 2, 3 for 30 Hz).

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


def programme(config: StimulusConfig) -> Iterator[MovieFrame]:
    """Frames to be shown; the same config gives the same ones.

    Raises ClipError at once for videos that are missing, empty or broken from the start.
    """
    if config.clips is None:
        return _embedded(config)
    files = video_files(config.clips)
    screen = (config.rows_px, config.cols_px)
    return movie(
        shuffled_rounds(files, seed=config.seed),
        lambda file: (file.name, video_frames(file, screen=screen, rate_hz=config.frame_rate_hz)),
    )


def _embedded(config: StimulusConfig) -> Iterator[MovieFrame]:
    clips = tuple(
        embedded_clips(
            Split.SHOW, count=config.embedded_clips, seconds=config.clip_s, seed=config.seed
        )
    )
    ordered = shuffled_rounds(clips, seed=config.seed)
    return movie(ordered, lambda clip: (clip.name, clip.frames))
