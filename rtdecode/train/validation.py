"""Single-trial correlation of a twin on validation trials, for training and its report."""

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.datasets.video_session import VideoSession
from rtdecode.evaluate.fit_checks import CHANCE_SHIFTS
from rtdecode.twins.twin import Twin

F64 = NDArray[np.float64]


def single_trial_correlation(
    twin: Twin, data: VideoSession, *, tier: str, device: torch.device
) -> F64:
    """(neuron,) Pearson correlation of predicted and recorded activity over all frames of a tier.

    Excluded are the first `history_frames` of each trial, for which the twin lacks input, and the
    frames in which a neuron was not measured. NaN for a neuron without variance.
    """
    sums = CorrelationSums(data.neurons)
    for number in data.trials(tier):
        sums.add(*predicted_and_recorded(twin, data, number, device=device))
    return sums.correlation()


def chance_correlations(
    twin: Twin, data: VideoSession, *, tier: str, device: torch.device | None = None
) -> F64:
    """(shift,) mean single-trial correlation with activity that is shifted in time.

    The recorded activity of each trial is shifted circularly by k / (CHANCE_SHIFTS + 1) of its
    length, which keeps its own correlation in time: what remains is due to chance.
    """
    sums = [CorrelationSums(data.neurons) for _ in range(CHANCE_SHIFTS)]
    for number in data.trials(tier):
        predicted, recorded = predicted_and_recorded(
            twin, data, number, device=device or torch.device("cpu")
        )
        for k, one in enumerate(sums, start=1):
            shift = k * len(recorded) // (CHANCE_SHIFTS + 1)
            one.add(predicted, np.roll(recorded, shift, 0))
    known = [r[np.isfinite(r)] for r in (one.correlation() for one in sums)]
    return np.array([r.mean() if r.size else 0.0 for r in known])


class CorrelationSums:
    """Pearson correlation of each neuron over trials that are added one after the other."""

    def __init__(self, neurons: int) -> None:
        self._sums = [np.zeros(neurons) for _ in range(6)]

    def add(self, predicted: F64, recorded: F64) -> None:
        """Add a trial, both (frame, neuron); frames with NaN in `recorded` are left out."""
        measured = np.isfinite(recorded)
        p, r = np.where(measured, predicted, 0), np.where(measured, recorded, 0)
        terms = (measured, p, r, p**2, r**2, p * r)
        self._sums = [total + term.sum(0) for total, term in zip(self._sums, terms, strict=True)]

    def correlation(self) -> F64:
        """(neuron,) correlation; NaN for a neuron without variance."""
        frames = np.maximum(self._sums[0], 1)
        p, r, pp, rr, pr = (total / frames for total in self._sums[1:])
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
