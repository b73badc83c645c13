"""Sessions with still images: in each trial one image, and one response of each neuron.

Two layouts are read. A folder of the Sensorium 2022 competition has
`data/{images,responses,behavior,pupil_center}/K.npy` for each trial K, and
`meta/trials/tiers.npy`. A packed file (`.npz`, or a folder with exactly one) has the arrays
`images`, `responses`, `behavior`, `pupil_center` and `tiers`, with trials as the first axis.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.video_session import VALIDATION, Segment, numbers_of, session_array, unlike
from rtdecode.schema.array_files import NUMBERS, TEXTS, arrays_of_npz
from rtdecode.schema.errors import (
    MissingFileError,
    NonFiniteError,
    NoSuchTierError,
)

F32 = NDArray[np.float32]

TRAIN = "train"
HELD_OUT = "validation"
_ARRAYS = ("images", "responses", "behavior", "pupil_center", "tiers")
_IMAGES_A_CLIP = 24
_SILENT_SD = np.float32(1e-8)
_BEHAVIOUR = 3
"""Pupil size, its rate of change, running speed."""
_REMEDY = (
    "give a folder in the Sensorium 2022 layout: data/{images,responses,behavior,pupil_center}/"
    "K.npy and meta/trials/tiers.npy, or the .npz that holds them"
)


def is_still_session(path: Path) -> bool:
    """Whether `path` holds still images."""
    return (path / "data" / "images").is_dir() or _packed(path) is not None


class StillSession:
    """All trials of a session with still images, in memory.

    `images` is (trial, row, col) in grey levels, `activity` (trial, neuron) at least 0, `behaviour`
    (trial, 4): running speed, pupil size, pupil centre x and y.

    Parameters
    ----------
    path
        Root of a folder, or the packed file.

    Raises
    ------
    MissingFileError
        If the session, the file of a trial or an array does not exist.
    UnreadableFileError
        If a file holds no array, or an array of an unexpected shape; the message names the file
        and the expected shape.
    NonFiniteError
        If a value is NaN or infinite.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path
        packed = _packed(path)
        read = _from_folder(path) if packed is None else _from_file(packed)
        where = packed or path
        self.images = _checked(read("images"), where, "images", "(trial, row, col)", sides=3)
        trials = len(self.images)
        activity = _checked(read("responses"), where, "responses", "(trial, neuron)", sides=2)
        self.activity: F32 = np.maximum(activity, 0)
        behaviour = _checked(read("behavior"), where, "behavior", "(trial, 3)", sides=2)
        pupil = _checked(read("pupil_center"), where, "pupil_center", "(trial, 2)", sides=2)
        for name, array in (("responses", activity), ("behavior", behaviour), ("pupil", pupil)):
            if len(array) != trials:
                raise unlike(where, f"{name} of {trials} trials, as the images", array)
        if behaviour.shape[1] != _BEHAVIOUR:
            raise unlike(where, "behavior (trial, 3)", behaviour)
        self.behaviour: F32 = np.column_stack([behaviour[:, 2], behaviour[:, 0], pupil])
        self.tiers = np.asarray(read("tiers")).astype(np.str_)
        if self.tiers.shape != (trials,):
            raise unlike(where, f"tiers of {trials} trials", self.tiers)
        self.rows_px, self.cols_px = self.images.shape[1:]
        self.neurons = activity.shape[1]

    @cached_property
    def activity_sd(self) -> F32:
        """(trial, neuron) activity over its SD in training trials: the unit of imported twins."""
        sd = self.activity[self.trials(TRAIN)].std(0)
        scaled: F32 = self.activity / np.maximum(sd, _SILENT_SD)
        return scaled

    def trials(self, tier: str) -> NDArray[np.int64]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        tiers = dict(enumerate(self.tiers.tolist()))
        return np.array(numbers_of(tier, tiers, folder=self.folder))


class StillClips:
    """Held-out images presented as clips of 24 images, for `rtdecode fit mask`.

    The prediction of a twin of still images depends on one image alone, so the order is irrelevant.
    """

    def __init__(self, session: StillSession) -> None:
        self._session = session
        self.rows_px, self.cols_px = session.rows_px, session.cols_px
        self.neurons, self.folder = session.neurons, session.folder
        self._numbers = session.trials(HELD_OUT)

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the clips of `tier`; only the validation tier exists."""
        if tier != VALIDATION:
            raise NoSuchTierError(folder=self.folder, tier=tier, tiers=[VALIDATION])
        return tuple(range(max(1, len(self._numbers) // _IMAGES_A_CLIP)))

    def frames(self, number: int) -> int:
        """Number of images of a clip."""
        return len(self._of(number))

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` images of a clip, starting at `first`; by default all remaining ones."""
        stop = None if frames is None else first + frames
        at = self._of(number)[first:stop]
        held = self._session
        return Segment(
            video=held.images[at],
            responses=held.activity_sd[at],
            behaviour=held.behaviour[at],
        )

    def _of(self, number: int) -> NDArray[np.int64]:
        return self._numbers[number * _IMAGES_A_CLIP : (number + 1) * _IMAGES_A_CLIP]


Reader = Callable[[str], NDArray[np.generic]]


def _packed(path: Path) -> Path | None:
    if path.is_dir():
        # a session folder, also one with videos, may hold other .npz files
        files = [file for file in path.glob("*.npz") if _holds_images(file)]
        return files[0] if len(files) == 1 else None
    return path if path.suffix == ".npz" else None


def _holds_images(file: Path) -> bool:
    try:
        with ZipFile(file) as packed:
            return "images.npy" in packed.namelist()
    except (OSError, BadZipFile):
        return False


def _from_file(path: Path) -> Reader:
    arrays = arrays_of_npz(
        path,
        (),
        what="session file",
        expected="arrays in .npy form",
        remedy=_REMEDY,
        optional=_ARRAYS,
        kinds=NUMBERS + TEXTS,
    )

    def read(name: str) -> NDArray[np.generic]:
        if name not in arrays:
            raise MissingFileError(what=f"array {name}", path=path, remedy=_REMEDY)
        return arrays[name]

    return read


def _from_folder(path: Path) -> Reader:
    tiers_file = path / "meta" / "trials" / "tiers.npy"
    tiers = session_array(tiers_file, remedy=_REMEDY, kinds=NUMBERS + TEXTS)

    def read(name: str) -> NDArray[np.generic]:
        if name == "tiers":
            return tiers
        files = [path / "data" / name / f"{number}.npy" for number in range(len(tiers))]
        # copied: thousands of memory maps would exhaust the open files of the process
        arrays = [np.array(session_array(file, remedy=_REMEDY)) for file in files]
        for file, array in zip(files, arrays, strict=True):
            if array.shape != arrays[0].shape:
                raise unlike(file, f"{arrays[0].shape}, as the first trial's", array)
        stacked = np.stack(arrays)
        # the competition stores images with a colour axis of length one
        return stacked[:, 0] if name == "images" and stacked.ndim > 3 else stacked  # noqa: PLR2004

    return read


def _checked(
    array: NDArray[np.generic], path: Path, name: str, expected: str, *, sides: int
) -> F32:
    if array.ndim != sides or not array.size or array.dtype.kind not in "fiu":
        raise unlike(path, f"{name} {expected}, numbers", array)
    values = np.ascontiguousarray(array, np.float32)
    finite = np.isfinite(values).all(tuple(range(1, sides)))
    if not finite.all():
        raise NonFiniteError(path=path, where=f"{name} of trial {int(np.flatnonzero(~finite)[0])}")
    return values
