"""A session in an NWB file, as trials to train and to score on.

Trials are the rows of the file's trials table, or, without one, parts of about ten seconds of each
stimulus. Everything is brought to 30 frames a second from the start of a trial: what was on the
screen in the middle of a frame, activity and behaviour at its start, between samples by their line.
A column `tier` of the table tells the tier of each trial; else it follows, as in our own sessions,
from what was shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.fit.datasets.nwb_screen import SCREEN_PX, Screen
from rtdecode.fit.datasets.nwb_series import Found, Samples, read_nwb, unlike
from rtdecode.fit.datasets.pieces import PART_FRAMES, SHORTEST_FRAMES, Piece, tiers_of_pieces
from rtdecode.fit.datasets.video_session import F32, VALIDATION, Stretch, Traces
from rtdecode.schema.errors import MissingFileError, NoSuchTierError

F64 = NDArray[np.float64]

_RATE_HZ = 30.0
_ROUNDING = 1e-6
_TIER_COLUMNS = ("tier", "tiers")
_TIERS = {"validation": VALIDATION, "val": VALIDATION}
"""Other words for a tier."""
_CLIP_COLUMNS = ("clip", "clip_name", "movie", "movie_name", "stimulus_name", "stimulus")


@dataclass(frozen=True, slots=True)
class _Trial:
    clip: str
    start_s: float
    frames: int
    tier: str | None


_Span = tuple[str, float, float, str | None]
"""Clip, start and stop in s, tier if it is told."""


class NwbSession:
    """All trials of an NWB file; needs the extra `nwb` (pynwb).

    Activity is every RoiResponseSeries that is called deconvolved, spikes or events, one plane
    after the other, accepted neurons only where the file says which they are. The screen is the
    ImageSeries, OpticalSeries or IndexSeries among the stimuli, without colour, averaged over areas
    to 36 x 64 px. Running, pupil diameter and pupil centre are found by their names; what is not
    there is 0.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ExtraMissingError
        Without pynwb.
    MissingFileError, UnreadableFileError
        If the file is not there, is none, or lacks activity, pictures, sound times, or a trial of
        three seconds for which both are known.
    TooFewClipsError
        If tiers are not told and fewer than three different clips were shown.
    """

    causality = "released"
    rows_px, cols_px = SCREEN_PX

    def __init__(self, path: Path) -> None:
        self.folder = path
        self._found = read_nwb(path)
        self.neurons = sum(plane.read(slice(0, 1)).shape[1] for plane in self._found.activity)
        planes = [plane.t_s for plane in self._found.activity]
        known_s = max(times[0] for times in planes), min(times[-1] for times in planes)
        self._screen = Screen(self._found.shown, path)
        self._trials = _trials(self._found, self._screen, known_s)
        if not self._trials:
            spans = [(shown.t_s[0], shown.last_s) for shown in self._screen.stimuli]
            shown = ", ".join(f"{start_s:.1f} to {stop_s:.1f} s" for start_s, stop_s in spans)
            active = f"activity {known_s[0]:.1f} to {known_s[1]:.1f} s, pictures {shown}"
            raise unlike(path, "a trial of 3 s with activity and pictures", active)
        self._videos: dict[int, NDArray[np.uint8]] = {}
        self._tiers = self._told_tiers() or self._tiers_of_what_was_shown()

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`; raises NoSuchTierError where there is none."""
        found = tuple(sorted(k for k, name in self._tiers.items() if name == tier))
        if not found:
            named = sorted(set(self._tiers.values()))
            raise NoSuchTierError(folder=self.folder, tier=tier, tiers=named)
        return found

    def frames(self, number: int) -> int:
        """Frames of a trial."""
        return self._trials[number].frames

    def stretch(self, number: int, *, first: int = 0, frames: int | None = None) -> Stretch:
        """`frames` frames of a trial from `first` on; all that follow by default."""
        stop = self.frames(number) if frames is None else first + frames
        at_s = self._trials[number].start_s + np.arange(first, stop) / _RATE_HZ
        activity = [plane.between(at_s) for plane in self._found.activity]
        return Stretch(
            video=self._video(number)[first:stop].astype(np.float32),
            responses=np.concatenate(activity, axis=1).astype(np.float32),
            behaviour=self._behaviour(at_s),
        )

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        return self._video(number).astype(np.float32)

    def stretches(self, tier: str) -> Iterator[Stretch]:
        """Whole trials of a tier, one after the other."""
        for number in self.trials(tier):
            yield self.stretch(number)

    def traces(self, number: int) -> Traces:
        """Raise MissingFileError: scans are not read from NWB."""
        raise MissingFileError(
            what=f"raw traces of trial {number} of",
            path=self.folder,
            remedy="use --input responses for an NWB file",
        )

    def _video(self, number: int) -> NDArray[np.uint8]:
        """Kept, for it is small: fetching and shrinking what was shown takes long."""
        if number not in self._videos:
            trial = self._trials[number]
            self._videos[number] = self._screen.video(_middles_s(trial.start_s, trial.frames))
        return self._videos[number]

    def _behaviour(self, at_s: F64) -> F32:
        found, one = self._found, np.zeros((len(at_s), 1))
        columns = [_told(found.running_cm_s, at_s, one), _told(found.pupil_diameter, at_s, one)]
        centre = _told(found.pupil_center, at_s, one.repeat(2, axis=1))
        return np.column_stack([*columns, centre]).astype(np.float32)

    def _told_tiers(self) -> dict[int, str]:
        """What the file says, by trial; nothing if it says nothing of any."""
        return {k: trial.tier for k, trial in enumerate(self._trials) if trial.tier is not None}

    def _tiers_of_what_was_shown(self) -> dict[int, str]:
        pieces = [_piece(trial) for trial in self._trials]
        video = {piece: self._video(k) for k, piece in enumerate(pieces)}
        return tiers_of_pieces(pieces, video.__getitem__, source=self.folder)


def is_nwb(path: Path) -> bool:
    """Whether `path` is named as an NWB file."""
    return path.suffix.lower() == ".nwb"


def _told(samples: Samples | None, at_s: F64, none: F64) -> F64:
    return none if samples is None else samples.between(at_s).reshape(none.shape)


def _trials(found: Found, screen: Screen, known_s: tuple[float, float]) -> list[_Trial]:
    """Those of three seconds and more, each cut where screen or activity ends."""
    table = found.file.trials
    trials: list[_Trial] = []
    for clip, start_s, stop_s, tier in _parts(screen) if table is None else _rows(table):
        begin_s = max(start_s, known_s[0])
        count = max(0, int(_RATE_HZ * (min(stop_s, known_s[1]) - begin_s) + _ROUNDING))
        dark = np.flatnonzero(~screen.is_on(_middles_s(begin_s, count)))
        frames = int(dark[0]) if len(dark) else count
        if frames >= SHORTEST_FRAMES:
            trials.append(_Trial(clip, begin_s, frames, tier))
    return trials


def _middles_s(start_s: float, frames: int) -> F64:
    middles_s: F64 = start_s + (np.arange(frames, dtype=np.float64) + 0.5) / _RATE_HZ
    return middles_s


def _piece(trial: _Trial) -> Piece:
    first = round(trial.start_s * _RATE_HZ)
    return Piece(trial.clip, 0, range(first, first + trial.frames))


def _rows(table: Any) -> Iterator[_Span]:
    """Trials as the file tells them."""
    column = {name: list(table[name][:]) for name in table.colnames}
    tiers = next((column[name] for name in _TIER_COLUMNS if name in column), None)
    clips = next((column[name] for name in _CLIP_COLUMNS if name in column), None)
    for k, (start_s, stop_s) in enumerate(
        zip(column["start_time"], column["stop_time"], strict=True)
    ):
        tier = None if tiers is None else str(tiers[k]).lower()
        clip = f"trial {k}" if clips is None else str(clips[k])
        yield clip, float(start_s), float(stop_s), _TIERS.get(tier or "", tier)


def _parts(screen: Screen) -> Iterator[_Span]:
    """Each stimulus in equal parts, of ten seconds as near as can be."""
    for shown in screen.stimuli:
        count = max(1, round((shown.last_s - shown.t_s[0]) * _RATE_HZ / PART_FRAMES))
        edges_s = np.linspace(shown.t_s[0], shown.last_s, count + 1).tolist()
        for part, (start_s, stop_s) in enumerate(pairwise(edges_s)):
            yield f"{shown.name}/{part}", start_s, stop_s, None
