"""Processor load of the simulated rig, and the signal-to-noise ratio of its neurons.

    .venv/bin/python benchmarks/simulated_rig.py [--seconds 60]

Displays seeded natural scenes to the rig of the demo, faster than real time, and prints for several
scan sizes the processor time of a simulated second, and the correlation of each neuron's
fluorescence in its footprint, deconvolved causally, with its true rate.
Writes `benchmarks/results/simulated_rig.json`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from acquisition_bridge.sources.simulated.cortex import natural_scenes
from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from rtdecode.bench.result_file import write_benchmark
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.messages import Scan

RESULTS = Path(__file__).parent / "results" / "simulated_rig.json"
SIZES = ((256, 15.0), (512, 15.0), (512, 30.0))
FRAME_HZ = 30
LAGS_FRAMES = range(1, 7)


def simulated(rig: SimulatedMicroscope, seconds: int) -> tuple[list[Scan], list[np.ndarray], float]:
    """Scans, (neuron,) rates at each frame, and processor seconds for each simulated second."""
    scenes = natural_scenes(np.random.default_rng(5), seconds * FRAME_HZ, rows_px=36, cols_px=64)
    rig.show(scenes[0], 0)
    rig.advance_to(100_000_000)  # compilation
    scans: list[Scan] = []
    rates, begun = [], time.process_time()
    for k, frame in enumerate(scenes):
        rig.show(frame, round(k * 1e9 / FRAME_HZ))
        bodies = rig.advance_to(round((k + 1) * 1e9 / FRAME_HZ))
        scans += [body for body in bodies if isinstance(body, Scan)]
        rates.append(rig.mouse.rates_hz)
    return scans, rates, (time.process_time() - begun) / seconds


def single_trial_r(seconds: int) -> float:
    """Median over neurons, at the best of the lags, of activity against true rate; no motion."""
    config = SimulatedSource(motion_px=0.0)
    rig = SimulatedMicroscope(config, 1)
    masks = rig.footprints()
    scans, rates, _ = simulated(rig, seconds)
    trace = np.array([[s.pixels_counts.ravel()[p] @ w for p, w in masks] for s in scans])
    dff = trace / ndimage.percentile_filter(trace, 20, (301, 1)) - 1
    kept = np.exp(-1 / (config.scan_rate_hz * config.decay_tau_s))
    activity = dff[1:] - kept * dff[:-1]
    frame = np.array([s.t_end_ns * FRAME_HZ // 1_000_000_000 for s in scans[1:]])
    late, rate = slice(15, None), np.array(rates)
    found = (_correlations(activity[late], rate[frame[late] - lag]) for lag in LAGS_FRAMES)
    return max(float(np.median(r)) for r in found)


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0) + 1e-12)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="simulated duration")
    options = parser.parse_args()
    costs = {}
    for size, rate_hz in SIZES:
        config = SimulatedSource(rows_px=size, cols_px=size, scan_rate_hz=rate_hz)
        cost = simulated(SimulatedMicroscope(config, 1), options.seconds)[2]
        costs[f"{size}x{size} at {rate_hz:g} Hz"] = round(100 * cost, 2)
        print(f"{size} x {size} at {rate_hz:g} Hz: {100 * cost:.1f} % of one core")
    r = single_trial_r(options.seconds)
    print(f"single-trial correlation of activity with the true rate, median: {r:.3f}")
    write_benchmark(
        RESULTS,
        name="simulated_rig",
        config={"seconds": options.seconds},
        results={"percent_of_one_core": costs, "single_trial_r": r},
    )


if __name__ == "__main__":
    main()
