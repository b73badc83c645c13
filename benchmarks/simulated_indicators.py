"""Online deconvolution for indicators that no recording here has, against offline OASIS.

    .venv/bin/python benchmarks/simulated_indicators.py

Doubly stochastic Poisson spikes (mean 0.5 Hz, rates that change every 0.25 s) are convolved with
responses of known rise and decay, at 30 and 8 Hz, with white noise relative to the peak response
to one spike. Constants are those in use; calibration (first 10 s), score and offline OASIS are
those of `deconvolution.py`. `alone`: each neuron is calibrated by itself; `field`: the neurons of
an indicator together. Writes `benchmarks/results/calcium_simulated.json`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from calcium import RATES_HZ, RESULTS, agreement
from deconvolution import CONFIG, DEFAULT, Floats, Traces, alone, chain_dff, ratios, scores
from numpy.typing import NDArray
from oasis.functions import deconvolve

from rtdecode.bench.result_file import write_benchmark

INDICATORS = {
    "fast": (0.005, 0.15),
    "GCaMP6f": (0.02, 0.4),
    "slow decay": (0.03, 1.0),
    "GCaMP6s": (0.08, 1.0),
    "slower": (0.12, 1.8),
    "fast rise, slow decay": (0.005, 0.8),
}
"""Rise and decay time constants in s."""
NOISES = (0.1, 0.3, 0.6)
"""SD of one scan at 30 Hz, relative to the peak response to one spike."""
NEURONS, DURATION_S, STEPS_HZ, SEED = 12, 120.0, 120, 0
PEAK_DFF, MEAN_HZ, PIECE_S = 0.2, 0.5, 0.25


def simulated(rise_s: float, decay_s: float, *, noise: float, rate_hz: float) -> Traces:
    """Neurons of one indicator, with their spike counts and the scores of offline OASIS."""
    rng = np.random.default_rng(SEED)
    t = np.arange(0, 8 * decay_s, 1 / STEPS_HZ)
    response = np.exp(-t / decay_s) - np.exp(-t / rise_s)
    response *= PEAK_DFF / response.max()
    dff, spikes, offline = [], [], []
    first = int(CONFIG.calibration_s * rate_hz)
    for _ in range(NEURONS):
        fired = _spikes(rng)
        calcium = np.convolve(fired, response)[: len(fired)]
        per_scan = round(STEPS_HZ / rate_hz)
        sd = noise * PEAK_DFF * np.sqrt(rate_hz / 30)
        trace = calcium.reshape(-1, per_scan).mean(1)
        trace += rng.normal(0, sd, len(trace))
        counts = fired.reshape(-1, per_scan).sum(1)
        offline.append(agreement(deconvolve(trace, penalty=1).s[first:], counts[first:]))
        dff.append(chain_dff(trace, rate_hz))
        spikes.append(counts)
    scans = np.full(NEURONS, len(dff[0]))
    names = np.full(NEURONS, "simulated")
    return Traces(rate_hz, names, np.stack(dff, axis=1), scans, spikes, np.array(offline))


def _spikes(rng: np.random.Generator) -> Floats:
    """(step,) number of spikes."""
    rates_hz = rng.gamma(0.5, MEAN_HZ / 0.5, round(DURATION_S / PIECE_S))
    return rng.poisson(np.repeat(rates_hz, round(PIECE_S * STEPS_HZ)) / STEPS_HZ).astype(float)


def _together(data: Traces) -> Iterator[NDArray[np.intp]]:
    yield np.arange(len(data.scans))


def simulated_table() -> list[dict[str, Any]]:
    """Ratio to offline OASIS at each lag, for each rate, indicator and noise."""
    rows = []
    everyone = np.ones(NEURONS, bool)
    for rate_hz in RATES_HZ:
        for name, (rise_s, decay_s) in INDICATORS.items():
            for noise in NOISES:
                data = simulated(rise_s, decay_s, noise=noise, rate_hz=rate_hz)
                row: dict[str, Any] = {
                    "rate_hz": rate_hz,
                    "indicator": name,
                    "rise_tau_s": rise_s,
                    "decay_tau_s": decay_s,
                    "noise": noise,
                    "offline_r": float(data.offline.mean()),
                }
                for kind, fields in (("alone", alone), ("field", _together)):
                    found = scores(data, DEFAULT, fields(data))
                    row[kind] = ratios(data, found, everyone).tolist()
                print(row)
                rows.append(row)
    return rows


if __name__ == "__main__":
    write_benchmark(
        RESULTS / "calcium_simulated.json",
        name="calcium simulated",
        config={**CONFIG.model_dump(mode="json"), "neurons": NEURONS, "duration_s": DURATION_S},
        results=simulated_table(),
    )
