"""The message of activity that a data set already holds, for `rtdecode.schema.messages`.

It is apart from `Responses`, which the decoder sends: published activity has no scans, and what is
not known of it must not look measured.
"""

from dataclasses import dataclass
from typing import ClassVar

from rtdecode.schema.arrays import NeuronBool, NeuronF32

TRIAL_ENDED = "trial_ended"
"""Code of the events that count the frames of a trial whose lag goes beyond its end."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedActivity:
    """Activity of all neurons in one frame, as a recorded data set has it, sent at its end."""

    kind: ClassVar[str] = "recorded_activity"
    activity: NeuronF32
    """In the units of the data set, which are those of its twin; 0 where `valid` is False."""
    valid: NeuronBool
    """False where a neuron has no measurement in this frame."""
    frame: int
    """On the frame grid of the session, not in its trial."""
    t_frame_start_ns: int
    t_frame_end_ns: int
    causality: str
    """causal, as published or predicted; as published: preprocessed with later scans."""
    trial: int
    """Number of the trial in the data set."""
