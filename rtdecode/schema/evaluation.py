"""The message of the twin check, which `rtdecode.schema.messages` counts among its kinds.

It is apart from the other kinds because it belongs to the process `evaluate` alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Verdict(StrEnum):
    """Whether recorded responses follow the displayed frames as the twin predicts."""

    MATCH = "match"
    MISMATCH = "mismatch"
    CONSTANT_SCREEN = "constant screen"
    """The displayed frames vary too little for any prediction of activity."""
    TOO_FEW_FRAMES = "too few frames"

    @property
    def is_given(self) -> bool:
        """Whether it is a verdict at all."""
        return self in (Verdict.MATCH, Verdict.MISMATCH)


@dataclass(frozen=True, slots=True, eq=False)
class ResponsePrediction:
    """Twin check: agreement of recorded responses with those that the twin predicts."""

    kind: ClassVar[str] = "response_prediction"
    r: float
    """Single-trial correlation of predicted and recorded activity, mean over neurons; NaN where
    there are too few frames."""
    r_training: float
    """The same at the training, on validation trials; NaN where the twin has no record of it."""
    r_expected: float
    """The same under the noise model of the twin, for the frames that were displayed."""
    verdict: str
    """match | mismatch | constant screen | too few frames."""
    n_neurons: int
    n_frames: int
    """Frames of the window that were compared; with a temporal stride of 2 every second one."""
    window_s: float
    frame: int
    """Last frame of the window on the frame grid."""
    every: int
    """Of so many seconds one is predicted: 1 unless the twin is too slow for one processor core."""
