"""What a log holds apart from its large arrays: times, numbers, tables of what happened.

Duties: read a log once and keep, for the exports, when each frame was displayed, which frames have
activity and a reconstruction, behaviour, trials, actions with their effects, scores, events and
losses. Memory grows by about 1 kB for each second of a session and stream. It must not keep images
or activity, which `rtdecode.export.large_arrays` reads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.schema.control import Acknowledgement, Action, Delivery, Trial
from rtdecode.schema.errors import NeuronsChangedError, UnreadableFileError
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    DisplayedFrame,
    Event,
    Fluorescence,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
    Start,
)
from rtdecode.session.recorded import RecordedSession

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

CHANNELS = ("running", "pupil diameter", "pupil x", "pupil y")
_NO_IMAGE = np.zeros((0, 0), np.uint8)
_NO_VALUES = np.zeros(0, np.float32)
_KEPT = (
    DisplayedFrame,
    Responses,
    Fluorescence,
    Reconstruction,
    Behaviour,
    Start,
    Trial,
    Action,
    Acknowledgement,
    Delivery,
    Event,
    Gap,
    Score,
    ResponsePrediction,
)
KINDS = tuple(kind.kind for kind in _KEPT)
"""Kinds of messages that are read."""
_NS_PER_S = 1e9


@dataclass(slots=True)
class PlaneScans:
    """Scans of one plane with fluorescence."""

    neurons: int
    t_scan_ns: list[int] = field(default_factory=list)
    """Middle of each scan."""
    numbers: list[int] = field(default_factory=list)
    shifts_px: list[tuple[float, ...]] = field(default_factory=list)
    """(row, col) by which registration moved each scan."""
    has_neuropil: bool = False


@dataclass(slots=True)
class SessionContent:
    """Times and small values of a session, in the order of its log."""

    log: Path
    grid: FrameGrid
    zero_ns: int = 0
    """Time of the first message, from which all times count."""
    starts: list[tuple[str, int, Start]] = field(default_factory=list)
    """Source, time in ns and START of each start of a process."""
    displayed: list[DisplayedFrame] = field(default_factory=list)
    """Displayed frames without their images."""
    truth: dict[int, int] = field(default_factory=dict)
    """Place in `displayed` of the frame on the screen in the middle of each frame of the grid."""
    screen_px: tuple[int, int] = (0, 0)
    measured: dict[int, bool] = field(default_factory=dict)
    """Whether any neuron was measured, for each frame of the grid with responses."""
    response_numbers: dict[int, int] = field(default_factory=dict)
    """Number in their stream of the responses of each frame; of several, that of the last."""
    n_responses: int = 0
    neurons: int = 0
    rois_hash: str = ""
    causality: str = "causal"
    """Of the activity, as the first responses state it."""
    planes: dict[int, PlaneScans] = field(default_factory=dict)
    decoded: dict[int, tuple[int, Reconstruction]] = field(default_factory=dict)
    """Time in ns of the emission, and the reconstruction without images, for each frame."""
    decoded_px: tuple[int, int] = (0, 0)
    has_uncertainty: bool = False
    samples: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Behaviour by time in ns, with the channels of CHANNELS."""
    trials: list[Trial] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    acknowledgements: dict[int, Acknowledgement] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    events: list[tuple[int, Event]] = field(default_factory=list)
    gaps: list[tuple[int, Gap]] = field(default_factory=list)
    scores: list[tuple[int, Score]] = field(default_factory=list)
    checks: list[tuple[int, ResponsePrediction]] = field(default_factory=list)

    def seconds(self, t_ns: int) -> float:
        """Seconds from the first message to `t_ns`."""
        return (t_ns - self.zero_ns) / _NS_PER_S

    def seconds_of(self, t_ns: I64) -> F64:
        """Seconds from the first message to each of `t_ns`."""
        # the difference first: float64 cannot hold nanoseconds since boot exactly
        since: F64 = (t_ns - self.zero_ns) / _NS_PER_S
        return since

    @property
    def frames(self) -> range:
        """Frames of the grid from the first to the last one with responses."""
        known = self.measured
        return range(min(known), max(known) + 1) if known else range(0)

    @property
    def decoded_frames(self) -> list[int]:
        """Frames of the grid with a reconstruction, ascending."""
        return sorted(self.decoded)

    def on_screen(self) -> dict[int, DisplayedFrame]:
        """The displayed frame in the middle of each frame of the grid, without image."""
        return {frame: self.displayed[place] for frame, place in self.truth.items()}

    def behaviour(self) -> tuple[I64, F64]:
        """(sample,) times in ns, ascending, and (sample, 4) channels."""
        times = np.array(sorted(self.samples), np.int64)
        values = np.array([self.samples[int(time)] for time in times], np.float64)
        return times, values.reshape(-1, len(CHANNELS))


def read_content(
    session: RecordedSession, *, progress: Callable[[], None] = lambda: None
) -> SessionContent:
    """Read the log once, without its scans; `progress` is called for each message.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no config, or the size of the displayed or decoded frames changes in the log.
    NeuronsChangedError
        If the neurons, by number or ROIs, change in it.
    """
    grid = FrameGrid(session.config.frame_rate_hz)
    content = SessionContent(session.layout.log, grid, zero_ns=session.zero_ns)
    truth = TruthOnGrid(grid)
    for item in session.messages(*KINDS):
        _add(content, item, truth)
        progress()
    return content


def _add(content: SessionContent, item: Received, truth: TruthOnGrid) -> None:
    message, t_ns = item.message, item.message.t_ns
    match message.body:
        case DisplayedFrame() as frame:
            _add_displayed(content, message, frame, truth)
        case Responses() as responses:
            _add_responses(content, responses)
        case Fluorescence() as fluorescence:
            _add_fluorescence(content, fluorescence)
        case Reconstruction() as frame:
            _add_decoded(content, t_ns, frame)
        case Behaviour() as sample:
            x, y = sample.pupil_center_px.tolist()
            row = (sample.running_cm_s, sample.pupil_diameter_px, x, y)
            content.samples[sample.t_sample_ns] = row
        case Start() as start:
            content.starts.append((message.source, t_ns, start))
        case _:
            _add_to_table(content, message)


def _add_to_table(content: SessionContent, message: Stamped) -> None:
    match message.body:
        case Event() as event:
            content.events.append((message.t_ns, event))
        case Gap() as gap:
            content.gaps.append((message.t_ns, gap))
        case Score() as score:
            content.scores.append((message.t_ns, score))
        case ResponsePrediction() as check:
            content.checks.append((message.t_ns, check))
        case _:
            _add_of_loop(content, message)


def _add_of_loop(content: SessionContent, message: Stamped) -> None:
    match message.body:
        case Trial() as trial:
            content.trials.append(trial)
        case Action() as action:
            content.actions.append(action)
        case Acknowledgement() as done:
            content.acknowledgements[done.number] = done
        case Delivery() as delivery:
            content.deliveries.append(delivery)


def _add_displayed(
    content: SessionContent, message: Stamped, frame: DisplayedFrame, truth: TruthOnGrid
) -> None:
    shape = frame.luminance.shape
    content.screen_px = _same_size(content, "displayed frames", content.screen_px, shape)
    without_image = replace(frame, luminance=_NO_IMAGE)
    for known in truth.add_displayed(message, without_image):
        # the frame that was displayed until this flip
        content.truth[known.frame] = len(content.displayed) - 1
    content.displayed.append(without_image)


def _add_responses(content: SessionContent, responses: Responses) -> None:
    now = (len(responses.activity), responses.rois_hash)
    first = (content.neurons, content.rois_hash)
    if content.measured and now != first:
        frame = responses.frame - content.frames.start
        raise NeuronsChangedError(log=content.log, first=first, then=now, frame=frame)
    if responses.t_frame_start_ns != content.grid.start_ns(responses.frame):
        raise UnreadableFileError(
            what="session log",
            path=content.log,
            expected=f"responses at {content.grid.rate_hz:g} frames a second (frame_rate_hz)",
            got=f"frame {responses.frame} at {responses.t_frame_start_ns} ns",
        )
    content.neurons, content.rois_hash = now
    content.causality = responses.causality
    content.measured[responses.frame] = bool(responses.valid.any())
    content.response_numbers[responses.frame] = content.n_responses
    content.n_responses += 1


def _add_fluorescence(content: SessionContent, found: Fluorescence) -> None:
    plane = content.planes.setdefault(found.plane, PlaneScans(len(found.f_raw)))
    if len(found.f_raw) != plane.neurons:
        first, now = (plane.neurons, ""), (len(found.f_raw), found.rois_hash)
        number = found.number - plane.numbers[0]
        raise NeuronsChangedError(log=content.log, first=first, then=now, frame=number)
    plane.t_scan_ns.append(found.t_scan_ns)
    plane.numbers.append(found.number)
    plane.shifts_px.append(tuple(found.shift_px.tolist()))
    plane.has_neuropil = plane.has_neuropil or bool(found.f_neuropil.any())


def _add_decoded(content: SessionContent, t_ns: int, frame: Reconstruction) -> None:
    shape = frame.luminance.shape
    content.decoded_px = _same_size(content, "reconstructions", content.decoded_px, shape)
    content.has_uncertainty = content.has_uncertainty or bool(frame.uncertainty.any())
    empty = replace(frame, luminance=_NO_IMAGE.astype(np.float32), uncertainty=_NO_VALUES)
    content.decoded[frame.frame] = (t_ns, empty)


def _same_size(
    content: SessionContent, what: str, first: tuple[int, int], now: tuple[int, ...]
) -> tuple[int, int]:
    """`now`, (row, col), if it is the `first` size or there was none."""
    rows, cols = now
    if any(first) and first != (rows, cols):
        raise UnreadableFileError(
            what="session log",
            path=content.log,
            expected=f"{what} of {first} pixels, as the first one",
            got=str(now),
        )
    return rows, cols
