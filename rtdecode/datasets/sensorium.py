"""Sessions with video in the folder layout of the Sensorium 2023 competition.

`data/{videos,responses,behavior,pupil_center}/K.npy` for each trial K, with time as the last axis,
and `meta/trials/tiers.npy` with the tier of each trial. Trials shorter than their arrays are padded
with NaN at the end. The constructor reads headers only; values are read through a memory map when a
trial or a part of it is requested. A folder that `rtdecode export` wrote also states frame rate and
causality, in `meta/rtdecode.json`.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.video_session import (
    F32,
    Causality,
    Segment,
    Traces,
    numbers_of,
    session_array,
    unlike,
)
from rtdecode.schema.array_files import NUMBERS, TEXTS, arrays_of_npz
from rtdecode.schema.errors import FolderNotEmptyError, NonFiniteError, UnreadableFileError

STATED = Path("meta") / "rtdecode.json"
"""File in which a folder of `rtdecode export` states what the layout has no place for."""
PUBLISHED_RATE_HZ = 30.0
"""Frame rate of the Sensorium 2023 sessions; their folders do not state it."""
_VIDEO_RANK = 3
_REMEDY = (
    "give a folder in the Sensorium 2023 layout: data/{videos,responses,behavior,pupil_center}/"
    "K.npy and meta/trials/tiers.npy, or the folder of an rtdecode session with log.mcap, or "
    "a .nwb file"
)


class SensoriumFolder:
    """The trials of one recorded session.

    Parameters
    ----------
    folder
        Root of the session.

    Raises
    ------
    MissingFileError
        If the folder, `tiers.npy` or the file of a trial does not exist.
    UnreadableFileError
        If a file holds no array, or its shape does not match the files of the first trial; the
        message names the file and the expected shape.
    """

    causality = Causality.AS_PUBLISHED
    frame_rate_hz = PUBLISHED_RATE_HZ
    rois_hash = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read_stated(folder / STATED)
        self.tiers = _tiers(folder)
        screen = _header(self._path("videos", 0))
        if len(screen.shape) != _VIDEO_RANK:
            raise unlike(self._path("videos", 0), "(row, col, frame)", screen)
        self.rows_px, self.cols_px = screen.shape[:2]
        self.neurons = _header(self._path("responses", 0)).shape[0]
        for number in range(len(self.tiers)):
            self._check_shapes(number)

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that have a trial, in alphabetical order."""
        return tuple(sorted(set(self.tiers.tolist())))

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        return numbers_of(tier, dict(enumerate(self.tiers.tolist())), folder=self.folder)

    def frames(self, number: int) -> int:
        """Number of frames of a trial, without the NaN padding at its end."""
        return self._lengths[number]

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial, starting at `first`; NonFiniteError if a value is missing."""
        stop = self.frames(number) if frames is None else first + frames
        pupil, running = self._read("behavior", number, first, stop).T
        center = self._read("pupil_center", number, first, stop)
        return Segment(
            video=self._read("videos", number, first, stop),
            responses=self._read("responses", number, first, stop),
            behaviour=np.column_stack([running, pupil, center]),
        )

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        return self._read("videos", number, 0, self.frames(number))

    def traces(self, number: int) -> Traces:
        """Raw fluorescence of a trial; MissingFileError if the session has none."""
        path = self.folder / "data" / "traces" / f"{number}.npz"
        held = arrays_of_npz(
            path,
            ("dff", "t_s", "phase_s"),
            what="raw traces",
            expected="the arrays dff, t_s and phase_s",
            remedy="use --input responses for this session",
        )
        traces = Traces(held["dff"].T, held["t_s"], held["phase_s"])
        if traces.dff.shape != (len(traces.t_s), self.neurons):
            raise UnreadableFileError(
                what="raw traces",
                path=path,
                expected=f"dff ({self.neurons} neurons, {len(traces.t_s)} scans)",
                got=str(traces.dff.T.shape),
            )
        if not np.isfinite(traces.dff).all():
            raise NonFiniteError(path=path, where="dff")
        return traces

    def _read_stated(self, path: Path) -> None:
        """Take frame rate, causality and ROIs as a folder of `rtdecode export` states them."""
        if not path.is_file():
            return
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))
            self.frame_rate_hz = float(stated["frame_rate_hz"])
            self.causality = Causality(stated["causality"])
            self.rois_hash = str(stated["rois_hash"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableFileError(
                what="session file",
                path=path,
                expected="frame_rate_hz, causality and rois_hash in JSON",
                got=f"{type(error).__name__}: {error}",
                remedy="export the session again",
            ) from error

    @cached_property
    def _lengths(self) -> list[int]:
        return [_valid_frames(self._path("videos", k)) for k in range(len(self.tiers))]

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / "data" / kind / f"{number}.npy"

    def _read(self, kind: str, number: int, first: int, stop: int) -> F32:
        path = self._path(kind, number)
        values = np.moveaxis(_header(path)[..., first:stop], -1, 0)
        values = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(values).all():
            frame = first + int(
                np.flatnonzero(~np.isfinite(values).all(tuple(range(1, values.ndim))))[0]
            )
            raise NonFiniteError(path=path, where=f"frame {frame}")
        return values

    def _check_shapes(self, number: int) -> None:
        frames = _header(self._path("videos", number)).shape[-1]
        leading: dict[str, tuple[int, ...]] = {
            "videos": (self.rows_px, self.cols_px),
            "responses": (self.neurons,),
            "behavior": (2,),
            "pupil_center": (2,),
        }
        for kind, shape in leading.items():
            path = self._path(kind, number)
            header = _header(path)
            if header.shape != (*shape, frames):
                raise unlike(path, f"{(*shape, frames)}, as the other files of the session", header)


def _tiers(folder: Path) -> NDArray[np.str_]:
    path = folder / "meta" / "trials" / "tiers.npy"
    tiers = session_array(path, remedy=_REMEDY, kinds=NUMBERS + TEXTS)
    if tiers.ndim != 1 or tiers.dtype.kind != "U" or not len(tiers):
        raise unlike(path, "one tier name for each trial", tiers)
    return np.array(tiers)


def _header(path: Path) -> NDArray[Any]:
    return session_array(path, remedy=_REMEDY)


def _valid_frames(path: Path) -> int:
    """Number of frames up to the last finite one; all frames of an integer video."""
    video = _header(path)
    if video.dtype.kind != "f":
        return int(video.shape[-1])
    finite = np.flatnonzero(np.isfinite(video).all((0, 1)))
    return int(finite[-1]) + 1 if len(finite) else 0


class SessionWriter:
    """Writes a session in this layout, trial by trial.

    Parameters
    ----------
    folder
        Created if it does not exist; FolderNotEmptyError if it is not empty.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise FolderNotEmptyError(folder=folder)
        for kind in ("videos", "responses", "behavior", "pupil_center"):
            (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "meta" / "trials").mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tiers: list[str] = []

    def add(self, trial: Segment, *, tier: str) -> None:
        """Write the next trial; the folder is a complete session after each."""
        running, pupil, x, y = trial.behaviour.T
        arrays = {
            "videos": np.moveaxis(trial.video, 0, -1).astype(np.uint8),
            "responses": trial.responses.T,
            "behavior": np.stack([pupil, running]),
            "pupil_center": np.stack([x, y]),
        }
        for kind, array in arrays.items():
            path = self._folder / "data" / kind / f"{len(self._tiers)}.npy"
            np.save(path, np.ascontiguousarray(array))
        self._tiers.append(tier)
        np.save(self._folder / "meta" / "trials" / "tiers.npy", np.array(self._tiers))
