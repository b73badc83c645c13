"""Estimation of the noise model of a twin from its residuals, for `rtdecode fit twin`.

Dispersion of each neuron, the likelihood weight (temporal correlation) and noise correlations
(a low-rank covariance) are estimated; `rtdecode.decode.noise` defines the model.
"""

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
"""The least from which a standard deviation can be computed."""
_STRIDE = 4
"""Residuals of neighbouring frames are correlated; noise correlations use every fourth frame."""
_ITERATIONS = 30
_LARGEST_SHARE = 0.25
"""Largest number of factors relative to the number of neurons and of frames."""
_SEED = 0

TrialTensors = tuple[Tensor, Tensor, Tensor]


@torch.no_grad()
def fit_noise(
    twin: Twin, held_out: Iterable[TrialTensors], seen: Iterable[TrialTensors] = ()
) -> Noise:
    """Estimate the noise model of `twin`.

    Each trial is video (frame, row, col), behaviour (frame, channel) and responses (frame, neuron),
    NaN where not measured. The first `history_frames` of a trial are left out; trials with fewer
    than two frames more are skipped.

    Parameters
    ----------
    twin
        A frozen twin.
    held_out
        Trials to which the twin was not fitted.
    seen
        Training trials. Residuals are slightly too small on them, but single-neuron dispersions and
        noise correlations need many trials. The dispersion is the geometric mean of both estimates;
        without training trials it is that of `held_out`, and noise correlations are 0.

    Raises
    ------
    TooShortError
        If no held-out trial is long enough.
    """
    tested = _residuals_of(twin, held_out, stride=1)
    dispersion, likelihood_weight = _dispersion(tested), _likelihood_weight(tested)
    trained = _residuals_of(twin, seen, stride=_STRIDE, needed=False)
    if not trained:
        return unshared(dispersion, likelihood_weight)
    dispersion = (dispersion * _dispersion(trained)).sqrt()
    standardised = [
        one.residual / (dispersion * (one.rate + FLOOR * dispersion)).sqrt() for one in trained
    ]
    return _shared(dispersion, likelihood_weight, torch.cat(standardised))


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Predicted rate and residual (recorded minus predicted) of one trial."""

    rate: Float[Tensor, "frame neuron"]
    residual: Float[Tensor, "frame neuron"]
    """0 where not measured."""
    measured: Bool[Tensor, "frame neuron"]


def _residuals_of(
    twin: Twin, trials: Iterable[TrialTensors], *, stride: int, needed: bool = True
) -> list[_Residuals]:
    """Residuals of each `stride`-th frame of the trials that are long enough."""
    history, longest = twin.spec.history_frames, 0
    found: list[_Residuals] = []
    for video, behaviour, responses in trials:
        longest = max(longest, len(video))
        if len(video) >= history + _FEWEST_FRAMES:
            rate = twin(video[None], behaviour[None])[0, history::stride].clone()
            recorded = responses[history::stride]
            measured = recorded.isfinite()
            found.append(_Residuals(rate, torch.where(measured, recorded - rate, 0), measured))
    if needed and not found:
        raise TooShortError(
            what="the longest held-out trial", frames=longest, needed=history + _FEWEST_FRAMES
        )
    return found


def _dispersion(trials: Sequence[_Residuals]) -> Float[Tensor, " neuron"]:
    """The d with mean(residual^2 / (d (f + FLOOR d))) = 1, by damped fixed-point iteration."""
    count = sum((one.measured.sum(0) for one in trials), torch.zeros(1)).clamp_min(1)
    dispersion = torch.ones_like(count)
    for _ in range(_ITERATIONS):
        ratio = torch.zeros_like(count)
        for one in trials:
            ratio += (one.residual.square() / (one.rate + FLOOR * dispersion)).sum(0)
        dispersion = ((dispersion + ratio / count) / 2).clamp_min(_LEAST_DISPERSION)
    return dispersion


def _likelihood_weight(trials: Sequence[_Residuals]) -> Float[Tensor, ""]:
    """1 / (1 + 2 sum_k rho_k): inverse integrated autocorrelation of residuals, in frames."""
    summed = torch.zeros(_LAGS)
    for one in trials:
        summed += _autocovariance(one.residual / (one.residual.std(0) + 1e-6))
    correlation = summed / summed[0].clamp_min(1e-6)
    return 1 / (1 + 2 * correlation[1:].clamp_min(0).sum())


def _shared(
    dispersion: Float[Tensor, " neuron"],
    likelihood_weight: Float[Tensor, ""],
    residual: Float[Tensor, "frame neuron"],
) -> Noise:
    """Noise model with noise correlations: probabilistic PCA of standardised residuals.

    Tipping & Bishop (1999), "Probabilistic principal component analysis": the covariance is
    s2 (I + S S') with s2 the mean of the discarded eigenvalues l, and columns of S the leading
    eigenvectors times sqrt(l / s2 - 1). The shared variance is removed from the dispersion.
    """
    factors = min(FACTORS, int(_LARGEST_SHARE * min(residual.shape)))
    scaled = residual / residual.square().mean(0).sqrt().clamp_min(1e-6)
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
