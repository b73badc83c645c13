"""What a solver step more a frame gains and costs: video_r and ms, for the default of `steps`.

    python benchmarks/default_steps.py

Simulated sessions of the demo mouse (scans at 15 Hz), that took no part in choosing a setting, are
decoded frame by frame with 1, 2, 3 and 5 steps: with the default settings (frame lag 8,
deconvolution lag 1) and with those of `demo.yaml` (4 and 0), by all 1,200 neurons, and by 500 of
them as a mouse with fewer neurons. Differences to the default of three steps are paired by clip.
Writes `benchmarks/results/default_steps.json`.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rtdecode.bench.decoder import with_neurons
from rtdecode.bench.demo_subject import trials_of_session
from rtdecode.bench.loop import LoopSettings, RateBench, twin_folder
from rtdecode.bench.paired import paired_difference
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.demo.config import demo_config
from rtdecode.evaluate.metrics import bootstrap_interval, video_r
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.twins.compact.network import Compact

RESULTS = Path(__file__).parent / "results" / "default_steps.json"
STEPS = (1, 2, 3, 5)
DEFAULT = DecodeConfig().steps
LAGS = {"default": (8, 1), "demo.yaml": (4, 0)}
"""Frame lag and deconvolution lag in scans."""
FEW_NEURONS = 500
SCAN_RATE_HZ = 15.0
_NS_PER_MS = 1e6

Scores = dict[int, tuple[list[float], float]]
"""For each number of steps video_r of the clips, and mean processor time of a frame in ms."""


def some_neurons(fitted: FittedTwin, chosen: np.ndarray) -> FittedTwin:
    """The twin of the neurons `chosen` of `fitted`, with their noise model."""
    if not isinstance(fitted.twin, Compact):
        raise TypeError(f"expected a compact twin, not one of {type(fitted.twin).__name__}")
    kept = torch.from_numpy(chosen)
    return FittedTwin(with_neurons(fitted.twin, kept), fitted.prior, fitted.noise.of(kept))


def chosen_neurons(neurons: int, *, count: int) -> np.ndarray:
    """(`count`,) numbers of the neurons that are kept, in order."""
    return np.sort(np.random.default_rng(0).choice(neurons, count, replace=False))


def of_neurons(trial: Trial, chosen: np.ndarray) -> Trial:
    """`trial` as a microscope records it that has only the neurons `chosen`."""
    return replace(trial, responses=trial.responses[:, chosen], valid=trial.valid[:, chosen])


def scores(
    fitted: FittedTwin, trials: Sequence[Trial], mask: np.ndarray, *, lag_frames: int
) -> Scores:
    """Quality and time of each number of steps, which take turns clip by clip."""
    found: Scores = {steps: ([], 0.0) for steps in STEPS}
    frames = sum(len(trial.truth) for trial in trials)
    for trial in trials:
        for steps, (per_clip, ms) in found.items():
            config = DecodeConfig(lag_frames=lag_frames, steps=steps)
            begun_ns = time.thread_time_ns()
            video = Online([fitted], config).video(trial)
            spent_ms = (time.thread_time_ns() - begun_ns) / _NS_PER_MS
            per_clip.append(video_r(trial.truth, video, mask))
            found[steps] = per_clip, ms + spent_ms / frames
    return found


def rows_of(found: Scores) -> list[dict[str, Any]]:
    """A row for each number of steps; `difference` is that to the default number of steps."""
    rows = []
    for steps, (per_clip, ms) in found.items():
        interval = bootstrap_interval(per_clip, rng=np.random.default_rng(0))
        rows.append(
            {
                "steps": steps,
                "video_r": {"mean": interval.mean, "ci95": [interval.low, interval.high]},
                "difference": paired_difference(per_clip, found[DEFAULT][0]),
                "cpu_ms": ms,
                "clips": len(per_clip),
            }
        )
    return rows


def measured(sessions: LoopSettings) -> list[dict[str, Any]]:
    """The rows of both mice and settings."""
    config = demo_config(seconds=1.0, display=Display.VIRTUAL, clips=None)
    fitted = load_fitted_twin(twin_folder(config))
    bench = RateBench(config, sessions, fitted, rate_hz=SCAN_RATE_HZ)
    rows = []
    for name, (lag_frames, deconvolution_lag) in LAGS.items():
        trials = [
            trial
            for session in bench.sessions
            for trial in trials_of_session(
                session,
                list(bench.batches_of(session, deconvolution_lag)),
                frame_rate_hz=config.frame_rate_hz,
            )
        ]
        chosen = chosen_neurons(fitted.twin.spec.neurons, count=FEW_NEURONS)
        few = some_neurons(fitted, chosen)
        fewer = [of_neurons(trial, chosen) for trial in trials]
        for twin, shown in ((fitted, trials), (few, fewer)):
            found = scores(twin, shown, bench.mask, lag_frames=lag_frames)
            mouse = {"settings": name, "neurons": twin.twin.spec.neurons}
            rows += [mouse | row for row in rows_of(found)]
            print(*rows[-len(STEPS) :], sep="\n", flush=True)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8], help="sessions")
    parser.add_argument("--clips", type=int, default=4, help="of each session")
    parser.add_argument("--clip-s", type=float, default=8.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    prepare_process(threads=1)
    load = os.getloadavg()[0]
    sessions = LoopSettings(
        scan_rates_hz=(), seeds=given.seeds, clips=given.clips, clip_s=given.clip_s
    )
    results = {"rows": measured(sessions), "load_before": load, "load_after": os.getloadavg()[0]}
    config = {"seeds": given.seeds, "clips": given.clips, "clip_s": given.clip_s, "threads": 1}
    write_benchmark(given.json, name="default steps", config=config, results=results)


if __name__ == "__main__":
    main()
