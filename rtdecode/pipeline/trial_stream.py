"""Trials of a recorded data set as the messages that a rig sends live, frame by frame.

Duties: select the trials, and for each frame of them give the displayed frame, the behaviour and
the activity as messages, at the times of a continuous frame grid. Replays and the process that
replays in real time send the same messages. This module must not depend on clocks or sockets.

One trial follows the other without a pause. In the grid frame k of the session its displayed frame
and its behaviour are due at the start of k, and its activity at the end, as from a microscope
without any delay.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.nwb_session import is_nwb
from rtdecode.datasets.opening import holds_stills, open_video_session
from rtdecode.datasets.own_session import is_own_session
from rtdecode.datasets.video_session import VideoSession
from rtdecode.offline.trial import Input, Trial, causality_of, numbered_trials
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, Body, DisplayedFrame
from rtdecode.schema.recorded_activity import RecordedActivity

_GREY_CLIP, _GREY = "grey", 128
"""What is displayed after the last trial, as by the stimulus in a pause."""


@dataclass(frozen=True, slots=True)
class Due:
    """The messages that are due at one moment, each with its source, in their order."""

    t_ns: int
    messages: tuple[tuple[str, Body], ...]
    trial: int
    """Number of the trial whose frame begins; of the last one at the end."""


class TrialStream:
    """The messages of the trials of one data set.

    Parameters
    ----------
    source
        The data set, the trials and the kind of activity.

    Raises
    ------
    UnreadableFileError
        If it is a session of rtdecode, has still images, or lacks a trial.
    NoSuchTierError
        If it has no such tier.
    BadInputError
        If the data cannot be read, as `open_video_session` states it.
    """

    def __init__(self, source: RecordedTrialsSource) -> None:
        self.data = _opened(source)
        self.numbers = _numbers(self.data, source)
        self._kind = Input(source.input)
        self.causality = causality_of(self.data, self._kind)

    @property
    def n_frames(self) -> int:
        """Frames of all trials together."""
        return sum(self.data.frames(number) for number in self.numbers)

    def messages(self, grid: FrameGrid, *, first_frame: int) -> Iterator[Due]:
        """What is due at the start of each frame from `first_frame` on; one trial is in memory."""
        frame, ended = first_frame, tuple[tuple[str, Body], ...]()
        screen = np.full((self.data.rows_px, self.data.cols_px), _GREY, np.uint8)
        for trial in numbered_trials(self.data, self.numbers, self._kind):
            for index in range(len(trial.responses)):
                t_ns = grid.start_ns(frame)
                yield Due(t_ns, (*ended, *_begun(trial, index, t_ns)), trial.number)
                ended = tuple(self._ended(trial, index, frame, grid))
                frame += 1
        t_ns = grid.start_ns(frame)
        last = DisplayedFrame(_GREY_CLIP, 0, screen, t_ns, 1)
        yield Due(t_ns, (*ended, ("stimulus", last)), self.numbers[-1])

    def _ended(
        self, trial: Trial, index: int, frame: int, grid: FrameGrid
    ) -> Iterator[tuple[str, Body]]:
        """The activity of a frame, where any neuron was measured."""
        valid = trial.valid[index]
        if valid.any():
            activity = np.where(valid, trial.responses[index], np.float32(0))
            yield (
                "bridge",
                RecordedActivity(
                    activity=activity.astype(np.float32),
                    valid=valid,
                    frame=frame,
                    t_frame_start_ns=grid.start_ns(frame),
                    t_frame_end_ns=grid.start_ns(frame + 1),
                    causality=self.causality.value,
                    trial=trial.number,
                ),
            )


def _begun(trial: Trial, index: int, t_ns: int) -> Iterator[tuple[str, Body]]:
    """The displayed frame and the behaviour of a frame that begins at `t_ns`."""
    picture = as_grey_levels(trial.truth[index])
    yield "stimulus", DisplayedFrame(f"trial {trial.number}", index, picture, t_ns, 1)
    behaviour = trial.behaviour[index]
    if np.isfinite(behaviour).all():
        running, pupil = float(behaviour[0]), float(behaviour[1])
        yield "bridge", Behaviour(t_ns, running, pupil, behaviour[2:].astype(np.float32))


def as_grey_levels(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(row, col) whole grey levels, as a screen displays them.

    >>> as_grey_levels(np.array([[-3.0, 12.4, 300.0]], np.float32)).tolist()
    [[0, 12, 255]]
    """
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _opened(source: RecordedTrialsSource) -> VideoSession:
    if is_own_session(source.path):
        raise _unusable(
            source, "a session of rtdecode", "`rtdecode replay SESSION` decodes it as it was sent"
        )
    if not is_nwb(source.path) and holds_stills(source.path):
        raise _unusable(
            source, "still images", "`rtdecode reconstruct --method offline` decodes them"
        )
    return open_video_session(source.path)


def _numbers(data: VideoSession, source: RecordedTrialsSource) -> tuple[int, ...]:
    if source.trials is None:
        return data.trials(source.tier)
    known = {number for tier in data.tier_names for number in data.trials(tier)}
    if missing := [number for number in source.trials if number not in known]:
        raise UnreadableFileError(
            what="data set",
            path=source.path,
            expected=f"the trials {', '.join(map(str, missing))}",
            got=f"{len(known)} trials from {min(known)} to {max(known)}",
        )
    return source.trials


def _unusable(source: RecordedTrialsSource, got: str, remedy: str) -> UnreadableFileError:
    return UnreadableFileError(
        what="data set",
        path=source.path,
        expected="a folder in the layout of Sensorium 2023, or an NWB file",
        got=got,
        remedy=remedy,
    )
