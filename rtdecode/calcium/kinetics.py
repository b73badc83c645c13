"""Decay, rise and noise of calcium traces, estimated from a calibration for the deconvolution.

Duties: estimate from (scan, neuron) dF/F the time constants of the indicator's response and the
noise of one scan. Ten seconds of a neuron hold few transients, so estimates are shrunk: a neuron's
decay to that of all neurons of the field of view, and both time constants to the indicator's.
Nothing here depends on images, on units of the twin, or on later scans.

Three neurons whose transients decay with 0.5 s, at 30 Hz:

>>> rng = np.random.default_rng(0)
>>> dff = rng.poisson(0.02, (900, 3)).astype(np.float32)
>>> for t in range(1, 900):
...     dff[t] += np.exp(-1 / 15) * dff[t - 1]
>>> dff += rng.normal(0, 0.05, dff.shape).astype(np.float32)
>>> found = kinetics(dff, scan_rate_hz=30.0, prior=KineticsPrior(0.7, 0.04))
>>> bool(np.allclose(found.decay_tau_s, 0.5, rtol=0.15))
True
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_FEWEST_SCANS = 10
"""With fewer scans the prior is used unchanged."""
_DECAY_OVER_S = 0.2
"""Interval over which the fall of fluorescence is measured, in s."""
_DECAY_QUANTILE = 0.35
"""Of all ratios: the median of those without a spike, where 30 % of intervals have one."""
_SMOOTHED_S = 0.1
_CLEAR_SD = 4.0
"""Fluorescence above so many standard deviations of its noise enters the estimate of the decay."""
_WIDEST = 5.0
"""Time constants stay within this factor of the indicator's."""
_COVARIANCE_S = 0.35
"""Autocovariance is compared up to this lag; at later lags sampling error exceeds the decay."""
_FEWEST_LAGS = 3
_RESOLVED_SCANS = 0.5
"""A rise that lasts less is not deconvolved: this would only amplify noise."""
_RISES_S = np.array([0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13, 0.2])
_DECAYS_S = np.geomspace(0.1, 3.0, 18)
_LEAST_KEPT = 1e-3
"""A rise of which less is left after one scan is not deconvolved."""
_BLOCK = 256
"""Number of neurons that are sorted at once, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class KineticsPrior:
    """The indicator's time constants, and how strongly estimates are shrunk to them.

    Weight and noise gain are within 0.02 of the best on recordings with known spikes, of which
    `benchmarks/deconvolution.py` leaves one data set out in turn (docs/decisions/0027).
    """

    decay_tau_s: float
    rise_tau_s: float
    """0 for a first-order model: no rise is deconvolved."""
    decay_weight_s: float = 3.0
    """Weight of the prior of the decay: that of so many seconds of clear fluorescence."""
    rise_log_sd: float = 1.0
    """Standard deviation of the logarithm of the rise time constant."""
    shape_variance: float = 5e-4
    """Relative variance of the autocovariance beyond that of the noise, by sampling of spikes."""
    noise_gain: float = 0.05
    """Increase of noise that deconvolution of the rise may cause, per unit of signal to noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Kinetics:
    """Decay, rise and noise of each neuron."""

    decay_tau_s: F32
    """(neuron,) time in s for a transient to decay to 1/e."""
    rise_tau_s: F32
    """(neuron,) rise time constant in s that is deconvolved; 0 for none."""
    noise: F32
    """(neuron,) standard deviation of the noise of one scan, in units of the traces."""


def kinetics(dff: F32, *, scan_rate_hz: float, prior: KineticsPrior) -> Kinetics:
    """Estimate decay, rise and noise of each neuron.

    Parameters
    ----------
    dff
        (scan, neuron) dF/F of consecutive scans, 0 at rest.
    scan_rate_hz
        Imaging rate in Hz.

    Notes
    -----
    The estimates are equivariant to the scale of the traces: decay and rise do not depend on it,
    noise is proportional to it.
    """
    expected = np.full(dff.shape[1], prior.decay_tau_s)
    noise = noise_sd(dff, decay_scans=expected * scan_rate_hz)
    decay = _decay_tau_s(dff, noise, scan_rate_hz=scan_rate_hz, prior=prior)
    noise = noise_sd(dff, decay_scans=decay * scan_rate_hz)
    rise = _rise_tau_s(dff, noise, scan_rate_hz=scan_rate_hz, prior=prior)
    return Kinetics(decay.astype(np.float32), rise.astype(np.float32), noise)


def noise_sd(dff: F32, *, decay_scans: F64) -> F32:
    """(neuron,) standard deviation of the noise of one scan; `dff` is (scan, neuron).

    The jump e[t] = y[t] - g y[t-1] with g = exp(-1 / decay) is noise of standard deviation
    sqrt(1 + g²) sd, plus activity, which is at least 0. Its lower half therefore is that of the
    noise alone: sd = (median e - q e) / sqrt(1 + g²), where q is the quantile Φ(-1).
    """
    if len(dff) < _FEWEST_SCANS:
        return np.full(dff.shape[1], 1e-3, np.float32)
    g = np.exp(-1.0 / decay_scans).astype(np.float32)
    low, median = np.quantile(dff[1:] - g * dff[:-1], [ndtr(-1), 0.5], axis=0)
    sd: F32 = np.maximum((median - low) / np.sqrt(1 + g**2), 1e-6).astype(np.float32)
    return sd


def _decay_tau_s(dff: F32, noise: F32, *, scan_rate_hz: float, prior: KineticsPrior) -> F64:
    """(neuron,) decay time constant in s.

    Between spikes fluorescence falls by exp(-Δ / tau) in Δ. Spikes can only make the ratio
    y[t + Δ] / y[t] larger, so the median of the ratios without them is a lower quantile of all.
    Ratios are weighted by y[t]: quantile regression (Koenker & Bassett 1978, Econometrica). The
    autocovariance would be biased by bursts and by the mean of a short recording.
    """
    found, clear_s = np.zeros(dff.shape[1]), np.zeros(dff.shape[1])
    for first in range(0, dff.shape[1], _BLOCK):
        part = np.s_[first : first + _BLOCK]
        found[part], clear_s[part] = _log_decay(dff[:, part], noise[part], scan_rate_hz)
    # weighted means of logarithms: the field's with the prior, then each neuron's with the field's
    weight, expected = prior.decay_weight_s, np.log(prior.decay_tau_s)
    of_field = (weight * expected + np.sum(clear_s * found)) / (weight + np.sum(clear_s))
    log_tau = (weight * of_field + clear_s * found) / (weight + clear_s)
    bounded = np.clip(log_tau, expected - np.log(_WIDEST), expected + np.log(_WIDEST))
    return np.asarray(np.exp(bounded))


def _log_decay(dff: F32, noise: F32, scan_rate_hz: float) -> tuple[F64, F64]:
    """(neuron,) log decay time constant in s, and duration in s of the clear fluorescence."""
    width = max(1, round(_SMOOTHED_S * scan_rate_hz))
    ahead = max(width, round(_DECAY_OVER_S * scan_rate_hz))
    if len(dff) < _FEWEST_SCANS + width + ahead:
        return np.zeros(dff.shape[1]), np.zeros(dff.shape[1])
    means = np.lib.stride_tricks.sliding_window_view(dff, width, axis=0).mean(-1, dtype=np.float64)
    before, after = means[:-ahead], means[ahead:]
    clear = before > _CLEAR_SD * noise / np.sqrt(width)
    ratio = np.where(clear, after / np.where(clear, before, 1), np.inf)
    order = np.argsort(ratio, axis=0, kind="stable")
    weight = np.cumsum(np.take_along_axis(np.where(clear, before, 0), order, axis=0), axis=0)
    place = (weight >= weight[-1] * _DECAY_QUANTILE).argmax(0)
    typical = np.take_along_axis(ratio, np.take_along_axis(order, place[None], 0), 0)[0]
    known = clear.any(0)
    # exp(-Δ / tau) within bounds that keep tau positive and finite
    kept = np.clip(np.where(known, typical, 0.5), 0.02, 0.99)
    log_tau = np.log(-ahead / scan_rate_hz / np.log(kept))
    return np.where(known, log_tau, 0.0), clear.sum(0) / scan_rate_hz


def _rise_tau_s(dff: F32, noise: F32, *, scan_rate_hz: float, prior: KineticsPrior) -> F64:
    """(neuron,) rise time constant in s that is deconvolved.

    The rise is a property of the indicator: one for all neurons, with the highest posterior
    probability. It is deconvolved less where this would amplify noise too much (`_limited`).
    """
    nothing = np.zeros(dff.shape[1])
    lags = np.arange(1, 1 + max(_FEWEST_LAGS, round(_COVARIANCE_S * scan_rate_hz)))
    if prior.rise_tau_s <= 0 or len(dff) < _FEWEST_SCANS + 2 * len(lags):
        return nothing
    covariance = _autocovariance(dff, lags)
    misfit = _misfit(covariance, noise, lags / scan_rate_hz, scans=len(dff), prior=prior)
    shift = np.log(_RISES_S / prior.rise_tau_s) / prior.rise_log_sd
    rise = _RISES_S[np.argmin(misfit.sum(0) + shift**2 / 2)]
    if rise * scan_rate_hz < _RESOLVED_SCANS:
        return nothing
    signal = np.sqrt(np.maximum(covariance[0], 0)) / noise
    return _limited(nothing + rise, 1 + prior.noise_gain * signal, scan_rate_hz=scan_rate_hz)


def _autocovariance(dff: F32, lags: NDArray[np.int64]) -> F64:
    """(lag, neuron) autocovariance; white noise contributes to lag 0 alone."""
    centred = (dff - dff.mean(0)).astype(np.float64)
    return np.stack([(centred[lag:] * centred[:-lag]).mean(0) for lag in lags])


def _misfit(covariance: F64, noise: F32, lags_s: F64, *, scans: int, prior: KineticsPrior) -> F64:
    """(neuron, rise) negative log likelihood of the autocovariance, for the best decay.

    A response exp(-t / d) - exp(-t / r) to spikes without correlation has the autocovariance
    C(t) ∝ d exp(-t / d) - r exp(-t / r). Its estimates scatter by noise with the variance
    (sd⁴ + 2 sd² C) / scans, and by sampling of spikes in proportion to C.
    """
    level = np.abs(covariance).max(0)
    variance = prior.shape_variance * level**2 + (noise**4 + 2 * noise**2 * level) / scans
    # the mean of a short recording lowers all lags alike, which would look like a rise
    centred = covariance - covariance.mean(0)
    found = np.empty((covariance.shape[1], len(_RISES_S)))
    for place, rise in enumerate(_RISES_S):
        decay = _DECAYS_S[_DECAYS_S > 1.25 * rise, None]
        shape = decay * np.exp(-lags_s / decay) - rise * np.exp(-lags_s / rise)
        shape -= shape.mean(1, keepdims=True)
        shape /= np.sqrt((shape**2).sum(1, keepdims=True))
        # residual of the projection on each shape, with an amplitude of at least 0
        explained = np.maximum(shape @ centred, 0).max(0)
        found[:, place] = ((centred**2).sum(0) - explained**2) / (2 * variance)
    return found


def _limited(rise_tau_s: F64, gain: F64, *, scan_rate_hz: float) -> F64:
    """(neuron,) rise time constant, shortened where its deconvolution amplifies noise more.

    (y[t] - r y[t-1]) / (1 - r) multiplies the noise by G = sqrt(1 + r²) / (1 - r). With G ≤ gain,
    r ≤ (a - sqrt(a² - 1)), a = gain² / (gain² - 1).
    """
    a = gain**2 / np.maximum(gain**2 - 1, 1e-9)
    largest = a - np.sqrt(a**2 - 1)
    kept = np.minimum(np.exp(-1 / (rise_tau_s * scan_rate_hz)), largest)
    tau_s = -1 / np.log(np.maximum(kept, _LEAST_KEPT)) / scan_rate_hz
    return np.where(kept > _LEAST_KEPT, tau_s, 0.0)
