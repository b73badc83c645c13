"""What the log of one of our own sessions tells of each frame of the 30 Hz grid.

Shown frames, responses and behaviour are read back by the reader of all logs; a log whose writer
was killed gives what was flushed. Everything is held in memory, scans are passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.schema.errors import NeuronsChangedError, StreamMissingError, UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Responses, Stamped
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

F32 = NDArray[np.float32]

GRID = FrameGrid(30.0)
CHANNELS = 4
_KINDS = frozenset({DisplayedFrame.kind, Responses.kind, Behaviour.kind})


@dataclass(slots=True)
class AlignedStreams:
    """Truth, activity and behaviour of a run, side by side on the frame grid."""

    log: Path
    shown: dict[int, DisplayedFrame] = field(default_factory=dict)
    """What was on the screen in the middle of a frame; a frame that nobody can tell is not here."""
    responses: dict[int, Responses] = field(default_factory=dict)
    samples: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Behaviour by its HostNs: running in cm/s, pupil diameter, pupil centre x and y in px."""

    @property
    def screen_px(self) -> tuple[int, int]:
        """(rows, cols) of what was shown."""
        rows, cols = next(iter(self.shown.values())).luminance.shape
        return rows, cols

    @property
    def neurons(self) -> int:
        """How many there are in every frame."""
        return len(next(iter(self.responses.values())).activity)

    def is_measured(self, frame: int) -> bool:
        """Whether any neuron was measured in `frame`."""
        found = self.responses.get(frame)
        return found is not None and bool(found.valid.any())

    def video(self, frames: Iterable[int]) -> NDArray[np.uint8]:
        """(frame, row, col) of frames that were all shown."""
        return np.stack([self.shown[frame].luminance for frame in frames])

    def activity(self, frames: range) -> F32:
        """(frame, neuron) with NaN where a neuron was not measured."""
        activity = np.full((len(frames), self.neurons), np.nan, np.float32)
        for row, frame in zip(activity, frames, strict=True):
            found = self.responses.get(frame)
            if found is not None:
                row[found.valid] = found.activity[found.valid]
        return activity

    def behaviour(self, frames: range) -> F32:
        """(frame, 4) at the start of each frame, between samples by their line.

        Zeros where the rig tells nothing: a channel that never moves says nothing to a twin.
        """
        if not self.samples:
            return np.zeros((len(frames), CHANNELS), np.float32)
        times = np.array(sorted(self.samples), np.int64)
        values = np.array([self.samples[int(time)] for time in times])
        # counted from the first sample: nanoseconds since the boot do not fit into a float
        at = np.array([GRID.start_ns(frame) for frame in frames], np.int64) - times[0]
        columns = [np.interp(at, times - times[0], column) for column in values.T]
        return np.column_stack(columns).astype(np.float32)


def read_aligned_streams(session: SessionLayout) -> AlignedStreams:
    """The streams of a recorded session, as far as its log goes.

    Raises
    ------
    StreamMissingError
        If the log holds no shown frames or no responses.
    NeuronsChangedError
        If responses do not all hold the same number of neurons.
    UnreadableFileError
        If the log is none, or its responses lie on another grid, or the screen changed its size.
    """
    streams, truth = AlignedStreams(session.log), TruthOnGrid(GRID)
    for received in LogReader(session.log).messages(_is_wanted):
        _enter(received.message, streams, truth)
    if not streams.shown:
        raise StreamMissingError(
            log=session.log,
            what="shown frames, which tell what was on the screen",
            remedy="record with the stimulus process (see docs/rig.md)",
        )
    if not streams.responses:
        raise StreamMissingError(
            log=session.log,
            what="responses, which tell what the neurons did",
            remedy=f"`rtdecode replay {session.folder}` makes them of its scans, in a new session",
        )
    return streams


def _is_wanted(stream: str) -> bool:
    return stream.partition("/")[2] in _KINDS


def _enter(message: Stamped, streams: AlignedStreams, truth: TruthOnGrid) -> None:
    body = message.body
    if isinstance(body, DisplayedFrame):
        _check_screen(body, streams)
        for now in truth.take(message, body):
            streams.shown[now.frame] = now.shown
    elif isinstance(body, Responses):
        _check_responses(body, streams)
        streams.responses[body.frame] = body
    elif isinstance(body, Behaviour):
        x, y = body.pupil_center_px.tolist()
        streams.samples[body.t_sample_ns] = (body.running_cm_s, body.pupil_diameter_px, x, y)


def _check_screen(shown: DisplayedFrame, streams: AlignedStreams) -> None:
    if streams.shown and shown.luminance.shape != streams.screen_px:
        raise UnreadableFileError(
            what="session log",
            path=streams.log,
            expected=f"frames of {streams.screen_px} pixels, as the first",
            got=str(shown.luminance.shape),
        )


def _check_responses(responses: Responses, streams: AlignedStreams) -> None:
    if streams.responses and len(responses.activity) != streams.neurons:
        raise NeuronsChangedError(
            log=streams.log,
            first=streams.neurons,
            then=len(responses.activity),
            frame=responses.frame - next(iter(streams.responses)),
        )
    if responses.t_frame_start_ns != GRID.start_ns(responses.frame):
        raise UnreadableFileError(
            what="session log",
            path=streams.log,
            expected=f"responses at {GRID.rate_hz:g} frames a second (calcium.frame_rate_hz)",
            got=f"frame {responses.frame} at {responses.t_frame_start_ns} ns",
        )
