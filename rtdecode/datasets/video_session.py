"""The interface of recorded sessions with video, whatever their file format.

Training, offline reconstruction and benchmarks depend on `VideoSession` alone; each reader
(`sensorium`, `nwb_session`, `own_session`) implements it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import NUMBERS, mapped_array_of_npy
from rtdecode.schema.errors import NoSuchTierError, UnreadableFileError

F32 = NDArray[np.float32]

TRAIN = "train"
VALIDATION = "oracle"
"""The name that the Sensorium competition gave to its validation trials."""
TEST = "test"


class Causality(StrEnum):
    """Whether the activity of a frame depends on scans that a live run would not yet have."""

    CAUSAL = "causal"
    """From the online calcium chain, which uses no later scan than its fixed lag permits."""
    AS_PUBLISHED = "as published"
    """Preprocessed offline by the authors; deconvolution used the whole recording."""
    PREDICTED = "predicted"
    """Not recorded: the noise-free prediction of the twin."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Consecutive frames of one trial."""

    video: F32
    """(frame, row, col) grey levels."""
    responses: F32
    """(frame, neuron) activity, at least 0, in the units of the file.

    NaN where a neuron was not measured: code that ignores missing values then fails visibly
    instead of treating the neuron as silent.
    """
    behaviour: F32
    """(frame, 4): running in cm/s, pupil diameter in px, pupil centre x and y in px."""

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(frame, neuron) False where there is no measurement."""
        return np.isfinite(self.responses)


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """Raw fluorescence of one trial at the scan rate, from which causal activity is computed."""

    dff: F32
    """(scan, neuron) dF/F."""
    t_s: NDArray[np.float64]
    """(scan,) start of each scan, in s after the start of the first frame."""
    phase_s: NDArray[np.float64]
    """(neuron,) time of each neuron within a scan, in s."""


class Clips(Protocol):
    """Stimulus clips with the recorded activity; each belongs to one tier.

    `rows_px` and `cols_px` are the size of the video.
    """

    rows_px: int
    cols_px: int
    neurons: int
    folder: Path
    """Where they are recorded: a folder, or a file."""

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        ...

    def frames(self, number: int) -> int:
        """Number of frames of a trial."""
        ...

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial, starting at `first`; by default all remaining ones."""
        ...


def segments(data: Clips, tier: str) -> Iterator[Segment]:
    """Iterate over the whole trials of a tier, with one in memory at a time."""
    return (data.segment(number) for number in data.trials(tier))


class VideoSession(Clips, Protocol):
    """The trials of one recorded session with video."""

    frame_rate_hz: float
    """Rate of video, activity and behaviour of a trial, in Hz."""
    causality: Causality
    """Of the responses."""

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that have a trial, in alphabetical order."""
        ...

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        ...

    def traces(self, number: int) -> Traces:
        """Raw fluorescence of a trial; MissingFileError if the session has none."""
        ...


def numbers_of(tier: str, tiers: Mapping[int, str], *, folder: Path) -> tuple[int, ...]:
    """Numbers of the trials of `tier`, ascending.

    Parameters
    ----------
    tier
        Name of the tier.
    tiers
        Tier of each trial, by trial number.
    folder
        The session, named in the error message.

    Raises
    ------
    NoSuchTierError
        If no trial belongs to `tier`; the message lists the tiers that exist.
    """
    found = tuple(sorted(number for number, name in tiers.items() if name == tier))
    if not found:
        raise NoSuchTierError(folder=folder, tier=tier, tiers=sorted(set(tiers.values())))
    return found


def session_array(path: Path, *, remedy: str, kinds: str = NUMBERS) -> NDArray[Any]:
    """The array in the `.npy` file `path`, memory-mapped.

    Raises
    ------
    MissingFileError
        If the file does not exist; `remedy` states what the user should provide.
    UnreadableFileError
        If the file does not hold an array of at least one dimension, with a dtype of `kinds`.
    """
    what, expected = "session file", "an array in .npy form"
    array = mapped_array_of_npy(path, what=what, expected=expected, remedy=remedy, kinds=kinds)
    if not array.ndim:
        raise UnreadableFileError(
            what=what, path=path, expected=expected, got="a single value", remedy=remedy
        )
    return array


def unlike(path: Path, expected: str, got: NDArray[np.generic]) -> UnreadableFileError:
    """The error for an array `got` in `path` that differs from what the layout requires."""
    return UnreadableFileError(
        what="session file", path=path, expected=expected, got=f"{got.shape} {got.dtype}"
    )
