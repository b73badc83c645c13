"""Displayed frames, responses and behaviour of an rtdecode log, aligned on the frame grid.

For `own_session`. The log of a recorder that was killed gives what was flushed. The three streams
are held in memory; scans are skipped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import NeuronsChangedError, StreamMissingError, UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Responses, Stamped
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

F32 = NDArray[np.float32]

CHANNELS = 4
_KINDS = frozenset({DisplayedFrame.kind, Responses.kind, Behaviour.kind})


@dataclass(slots=True)
class AlignedStreams:
    """Displayed frames, activity and behaviour of a run, by number of the frame on the grid."""

    log: Path
    grid: FrameGrid
    displayed: dict[int, DisplayedFrame] = field(default_factory=dict)
    """On the screen in the middle of each frame; frames without a known image are absent."""
    responses: dict[int, Responses] = field(default_factory=dict)
    samples: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """By time in ns: running in cm/s, pupil diameter in px, pupil centre x and y in px."""

    @property
    def screen_px(self) -> tuple[int, int]:
        """(rows, cols) of the displayed frames."""
        rows, cols = next(iter(self.displayed.values())).luminance.shape
        return rows, cols

    @property
    def neurons(self) -> int:
        """Number of neurons, the same in every frame."""
        return len(next(iter(self.responses.values())).activity)

    @property
    def rois_hash(self) -> str:
        """Content hash of the ROIs, the same in every frame; empty in earlier logs."""
        return next(iter(self.responses.values())).rois_hash

    @property
    def causality(self) -> str:
        """Causality of the activity; causal unless the session is the replay of a data set."""
        return next(iter(self.responses.values())).causality

    def is_measured(self, frame: int) -> bool:
        """Whether any neuron was measured in `frame`."""
        found = self.responses.get(frame)
        return found is not None and bool(found.valid.any())

    def video(self, frames: Iterable[int]) -> NDArray[np.uint8]:
        """(frame, row, col) grey levels; all of `frames` must be in `displayed`."""
        return np.stack([self.displayed[frame].luminance for frame in frames])

    def activity(self, frames: range) -> F32:
        """(frame, neuron) with NaN where a neuron was not measured."""
        activity = np.full((len(frames), self.neurons), np.nan, np.float32)
        for row, frame in zip(activity, frames, strict=True):
            found = self.responses.get(frame)
            if found is not None:
                row[found.valid] = found.activity[found.valid]
        return activity

    def behaviour(self, frames: range) -> F32:
        """(frame, 4) at the start of each frame, interpolated linearly between samples.

        Zeros if no behaviour was recorded: a constant channel does not affect a twin's prediction.
        """
        times = np.array(sorted(self.samples), np.int64)
        values = np.array([self.samples[int(time)] for time in times])
        return behaviour_on_grid(times, values, frames, grid=self.grid)


def behaviour_on_grid(
    t_ns: NDArray[np.int64], values: NDArray[np.float64], frames: range, *, grid: FrameGrid
) -> F32:
    """(frame, 4) at the start of each frame, from (sample, 4) `values` at ascending times.

    Zeros without samples.
    """
    if not len(t_ns):
        return np.zeros((len(frames), CHANNELS), np.float32)
    # relative to the first sample: float64 cannot hold nanoseconds since boot exactly
    at = np.array([grid.start_ns(frame) for frame in frames], np.int64) - t_ns[0]
    columns = [np.interp(at, t_ns - t_ns[0], column) for column in values.T]
    return np.column_stack(columns).astype(np.float32)


def read_aligned_streams(session: SessionLayout) -> AlignedStreams:
    """Read the streams of a recorded session, up to the end of its log.

    Raises
    ------
    StreamMissingError
        If the log holds no displayed frames or no responses.
    NeuronsChangedError
        If responses do not all belong to the same ROIs, compared by content.
    UnreadableFileError
        If the file is not a log, its responses lie on another grid, or the size of the displayed
        frames changes.
    """
    grid = FrameGrid(_frame_rate_hz(session))
    streams, truth = AlignedStreams(session.log, grid), TruthOnGrid(grid)
    for received in LogReader(session.log).messages(_is_read):
        _add(received.message, streams, truth)
    if not streams.displayed:
        raise StreamMissingError(
            log=session.log,
            what="displayed frames, the ground truth of training and scoring",
            remedy="record with the stimulus process (see docs/rig.md)",
        )
    if not streams.responses:
        raise StreamMissingError(
            log=session.log,
            what="responses, the activity of the neurons",
            remedy=f"`rtdecode replay {session.folder}` computes them in a new session",
        )
    return streams


def _frame_rate_hz(session: SessionLayout) -> float:
    """Frame rate of the session's config; the default for a log without its session folder."""
    config = read_config(session.config) if session.config.is_file() else RunConfig()
    return config.frame_rate_hz


def _is_read(stream: str) -> bool:
    return stream.partition("/")[2] in _KINDS


def _add(message: Stamped, streams: AlignedStreams, truth: TruthOnGrid) -> None:
    body = message.body
    if isinstance(body, DisplayedFrame):
        _check_screen(body, streams)
        for now in truth.add_displayed(message, body):
            streams.displayed[now.frame] = now.displayed
    elif isinstance(body, Responses):
        _check_responses(body, streams)
        streams.responses[body.frame] = body
    elif isinstance(body, Behaviour):
        x, y = body.pupil_center_px.tolist()
        streams.samples[body.t_sample_ns] = (body.running_cm_s, body.pupil_diameter_px, x, y)


def _neurons(responses: Responses) -> tuple[int, str]:
    """Number of neurons, and the hash of their ROIs, which is empty in earlier logs."""
    return len(responses.activity), responses.rois_hash


def _check_screen(frame: DisplayedFrame, streams: AlignedStreams) -> None:
    if streams.displayed and frame.luminance.shape != streams.screen_px:
        raise UnreadableFileError(
            what="session log",
            path=streams.log,
            expected=f"displayed frames of {streams.screen_px} pixels, as the first one",
            got=str(frame.luminance.shape),
        )


def _check_responses(responses: Responses, streams: AlignedStreams) -> None:
    first = next(iter(streams.responses.values()), responses)
    if _neurons(responses) != _neurons(first):
        raise NeuronsChangedError(
            log=streams.log,
            first=_neurons(first),
            then=_neurons(responses),
            frame=responses.frame - first.frame,
        )
    if responses.t_frame_start_ns != streams.grid.start_ns(responses.frame):
        raise UnreadableFileError(
            what="session log",
            path=streams.log,
            expected=f"responses at {streams.grid.rate_hz:g} frames a second (frame_rate_hz)",
            got=f"frame {responses.frame} at {responses.t_frame_start_ns} ns",
        )
