"""Writes the trials of a session as a folder in the layout of the Sensorium 2023 competition.

Duties: give others' encoders the folder that they train on, which `rtdecode.datasets.sensorium`
reads back as the session has it. The layout has no missing values: what was not measured is left
out, and sentences state what. It must not change or fill in a value.

    write_sensorium(RecordedSession("sessions/2026-11-30_09-00-00"), Path("mouse1"))
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.aligned_streams import behaviour_on_grid
from rtdecode.datasets.segments import FEWEST_CLIPS, SHORTEST_FRAMES, ClipSegment
from rtdecode.datasets.sensorium import STATED, SessionWriter
from rtdecode.datasets.video_session import TEST, TRAIN, VALIDATION, Segment
from rtdecode.export.recorded_segments import recorded_segments, video_of
from rtdecode.export.sensorium_statistics import write_statistics
from rtdecode.export.session_content import SessionContent, read_content
from rtdecode.schema.errors import StreamMissingError, TooFewClipsError
from rtdecode.session.recorded import RecordedSession

F32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Progress = Callable[[int, int], None]


def write_sensorium(
    session: RecordedSession, out: Path, *, progress: Progress = lambda done, total: None
) -> list[str]:
    """Write the trials of `session` into the new folder `out`; sentences on what it lacks.

    A neuron that is not measured in any trial is left out, and of each trial the longest run of
    frames in which all other neurons were measured is written, if it lasts three seconds.

    Parameters
    ----------
    progress
        Called with the number of steps that were done, and of all.

    Raises
    ------
    StreamMissingError
        If the session has no displayed frames, no activity, or no trial that was measured.
    TooFewClipsError
        If it has too few different clips for the three tiers.
    FolderNotEmptyError
        If `out` exists and is not empty.
    MissingFileError, UnreadableFileError, NeuronsChangedError
        If the session has no config, or its frames or neurons change within it.
    """
    content = read_content(session)
    _require_streams(content)
    trials = _Trials(session, content, progress)
    writer, names, tiers = SessionWriter(out), list[str](), set[str]()
    for one in trials.segments:
        found = trials.measured(one.segment)
        if found is not None:
            writer.add(found, tier=str(one.tier))
            names.append(one.segment.name)
            tiers.add(str(one.tier))
    if TRAIN not in tiers:
        raise _missing(content, "training trial of 3 s in which all neurons were measured")
    lacks = [*trials.sentences(), *_behaviour(content)]
    lacks += _write_neurons(out, session, trials.neurons)
    absent = [tier for tier in (VALIDATION, TEST) if tier not in tiers]
    lacks += [f"No trial of the tier {tier} is left." for tier in absent]
    _write_trials(out, names, rate_hz=content.grid.rate_hz)
    write_statistics(out)
    _state(out, session, content, lacks)
    return lacks


def _require_streams(content: SessionContent) -> None:
    if not content.displayed:
        raise _missing(content, "displayed frames")
    if not content.measured:
        raise _missing(content, "responses, the activity of the neurons")


def _missing(content: SessionContent, what: str) -> StreamMissingError:
    remedy = "a Sensorium folder has displayed frames with the activity of each; record longer"
    return StreamMissingError(log=content.log, what=what, remedy=remedy)


class _Trials:
    """The trials of a session, cut to frames in which all neurons that are kept were measured."""

    def __init__(
        self, session: RecordedSession, content: SessionContent, progress: Progress
    ) -> None:
        self._session, self._content, self._progress = session, content, progress
        self.segments, _ = recorded_segments(content, self._images)
        if not self.segments or self.segments[0].tier is None:
            clips = len({one.segment.name for one in self.segments})
            raise TooFewClipsError(source=content.log, clips=clips, needed=FEWEST_CLIPS)
        self._behaviour = content.behaviour()
        self._steps = self._left_out = self._cut_frames = 0
        seen = np.zeros(content.neurons, np.bool_)
        for one in self.segments:
            seen |= np.isfinite(self._activity(one.segment)).any(0)
        self.neurons: NDArray[np.int64] = np.flatnonzero(seen)
        """Numbers of the neurons that are kept."""

    def measured(self, segment: ClipSegment) -> Segment | None:
        """The part of a trial that was measured; None where it is too short."""
        activity = self._activity(segment)[:, self.neurons]
        run = _longest_run(np.asarray(np.isfinite(activity).all(1)))
        if len(run) < SHORTEST_FRAMES:
            self._left_out += 1
            return None
        self._cut_frames += len(activity) - len(run)
        part = slice(run.start, run.stop)
        t_ns, values = self._behaviour
        frames = segment.frames[part]
        video = video_of(segment, self._content, self._images)[part]
        return Segment(
            video=video.astype(np.float32),
            responses=activity[part],
            behaviour=behaviour_on_grid(t_ns, values, frames, grid=self._content.grid),
        )

    def sentences(self) -> list[str]:
        """What was not measured and is left out."""
        found = []
        missing = self._content.neurons - len(self.neurons)
        if missing:
            found.append(
                f"{missing:,} of {self._content.neurons:,} neurons were not measured in any trial "
                f"and are left out; meta/neurons/unit_ids.npy has the numbers of the others."
            )
        if self._left_out:
            found.append(
                f"{self._left_out:,} of {len(self.segments):,} trials are left out: not all "
                f"neurons were measured for 3 s in them."
            )
        if self._cut_frames:
            found.append(
                f"{self._cut_frames:,} frames are left out at the ends of trials: not all neurons "
                f"were measured in them, or before or after them."
            )
        return found

    def _images(self, part: slice) -> NDArray[Any]:
        return self._session.displayed[part].values

    def _activity(self, segment: ClipSegment) -> F32:
        """(frame, neuron) with NaN where a neuron was not measured."""
        self._steps += 1
        self._progress(self._steps, 2 * len(self.segments))
        content = self._content
        activity = np.full((len(segment.frames), content.neurons), np.nan, np.float32)
        numbers = {
            row: content.response_numbers[frame]
            for row, frame in enumerate(segment.frames)
            if frame in content.response_numbers
        }
        rows, places = np.array(list(numbers)), np.array(list(numbers.values()))
        activity[rows] = self._session.activity[places].values
        return activity


def _longest_run(known: Bools) -> range:
    """The longest run of True."""
    edges = np.concatenate([[-1], np.flatnonzero(~known), [len(known)]])
    most = int(np.argmax(np.diff(edges)))
    return range(int(edges[most]) + 1, int(edges[most + 1]))


def _behaviour(content: SessionContent) -> list[str]:
    """Sentences on channels of the layout that were not recorded and are zeros."""
    _, values = content.behaviour()
    if not len(values):
        return ["No behaviour was recorded: data/behavior and data/pupil_center are zeros."]
    found = []
    if not values[:, 1].any():
        found.append("No pupil diameter was recorded: the first row of data/behavior is zeros.")
    if not values[:, 2:].any():
        found.append("No pupil position was recorded: data/pupil_center is zeros.")
    return found


def _write_neurons(out: Path, session: RecordedSession, neurons: NDArray[np.int64]) -> list[str]:
    """Write numbers and, where they are known, positions of the neurons."""
    folder = out / "meta" / "neurons"
    folder.mkdir(parents=True)
    np.save(folder / "unit_ids.npy", neurons)
    imaging, rois = session.config.session.imaging, session.rois
    one_plane = len(session.config.calcium.decoded_planes) == 1 and 0 in rois
    if not one_plane or imaging.pixel_um is None or imaging.depth_um is None:
        return [
            "meta/neurons/cell_motor_coordinates.npy is not written, as the positions in µm are "
            "not known: they follow from the ROIs of one plane, session.imaging.pixel_um and "
            "session.imaging.depth_um. Encoders that read positions do not accept the folder."
        ]
    found = rois[0]
    centers = np.array([_center(found, int(k)) for k in neurons]) * imaging.pixel_um
    depth = np.full((len(neurons), 1), imaging.depth_um)
    np.save(folder / "cell_motor_coordinates.npy", np.hstack([centers, depth]))
    return []


def _center(rois: Any, neuron: int) -> tuple[float, float]:
    """Weighted centre (x, y) of one ROI in px; x is the column."""
    rows, cols = rois.pixels_of(neuron)
    weights = rois.weights_of(neuron)
    return float(np.average(cols, weights=weights)), float(np.average(rows, weights=weights))


def _write_trials(out: Path, names: list[str], *, rate_hz: float) -> None:
    """Write which trials displayed the same, and the frame rate, beside their tiers."""
    folder = out / "meta" / "trials"
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    np.save(folder / "video_ids.npy", np.array([known[name] for name in names]))
    np.save(folder / "clips.npy", np.array(names))
    np.save(folder / "target_fps.npy", np.full(len(names), rate_hz))


def _state(out: Path, session: RecordedSession, content: SessionContent, lacks: list[str]) -> None:
    """Write what the layout has no place for, for our own reader and for persons."""
    stated = {
        "session": content.starts[0][2].session if content.starts else session.name,
        "frame_rate_hz": content.grid.rate_hz,
        "causality": content.causality,
        "rois_hash": content.rois_hash,
        "lacks": lacks,
    }
    (out / STATED).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
