"""Measures the noise of a twin: its residuals on trials, how large, how long and how much alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rtdecode.decode.noise import FLOOR, Noise, unshared
from rtdecode.schema.errors import TooShortError
from rtdecode.twins.twin import Twin

FACTORS = 10
_LAGS = 24
_LEAST_DISPERSION = 1e-2
_FEWEST_FRAMES = 2
"""Of which a standard deviation can be taken."""
_EVERY_FRAME = 4
"""Residuals of neighbours are alike; every fourth frame tells what neurons share."""
_ITERATIONS = 30
_LARGEST_SHARE = 0.25
"""Factors, at most, of the neurons and of the frames that tell of them."""
_SEED = 0

TrialTensors = tuple[Tensor, Tensor, Tensor]


@torch.no_grad()
def fit_noise(
    twin: Twin, held_out: Iterable[TrialTensors], seen: Iterable[TrialTensors] = ()
) -> Noise:
    """Noise of `twin`.

    Each trial is video (frame, row, col), behaviour (frame, channel), responses (frame, neuron);
    its first `history_frames` are left out, and with them a trial that has no two frames more, and
    whatever was not measured, which is NaN in the responses.

    Parameters
    ----------
    twin
        Frozen.
    held_out
        Trials that the twin was not fitted to.
    seen
        Trials that it was fitted to, of which there are many more. On them a twin looks a little
        better than it is, but it takes many to tell one neuron's dispersion from another's, and
        what neurons share. Dispersion is the geometric mean of what either kind says; without
        any, it is from the others alone and nothing is shared.

    Raises
    ------
    TooShortError
        If no trial that was held out is long enough.
    """
    told = _residuals_of(twin, held_out, every=1)
    dispersion, likelihood_weight = _dispersion(told), _likelihood_weight(told)
    known = _residuals_of(twin, seen, every=_EVERY_FRAME, needed=False)
    if not known:
        return unshared(dispersion, likelihood_weight)
    dispersion = (dispersion * _dispersion(known)).sqrt()
    scatter = [
        one.residual / (dispersion * (one.rate + FLOOR * dispersion)).sqrt() for one in known
    ]
    return _shared(dispersion, likelihood_weight, torch.cat(scatter))


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Of one trial: prediction, what was recorded less the prediction, and what was measured."""

    rate: Float[Tensor, "frame neuron"]
    residual: Float[Tensor, "frame neuron"]
    """0 where not measured."""
    measured: Bool[Tensor, "frame neuron"]


def _residuals_of(
    twin: Twin, trials: Iterable[TrialTensors], *, every: int, needed: bool = True
) -> list[_Residuals]:
    """Every `every`-th frame of the trials that are long enough."""
    history, longest = twin.spec.history_frames, 0
    found: list[_Residuals] = []
    for video, behaviour, responses in trials:
        longest = max(longest, len(video))
        if len(video) >= history + _FEWEST_FRAMES:
            rate = twin(video[None], behaviour[None])[0, history::every].clone()
            recorded = responses[history::every]
            measured = recorded.isfinite()
            found.append(_Residuals(rate, torch.where(measured, recorded - rate, 0), measured))
    if needed and not found:
        raise TooShortError(
            what="the longest held-out trial", frames=longest, needed=history + _FEWEST_FRAMES
        )
    return found


def _dispersion(trials: Sequence[_Residuals]) -> Float[Tensor, " neuron"]:
    """The d for which squared residuals over d (f + FLOOR d) are 1 on average, by iteration."""
    count = sum((one.measured.sum(0) for one in trials), torch.zeros(1)).clamp_min(1)
    dispersion = torch.ones_like(count)
    for _ in range(_ITERATIONS):
        ratio = torch.zeros_like(count)
        for one in trials:
            ratio += (one.residual.square() / (one.rate + FLOOR * dispersion)).sum(0)
        dispersion = ((dispersion + ratio / count) / 2).clamp_min(_LEAST_DISPERSION)
    return dispersion


def _likelihood_weight(trials: Sequence[_Residuals]) -> Float[Tensor, ""]:
    """1 over the integrated autocorrelation of residuals, in frames."""
    alike = torch.zeros(_LAGS)
    for one in trials:
        alike += _autocovariance(one.residual / (one.residual.std(0) + 1e-6))
    correlation = alike / alike[0].clamp_min(1e-6)
    return 1 / (1 + 2 * correlation[1:].clamp_min(0).sum())


def _shared(
    dispersion: Float[Tensor, " neuron"],
    likelihood_weight: Float[Tensor, ""],
    scatter: Float[Tensor, "frame neuron"],
) -> Noise:
    """With the main components of `scatter`, above what all directions have, as what is shared.

    Probabilistic principal components (Tipping & Bishop 1999, "Probabilistic principal component
    analysis"), at the same variance for each neuron. What is shared is taken off the dispersion.
    """
    factors = min(FACTORS, int(_LARGEST_SHARE * min(scatter.shape)))
    scaled = scatter / scatter.square().mean(0).sqrt().clamp_min(1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        _, size, directions = torch.svd_lowrank(scaled, q=2 * factors, niter=4)
    variance, directions = size[:factors].square() / len(scaled), directions[:, :factors]
    neurons = scaled.shape[1]
    rest = (neurons - variance.sum()) / (neurons - factors)
    shared = directions * (variance / rest - 1).clamp_min(0).sqrt()
    return Noise(dispersion * rest, likelihood_weight, shared)


def _autocovariance(residual: Float[Tensor, "frame neuron"]) -> Float[Tensor, " lag"]:
    centred = residual - residual.mean(0)
    frames = len(centred)
    lags = range(min(_LAGS, frames))
    covariances = [(centred[lag:] * centred[: frames - lag]).mean() for lag in lags]
    return torch.stack(covariances + [covariances[0] * 0] * (_LAGS - len(covariances)))
