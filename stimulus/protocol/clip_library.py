"""All named clips and stills of a run, in memory, for the command that shows a clip by its name.

>>> from rtdecode.schema.config.stimulus import StimulusConfig
>>> config = StimulusConfig(embedded_clips=1, clip_s=0.1)
>>> clips = ClipLibrary(config, None, frame_rate_hz=30.0)
>>> clips.frames("embedded-0").shape
(3, 36, 64)
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.protocol import Movie, Protocol, Still
from rtdecode.schema.config.stimulus import EMBEDDED_PX, StimulusConfig
from rtdecode.schema.errors import UnknownClipError
from rtdecode.schema.planned_trials import planned_frames
from stimulus.clips import Clip, Split, embedded_clips
from stimulus.videos import video_files, video_frames

_EMBEDDED = "embedded-"


class ClipLibrary:
    """Movies and stills of a protocol, videos of `stimulus.clips`, and embedded clips, by name.

    The name of a file is its name in the protocol, else its file name; of two with the same name
    the first counts. A still has its picture for as long as its protocol displays it, without a
    copy of it for each frame. An embedded clip has the name `embedded-NUMBER`, and in a run without
    protocol and `stimulus.clips` also the one that `displayed_frame` has.

    Parameters
    ----------
    protocol
        None for a run that displays the clips of `config`.

    Raises
    ------
    ClipError
        If a file is missing, empty or broken from the start.
    """

    def __init__(
        self, config: StimulusConfig, protocol: Protocol | None, *, frame_rate_hz: float
    ) -> None:
        self._config, self._rate_hz = config, frame_rate_hz
        self._size_px = (config.rows_px, config.cols_px)
        self._files: dict[str, Path] = {}
        self._still_frames: dict[str, int] = {}
        """Frames for which each still is displayed, by name."""
        for picture in () if protocol is None else _pictures(protocol):
            if picture.file is not None and picture.label() not in self._files:
                self._files[picture.label()] = picture.file
                if isinstance(picture, Still):
                    count = planned_frames(picture, frame_rate_hz=frame_rate_hz)
                    self._still_frames[picture.label()] = count or 1
        for file in () if config.clips is None else video_files(config.clips):
            self._files.setdefault(file.name, file)
        for file in self._files.values():
            next(video_frames(file, screen=(1, 1), rate_hz=1.0))
        if protocol is not None and any(one.embedded is not None for one in _pictures(protocol)):
            _ = self.embedded  # made now, since it takes seconds
        self._kept: dict[str, NDArray[np.uint8]] = {}

    @cached_property
    def embedded(self) -> Sequence[Clip]:
        """The embedded clips, made at the first use; none for frames of another size."""
        config = self._config
        if self._size_px != EMBEDDED_PX:
            return ()
        return tuple(
            embedded_clips(
                Split.SHOW,
                count=config.embedded_clips,
                seconds=config.clip_s,
                seed=config.seed,
                frame_rate_hz=self._rate_hz,
            )
        )

    @property
    def names(self) -> list[str]:
        """Names of all clips."""
        has_embedded = self._size_px == EMBEDDED_PX
        numbers = range(self._config.embedded_clips if has_embedded else 0)
        return [*self._files, *(f"{_EMBEDDED}{number}" for number in numbers)]

    def frames(self, name: str) -> NDArray[np.uint8]:
        """(frame, row, col) uint8 frames of the clip `name`, decoded once and then kept.

        Raises
        ------
        UnknownClipError
            If there is no such clip; it lists the names.
        ClipError
            If the file cannot be decoded to its end.
        """
        if name not in self._kept:
            self._kept[name] = self._decoded(name)
        return self._kept[name]

    def load(self) -> None:
        """Decode all clips now, so that no later call of `frames` takes time."""
        for name in self.names:
            self.frames(name)

    def streamed(self, picture: Movie | Still) -> Iterator[NDArray[np.uint8]]:
        """(row, col) frames of a stimulus of the protocol; a file is decoded while it is read."""
        if picture.file is not None:
            return video_frames(picture.file, screen=self._size_px, rate_hz=self._rate_hz)
        return iter(self.embedded[picture.embedded or 0].frames)

    def _decoded(self, name: str) -> NDArray[np.uint8]:
        if name in self._files:
            source = video_frames(self._files[name], screen=self._size_px, rate_hz=self._rate_hz)
            if (count := self._still_frames.get(name)) is not None:
                return np.broadcast_to(next(source), (count, *self._size_px))
            return np.stack(list(source))
        by_name = {clip.name: clip for clip in self.embedded}
        by_number = {f"{_EMBEDDED}{number}": clip for number, clip in enumerate(self.embedded)}
        found = (by_name | by_number).get(name)
        if found is None:
            raise UnknownClipError(got=name, known=self.names)
        return found.frames


def _pictures(protocol: Protocol) -> Iterator[Movie | Still]:
    for block in protocol.blocks:
        for condition in block.conditions():
            if isinstance(condition, Movie | Still):
                yield condition
