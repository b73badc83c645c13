"""Clips for playback and training: grey 36 x 64 videos, embedded or the user's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as integers
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stimulus.gaze import gaze_path
from stimulus.pictures import Split, dead_leaves, photographs
from stimulus.scene import COLS_PX, ROWS_PX, SceneImage, random_cutout, random_layer, scene_frames
from stimulus.surface import Surface
from stimulus.videos import video_files, video_frames

_DEAD_LEAVES = 6
_DEAD_LEAVES_SCALE = (1.5, 4.0)
_OBJECTS = (0.25, 0.45, 0.3)
"""Probability of 0, 1 and 2 independently moving objects."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A short video, its name and its licence."""

    name: str
    frames: NDArray[np.uint8]
    """(frame, 36, 64) uint8 grey levels."""
    licence: str


def embedded_clips(
    split: Split, *, count: int, seconds: float, seed: int, frame_rate_hz: float
) -> Iterator[Clip]:
    """Videos made of freely licensed photographs under a simulated gaze.

    Each clip shows one image along a random gaze path (`stimulus.gaze`), with up to two cut-outs
    of other images moving over it, possibly mirrored, at a random mean and contrast. Clip i
    depends on i and on all parameters but `count`. The splits share no photograph, so a twin
    fitted to the train split is tested on unseen images. The train split also contains synthetic
    dead-leaves images, so that 20 minutes of training data do not repeat seven photographs only.

    Parameters
    ----------
    split
        Set of photographs to draw from.
    count
        Number of clips; each is made when the iterator reaches it.
    seconds
        Length of each clip in seconds.
    seed
        Seed of images, paths and contrasts.
    frame_rate_hz
        Frame rate of the clips.
    """
    images = _scene_images(split)
    for number, rng in zip(range(count), _generators(split, seed), strict=False):
        yield _clip(
            images,
            rng,
            name=f"{split}-{seed}-{number:03d}",
            frames=round(seconds * frame_rate_hz),
            number=number,
            rate_hz=frame_rate_hz,
        )


def folder_clips(path: Path, *, seconds: float, frame_rate_hz: float) -> Iterator[Clip]:
    """The user's videos of a folder (or one file), cut into clips of at most `seconds`.

    One clip is in memory at a time.

    Raises
    ------
    ClipError
        For a folder without videos, and for a file that is missing, empty or broken.
    """
    for file in video_files(path):
        video = video_frames(file, screen=(ROWS_PX, COLS_PX), rate_hz=frame_rate_hz)
        for number in integers():
            frames = list(islice(video, round(seconds * frame_rate_hz)))
            if not frames:
                break
            yield Clip(f"{file.name}-{number:03d}", np.stack(frames), "the user's own")


def _scene_images(split: Split) -> list[SceneImage]:
    found = [
        SceneImage(photo.name, photo.licence, Surface(photo.luma()), photo.scale)
        for photo in photographs(split)
    ]
    if split is Split.TRAIN:
        pictures = (
            dead_leaves(np.random.default_rng([7, number])) for number in range(_DEAD_LEAVES)
        )
        found += [
            SceneImage(f"leaves{number}", "CC0 (synthetic)", Surface(one), _DEAD_LEAVES_SCALE)
            for number, one in enumerate(pictures)
        ]
    return found


def _generators(split: Split, seed: int) -> Iterator[Generator]:
    """One random generator for each clip; the splits share none."""
    for number in integers():
        yield np.random.default_rng([abs(seed), int(seed < 0), list(Split).index(split), number])


def _clip(
    images: list[SceneImage],
    rng: Generator,
    *,
    name: str,
    frames: int,
    number: int,
    rate_hz: float,
) -> Clip:
    behind = images[number % len(images)]
    others = [image for image in images if image is not behind]
    front = [
        others[pick]
        for pick in rng.choice(len(others), rng.choice(len(_OBJECTS), p=_OBJECTS), replace=False)
    ]
    background = random_layer(rng, behind, gaze_path(rng, frames, rate_hz=rate_hz))
    cutouts = [random_cutout(rng, one, frames, rate_hz=rate_hz) for one in front]
    video = _exposed(rng, _mirrored(rng, scene_frames(background, cutouts, frames)))
    names = "+".join([behind.name, *(one.name for one in front)])
    return Clip(
        f"{name}-{names}", video, "; ".join(sorted({one.licence for one in [behind, *front]}))
    )


def _mirrored(rng: Generator, video: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(video[:, :, ::-1] if rng.integers(2) else video)


def _exposed(rng: Generator, video: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(frame, 36, 64) uint8 of mean 90 to 150 and standard deviation 40 to 65 grey levels."""
    mean, contrast = rng.uniform(90, 150), rng.uniform(40, 65)
    scaled = (video - video.mean()) * (contrast / max(float(video.std()), 1.0)) + mean
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


__all__ = ["COLS_PX", "ROWS_PX", "Clip", "Split", "embedded_clips", "folder_clips"]
