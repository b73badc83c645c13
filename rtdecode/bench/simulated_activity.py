"""Activity simulated from a twin and its noise model, for the studies of what limits decoding.

Activity r about the prediction f is drawn with the first two moments of the noise model, eqs. (3)
and (4) of docs/decoder.md:

    r[t, n] = f[t, n] + √(φ[n] (max(f[t, n], 0) + 0.3 φ[n])) z[t, n],    cov z[t] = I + L L'

z is a first-order autoregression with the coefficient ρ = (1 - λ) / (1 + λ), whose integrated
autocorrelation (1 + ρ) / (1 - ρ) is the 1 / λ frames that the likelihood weight λ stands for. The
draws are normal and can be negative; recorded activity is skewed.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import nn

from rtdecode.decode.compute import CPU
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.noise import Noise
from rtdecode.offline.trial import Trial, predicted_activity
from rtdecode.train.validation import CorrelationSums

F32 = NDArray[np.float32]


def drawn_activity(noise: Noise, predicted: F32, rng: np.random.Generator) -> F32:
    """(frame, neuron) activity drawn about `predicted`, (frame, neuron), both in twin units."""
    frames, neurons = predicted.shape
    noise = noise.to(CPU)
    shared = noise.shared.numpy()
    own = rng.standard_normal((frames, neurons))
    common = rng.standard_normal((frames, shared.shape[1])) @ shared.T
    z = _autoregression(own + common, weight=float(noise.likelihood_weight))
    dispersion, floor = noise.dispersion.numpy(), noise.floor.numpy()
    sd = np.sqrt(dispersion * (np.maximum(predicted, 0) + floor))
    return np.asarray(predicted + sd * z, np.float32)


def noise_free(fitted: FittedTwin, trial: Trial) -> Trial:
    """`trial` with the activity that the twin predicts for its display."""
    predicted = predicted_activity(fitted.twin, trial.truth, trial.behaviour)
    return replace(trial, responses=predicted, valid=np.ones_like(predicted, np.bool_))


def simulated(fitted: FittedTwin, trial: Trial, *, draw: int) -> Trial:
    """`trial` with the draw number `draw` of activity; the same each time."""
    return drawn(fitted, noise_free(fitted, trial), draw=draw)


def drawn(fitted: FittedTwin, free: Trial, *, draw: int) -> Trial:
    """As `simulated`, from the `noise_free` trial, which several draws have in common."""
    rng = np.random.default_rng([free.number, draw])
    return replace(free, responses=drawn_activity(fitted.noise, free.responses, rng))


def single_trial_r(predicted: F32, recorded: F32, valid: NDArray[np.bool_]) -> float:
    """Correlation of predicted and recorded activity over frames, mean over neurons.

    All are (frame, neuron). Neurons without a measurement or without variance are left out.
    """
    sums = CorrelationSums(predicted.shape[1])
    sums.add(predicted.astype(np.float64), np.where(valid, recorded.astype(np.float64), np.nan))
    return float(np.nanmean(sums.correlation()))


def perturbed(fitted: FittedTwin, *, relative_sd: float, seed: int) -> FittedTwin:
    """A twin with normal errors in its weights, in units of the RMS of each array of weights."""
    twin = deepcopy(fitted.twin)
    generator = torch.Generator().manual_seed(seed)
    arrays = twin.parameters() if isinstance(twin, nn.Module) else ()
    with torch.no_grad():
        for weights in arrays:
            if weights.ndim > 1:
                size = relative_sd * weights.square().mean().sqrt()
                weights.add_(size * torch.randn(weights.shape, generator=generator).to(weights))
    return replace(fitted, twin=twin)


def _autoregression(innovations: NDArray[np.float64], *, weight: float) -> NDArray[np.float64]:
    """z[t] = ρ z[t - 1] + √(1 - ρ²) e[t], stationary from its first frame on."""
    rho = (1 - weight) / (1 + weight)
    scaled = np.concatenate([innovations[:1], np.sqrt(1 - rho**2) * innovations[1:]])
    return np.asarray(lfilter([1.0], [1.0, -rho], scaled, axis=0))
