"""What every recorded session with video gives, whatever its files look like."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

TRAIN = "train"
VALIDATION = "oracle"
TEST = "test"


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Consecutive frames of one trial."""

    video: F32
    """(frame, row, col) grey levels."""
    responses: F32
    """(frame, neuron) activity, at least 0, in the units of the file; NaN where a neuron was not
    measured, so that whoever forgets about it gets NaN and not a silent neuron."""
    behaviour: F32
    """(frame, 4): running in cm/s, pupil diameter in px, pupil centre x and y in px."""

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(frame, neuron) False where there is no measurement."""
        return np.isfinite(self.responses)


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """Raw fluorescence of one trial as it was scanned, for strictly causal reconstruction."""

    dff: F32
    """(scan, neuron) dF/F."""
    t_s: NDArray[np.float64]
    """(scan,) start of each scan in s after the first frame."""
    phase_s: NDArray[np.float64]
    """(neuron,) time of each neuron inside a scan, in s."""


class Clips(Protocol):
    """Clips with the activity that they called forth, each of one tier."""

    rows_px: int
    cols_px: int

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`; raises NoSuchTierError where there is none."""
        ...

    def frames(self, number: int) -> int:
        """Frames of a trial."""
        ...

    def stretch(self, number: int, *, first: int = 0, frames: int | None = None) -> Stretch:
        """`frames` frames of a trial from `first` on; all that follow by default."""
        ...


def stretches(data: Clips, tier: str) -> Iterator[Stretch]:
    """Whole trials of a tier, one in memory at a time."""
    return (data.stretch(number) for number in data.trials(tier))


class VideoSession(Clips, Protocol):
    """The trials of one recorded session with video."""

    folder: Path
    neurons: int
    causality: str
    """Of its responses: `strict` as a live chain gave them, `released` where deconvolution looked
    ahead over the whole recording."""

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        ...

    def traces(self, number: int) -> Traces:
        """Raw scans of a trial; raises MissingFileError where the session has none."""
        ...
