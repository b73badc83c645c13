"""Single-trial correlation of a twin on validation trials, for training and its report."""

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.datasets.video_session import VideoSession
from rtdecode.twins.twin import Twin

F64 = NDArray[np.float64]


def single_trial_correlation(
    twin: Twin, data: VideoSession, *, tier: str, device: torch.device
) -> F64:
    """(neuron,) Pearson correlation of predicted and recorded activity over all frames of a tier.

    Excluded are the first `history_frames` of each trial, for which the twin lacks input, and the
    frames in which a neuron was not measured. NaN for a neuron without variance.
    """
    sums = [np.zeros(data.neurons) for _ in range(6)]
    for number in data.trials(tier):
        predicted, recorded = predicted_and_recorded(twin, data, number, device=device)
        measured = np.isfinite(recorded)
        p, r = np.where(measured, predicted, 0), np.where(measured, recorded, 0)
        terms = (measured, p, r, p**2, r**2, p * r)
        sums = [total + term.sum(0) for total, term in zip(sums, terms, strict=True)]
    frames = np.maximum(sums[0], 1)
    p, r, pp, rr, pr = (total / frames for total in sums[1:])
    scale = np.sqrt(np.maximum((pp - p**2) * (rr - r**2), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, (pr - p * r) / scale, np.nan)


def predicted_and_recorded(
    twin: Twin, data: VideoSession, number: int, *, device: torch.device
) -> tuple[F64, F64]:
    """(frame, neuron) predicted and recorded activity, without the first `history_frames`."""
    cut = data.segment(number)
    with torch.no_grad():
        video = torch.from_numpy(cut.video)[None].to(device)
        predicted = twin(video, torch.from_numpy(cut.behaviour)[None].to(device))[0]
    first = twin.spec.history_frames
    return predicted.double().cpu().numpy()[first:], cut.responses[first:].astype(np.float64)
