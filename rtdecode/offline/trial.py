"""Trials as reconstruction methods receive them, with the ground truth for scoring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.datasets.causal_input import CausalInput
from rtdecode.datasets.video_session import Causality, VideoSession
from rtdecode.twins.twin import Twin, device_of

F32 = NDArray[np.float32]


class Input(StrEnum):
    """The activity that methods receive."""

    RESPONSES = "responses"
    """The responses of the session."""
    TRACES = "traces"
    """Raw scans, passed through the online calcium chain: causal."""
    PREDICTED = "predicted"
    """The twin's prediction for the displayed video, without noise: an upper bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Activity and behaviour during one clip, and the clip, which only scoring may use."""

    number: int
    responses: F32
    """(frame, neuron) in twin units; undefined where `valid` is False."""
    valid: NDArray[np.bool_]
    """(frame, neuron) False where a neuron was not measured."""
    behaviour: F32
    """(frame, channel) in the units of `Segment.behaviour`."""
    truth: F32
    """(frame, row, col) displayed frames in grey levels: the ground truth."""
    frame_rate_hz: float
    """Frame rate of the arrays."""


def causality_of(data: VideoSession, kind: Input) -> Causality:
    """Causality of the activity that a method is given, as `summary.json` states it."""
    if kind is Input.RESPONSES:
        return data.causality
    return Causality.CAUSAL if kind is Input.TRACES else Causality.PREDICTED


def trials_of(
    data: VideoSession, tier: str, kind: Input, *, twin: Twin | None = None
) -> Iterator[Trial]:
    """Trials of a tier, one in memory at a time; `twin` predicts for `Input.PREDICTED`."""
    return numbered_trials(data, data.trials(tier), kind, twin=twin)


def numbered_trials(
    data: VideoSession, numbers: Sequence[int], kind: Input, *, twin: Twin | None = None
) -> Iterator[Trial]:
    """The trials `numbers`, as `trials_of` gives those of a tier."""
    causal = CausalInput(data) if kind is Input.TRACES else None
    for number in numbers:
        cut = data.segment(number)
        activity = np.where(cut.measured, cut.responses, np.float32(0))
        trial = Trial(number, activity, cut.measured, cut.behaviour, cut.video, data.frame_rate_hz)
        if causal is not None:
            responses, valid = causal.responses(number)
            trial = replace(trial, responses=responses, valid=valid)
        elif kind is Input.PREDICTED and twin is not None:
            predicted = predicted_activity(twin, trial.truth, trial.behaviour)
            trial = replace(trial, responses=predicted)
        yield trial


def first_frames(trial: Trial, frames: int) -> Trial:
    """The first `frames` frames of `trial`."""
    arrays = ("responses", "valid", "behaviour", "truth")
    return replace(trial, **{name: getattr(trial, name)[:frames] for name in arrays})


def with_neurons(trial: Trial, kept: NDArray[np.bool_]) -> Trial:
    """`trial` with the neurons outside `kept`, (neuron,), marked as not measured."""
    return replace(trial, valid=trial.valid & kept)


@torch.no_grad()
def predicted_activity(twin: Twin, video: F32, behaviour: F32) -> F32:
    """(frame, neuron) activity in twin units that `twin` expects, without noise.

    `video` is (frame, row, col) in grey levels, `behaviour` (frame, channel).
    """
    given = (torch.from_numpy(array)[None].to(device_of(twin)) for array in (video, behaviour))
    return np.asarray(twin(*given)[0].cpu().numpy(), np.float32)
