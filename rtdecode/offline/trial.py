"""One trial as a reconstruction method may see it, and as it is scored."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.datasets.causal_input import CausalInput
from rtdecode.datasets.video_session import Causality, VideoSession
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]


class Input(StrEnum):
    """Which activity the methods get."""

    RESPONSES = "responses"
    """As they are in the session."""
    TRACES = "traces"
    """Raw scans, passed through the online calcium chain: causal."""
    PREDICTED = "predicted"
    """What the twin predicts from the true video: no noise, a ceiling."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Activity and behaviour of one clip, and the clip itself, which only scoring may look at."""

    number: int
    responses: F32
    """(frame, neuron) twin units; any number where it is not `valid`."""
    valid: NDArray[np.bool_]
    """(frame, neuron) False where there is no measurement."""
    behaviour: F32
    """(frame, channel)"""
    truth: F32
    """(frame, row, col) grey levels."""
    frame_rate_hz: float
    """Frames per second of all of them."""


def causality_of(data: VideoSession, kind: Input) -> Causality:
    """Causality of the activity that a method is given, as `summary.json` states it."""
    if kind is Input.RESPONSES:
        return data.causality
    return Causality.CAUSAL if kind is Input.TRACES else Causality.PREDICTED


def trials_of(
    data: VideoSession, tier: str, kind: Input, *, twin: Twin | None = None
) -> Iterator[Trial]:
    """Trials of a tier, one in state at a time; `twin` is what predicts for Input.PREDICTED."""
    causal = CausalInput(data) if kind is Input.TRACES else None
    for number in data.trials(tier):
        cut = data.segment(number)
        activity = np.where(cut.measured, cut.responses, np.float32(0))
        trial = Trial(number, activity, cut.measured, cut.behaviour, cut.video, data.frame_rate_hz)
        if causal is not None:
            responses, valid = causal.responses(number)
            trial = replace(trial, responses=responses, valid=valid)
        elif kind is Input.PREDICTED and twin is not None:
            trial = replace(trial, responses=_predicted(twin, trial))
        yield trial


def first_frames(trial: Trial, frames: int) -> Trial:
    """The same trial, ended after `frames` frames."""
    told = ("responses", "valid", "behaviour", "truth")
    return replace(trial, **{name: getattr(trial, name)[:frames] for name in told})


def with_neurons(trial: Trial, kept: NDArray[np.bool_]) -> Trial:
    """The same trial with the neurons outside `kept` missing, not silent."""
    return replace(trial, valid=trial.valid & kept)


@torch.no_grad()
def _predicted(twin: Twin, trial: Trial) -> F32:
    video, behaviour = torch.from_numpy(trial.truth), torch.from_numpy(trial.behaviour)
    return np.asarray(twin(video[None], behaviour[None])[0].numpy(), np.float32)
