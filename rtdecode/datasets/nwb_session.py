"""Sessions in NWB files, as trials for training and scoring.

Trials are the rows of the trials table or, without one, parts of about ten seconds of each
stimulus. All streams are resampled to 30 frames a second from the start of a trial: the image
displayed in the middle of a frame; activity and behaviour at its start, interpolated linearly.
Tiers come from the column `tier` of the table or, without one, from the displayed clips, as in
sessions of rtdecode. A file that `rtdecode export` wrote is read as its session: with the trials,
frame rate, screen and tiers of that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.nwb_behaviour import behaviour_of
from rtdecode.datasets.nwb_export import Export, export_in
from rtdecode.datasets.nwb_screen import SCREEN_PX, Screen
from rtdecode.datasets.nwb_series import Found, read_nwb, unlike
from rtdecode.datasets.segments import PART_FRAMES, SHORTEST_FRAMES, ClipSegment, tiers_of_segments
from rtdecode.datasets.video_session import (
    F32,
    VALIDATION,
    Causality,
    Segment,
    Traces,
    numbers_of,
)
from rtdecode.schema.errors import MissingFileError

F64 = NDArray[np.float64]

_RATE_HZ = 30.0
"""Rate to which the series of a file are resampled, that of the published Sensorium sessions."""
_ROUNDING = 1e-6
_TIER_COLUMNS = ("tier", "tiers")
_TIERS = {"validation": VALIDATION, "val": VALIDATION}
"""Other names of a tier."""
_NO_TIER = ("", "nan", "none")
_CLIP_COLUMNS = ("clip", "clip_name", "movie", "movie_name", "stimulus_name", "stimulus")


@dataclass(frozen=True, slots=True)
class _Trial:
    clip: str
    start_s: float
    frames: int
    tier: str | None
    part: int = 0


_Span = tuple[str, float, float, str | None]
"""Clip, start and stop in s, tier if the file states one."""


class NwbSession:
    """All trials of an NWB file; requires the extra `nwb` (pynwb).

    Activity is every RoiResponseSeries named deconvolved, spikes or events, plane by plane,
    restricted to accepted neurons if the file marks them. The stimulus is the ImageSeries,
    OpticalSeries or IndexSeries among the stimuli, as grey levels averaged to 36 x 64 px. Running
    speed, pupil diameter and pupil centre are identified by name; missing channels are 0.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ExtraMissingError
        If pynwb is not installed.
    MissingFileError, UnreadableFileError
        If the file does not exist, is not NWB, or lacks activity, stimulus images, valid
        timestamps, or a trial of at least three seconds with both activity and images.
    TooFewClipsError
        If the file states no tiers and shows fewer than three different clips.
    """

    causality = Causality.AS_PUBLISHED
    frame_rate_hz = _RATE_HZ
    rows_px, cols_px = SCREEN_PX
    rois_hash = ""

    def __init__(self, path: Path) -> None:
        self.folder = path
        self._found = read_nwb(path)
        self.neurons = sum(plane.read(slice(0, 1)).shape[1] for plane in self._found.activity)
        self._behaviour = behaviour_of(self._found.others, path)
        export = export_in(self._found.file)
        if export is None:
            self._screen = Screen(self._found.stimuli, path)
            self._trials = _trials(self._found, self._screen)
        else:
            self._read_export(export, path)
        if not self._trials:
            raise unlike(path, "a trial of 3 s with activity and images", self._spans())
        self._videos: dict[int, NDArray[np.uint8]] = {}
        self._tiers = self._stated_tiers() or self._tiers_by_clip()

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that have a trial, in alphabetical order."""
        return tuple(sorted(set(self._tiers.values())))

    def _read_export(self, export: Export, path: Path) -> None:
        """Take trials, frame rate and screen as the file states them."""
        self.causality, self.frame_rate_hz = export.causality, export.frame_rate_hz
        self.rois_hash = export.rois_hash
        self._screen = Screen.of_export(self._found.stimuli, path)
        self.rows_px, self.cols_px = self._screen.size_px
        self._trials = [
            _Trial(one.clip, one.start_s, one.frames, one.tier, one.part) for one in export.segments
        ]

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        return numbers_of(tier, self._tiers, folder=self.folder)

    def frames(self, number: int) -> int:
        """Number of frames of a trial."""
        return self._trials[number].frames

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial, starting at `first`; by default all remaining ones."""
        known = self.frames(number)
        stop = known if frames is None else min(known, first + frames)
        at_s = self._trials[number].start_s + np.arange(first, stop) / self.frame_rate_hz
        activity = [plane.between(at_s) for plane in self._found.activity]
        return Segment(
            video=self._video(number)[first:stop].astype(np.float32),
            responses=np.concatenate(activity, axis=1).astype(np.float32),
            behaviour=self._behaviour.at(at_s),
        )

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        return self._video(number).astype(np.float32)

    def traces(self, number: int) -> Traces:
        """Raise MissingFileError: raw fluorescence is not read from NWB."""
        raise MissingFileError(
            what=f"raw traces of trial {number} of",
            path=self.folder,
            remedy="use --input responses for an NWB file",
        )

    def _video(self, number: int) -> NDArray[np.uint8]:
        """The video of a trial, cached: reading and resizing the images is slow."""
        if number not in self._videos:
            trial = self._trials[number]
            at_s = _middles_s(trial.start_s, trial.frames, rate_hz=self.frame_rate_hz)
            self._videos[number] = self._screen.video(at_s)
        return self._videos[number]

    def _spans(self) -> str:
        """The time spans of activity and images, for the error message."""
        times = [plane.t_s for plane in self._found.activity]
        active = [(t_s[0], t_s[-1]) for t_s in times]
        displayed = [(one.t_s[0], one.end_s[-1]) for one in self._screen.stimuli]
        return f"activity {_in_words(active)}, images {_in_words(displayed)}"

    def _stated_tiers(self) -> dict[int, str]:
        """Tiers stated by the file, by trial; empty if it states none."""
        return {k: trial.tier for k, trial in enumerate(self._trials) if trial.tier is not None}

    def _tiers_by_clip(self) -> dict[int, str]:
        segments = [_segment(trial, self.frame_rate_hz) for trial in self._trials]
        video = {segment: self._video(k) for k, segment in enumerate(segments)}
        return tiers_of_segments(segments, video.__getitem__, source=self.folder)


def is_nwb(path: Path) -> bool:
    """Whether `path` ends in `.nwb`."""
    return path.suffix.lower() == ".nwb"


def _in_words(spans: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{start_s:.1f} to {stop_s:.1f} s" for start_s, stop_s in spans)


def _trials(found: Found, screen: Screen) -> list[_Trial]:
    """The longest run of frames with image and activity in each span, if at least three seconds."""
    table = found.file.trials
    end_s = min(plane.t_s[-1] for plane in found.activity)
    trials: list[_Trial] = []
    for clip, start_s, stop_s, tier in _parts(screen) if table is None else _rows(table):
        count = max(0, int(_RATE_HZ * (min(stop_s, end_s) - start_s) + _ROUNDING))
        middles_s = _middles_s(start_s, count)
        known = screen.is_on(middles_s)
        for plane in found.activity:
            known &= plane.covers(middles_s)
        run = _longest_run(known)
        if len(run) >= SHORTEST_FRAMES:
            trials.append(_Trial(clip, start_s + run.start / _RATE_HZ, len(run), tier))
    return trials


def _longest_run(known: NDArray[np.bool_]) -> range:
    """The longest run of True."""
    edges = np.concatenate([[-1], np.flatnonzero(~known), [len(known)]])
    most = int(np.argmax(np.diff(edges)))
    return range(int(edges[most]) + 1, int(edges[most + 1]))


def _middles_s(start_s: float, frames: int, *, rate_hz: float = _RATE_HZ) -> F64:
    middles_s: F64 = start_s + (np.arange(frames, dtype=np.float64) + 0.5) / rate_hz
    return middles_s


def _segment(trial: _Trial, rate_hz: float) -> ClipSegment:
    first = round(trial.start_s * rate_hz)
    return ClipSegment(trial.clip, trial.part, range(first, first + trial.frames))


def _rows(table: Any) -> Iterator[_Span]:
    """Trials of the trials table; rows without a finite start and stop are skipped."""
    column = {name: list(table[name][:]) for name in table.colnames}
    tiers = next((column[name] for name in _TIER_COLUMNS if name in column), None)
    clips = next((column[name] for name in _CLIP_COLUMNS if name in column), None)
    for k, (start_s, stop_s) in enumerate(
        zip(column["start_time"], column["stop_time"], strict=True)
    ):
        clip = f"trial {k}" if clips is None else str(clips[k])
        if np.isfinite([start_s, stop_s]).all():
            yield clip, float(start_s), float(stop_s), _tier(None if tiers is None else tiers[k])


def _tier(cell: object) -> str | None:
    """The tier that a cell of the table names, None for an empty one."""
    word = str(cell).strip().lower()
    return None if word in _NO_TIER else _TIERS.get(word, word)


def _parts(screen: Screen) -> Iterator[_Span]:
    """Each run of a stimulus in equal parts with lengths nearest ten seconds."""
    for stimulus in screen.stimuli:
        part = 0
        for start_s, stop_s in stimulus.runs:
            count = max(1, round((stop_s - start_s) * _RATE_HZ / PART_FRAMES))
            for edges_s in pairwise(np.linspace(start_s, stop_s, count + 1).tolist()):
                yield f"{stimulus.name}/{part}", *edges_s, None
                part += 1
