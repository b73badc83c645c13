"""What a laboratory's own program displayed: a table of onsets, and the videos that it names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.timed_table import increasing_times, numbers, read_table, require_folder
from rtdecode.schema.errors import UnreadableFileError
from stimulus.videos import video_frames

SCREEN_PX = (36, 64)
"""Rows and columns to which videos are reduced, those of all twins."""
WHAT = "stimulus log"
GREY_CLIP = "grey"
_GREY = 128


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation of a clip."""

    clip: str
    """Name of the file of the clip, in the folder of clips."""
    onset_s: float
    end_s: float
    """When it ended at the latest: `end_s` of the log, or the onset of the next clip."""


@dataclass(frozen=True, slots=True, eq=False)
class DisplayedImage:
    """One image on the screen, until the next one."""

    t_s: float
    clip: str
    index: int
    luminance: NDArray[np.uint8]
    """(row, col) grey levels."""


def read_stimulus_log(path: Path, *, clips: Path) -> list[Presentation]:
    """The presentations in a table with the columns `t_s` and `clip`, and optionally `end_s`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If a file is missing, or the table has other content; the message names the line.
    """
    require_folder(clips, what="folder of the clips", remedy="give it as --clips")
    table = read_table(path, what=WHAT, needed=("t_s", "clip"))
    onsets_s = increasing_times(table["t_s"], path=path, what=WHAT)
    ends_s = np.append(onsets_s[1:], np.inf)
    if "end_s" in table:
        ends_s = np.minimum(ends_s, numbers(table["end_s"], column="end_s", path=path, what=WHAT))
    for place, name in enumerate(table["clip"]):
        if not (clips / name).is_file():
            raise UnreadableFileError(
                what=WHAT,
                path=path,
                expected=f"names of files in {clips}",
                got=f"'{name:.80}' in line {place + 2}",
            )
    return [
        Presentation(name, float(onset_s), float(end_s))
        for name, onset_s, end_s in zip(table["clip"], onsets_s, ends_s, strict=True)
    ]


def displayed_images(
    presentations: list[Presentation], *, clips: Path, rate_hz: float
) -> Iterator[DisplayedImage]:
    """What was on the screen, image by image; grey between clips. One clip is in memory at a time.

    Each clip is played at its own speed, and read at `rate_hz`: image k at onset + k / rate_hz.
    Raises ClipError for a file that is no video.
    """
    for shown, following in zip(presentations, [*presentations[1:], None], strict=True):
        t_s = shown.onset_s
        for index, luminance in enumerate(
            video_frames(clips / shown.clip, screen=SCREEN_PX, rate_hz=rate_hz)
        ):
            t_s = shown.onset_s + index / rate_hz
            if t_s >= shown.end_s:
                break
            yield DisplayedImage(t_s, shown.clip, index, luminance)
            t_s += 1 / rate_hz
        ended_s = min(t_s, shown.end_s)
        if following is None or following.onset_s - ended_s > 1 / rate_hz:
            yield DisplayedImage(ended_s, GREY_CLIP, 0, np.full(SCREEN_PX, _GREY, np.uint8))
