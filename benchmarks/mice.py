"""The decoder with default settings on simulated mice that differ in neurons and noise.

    python benchmarks/mice.py --mouse NAME=DATA:TWIN [--mouse ...] [--trials N]

DATA is a simulated mouse in the Sensorium 2023 layout, with the `config.json` of its simulation;
TWIN is the folder that `rtdecode fit twin` wrote for it, with the mask of `rtdecode fit mask`. Each
mouse takes some minutes. Writes `benchmarks/results/mice.json`; the results of mice that are not
named are kept.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.quality import LAG, STEP_COUNT, TableRequest, TableSettings, bench_quality
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.runtime.clock import HostClock

RESULTS = Path(__file__).parent / "results" / "mice.json"
USUAL = TableSettings(lags=(LAG,), steps=(STEP_COUNT,), neuron_parts=())
METRICS = ("video_r", "frame_r")


def measured(data: Path, twin: Path, *, trials: int | None) -> dict[str, Any]:
    """Properties of one mouse, and the scores of each method."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = bench_quality(
            TableRequest(data, (twin,), trials=trials, settings=USUAL),
            Path(scratch),
            clock=HostClock(),
            report=lambda name: print(data.name, name, flush=True),
        )
    config = json.loads((data / "config.json").read_text(encoding="utf-8"))
    training = json.loads((twin / "training.json").read_text(encoding="utf-8"))
    mask = np.load(twin / "mask.npy")
    return {
        "neurons": rows[0]["neurons"],
        "noise": float(config["noise"]),
        "twin_r": training["single_trial_r"]["mean"],
        "trained_minutes": training["standing"]["elapsed_s"] / 60,
        "scored_pixels": int(mask.sum()),
        "trials": len(rows[0]["video_r"]["per_clip"]),
        "methods": {row["method"]: {metric: row[metric] for metric in METRICS} for row in rows},
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mouse", action="append", required=True, metavar="NAME=DATA:TWIN")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(threads=asked.threads)
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else {}
    for mouse in asked.mouse:
        name, _, paths = mouse.partition("=")
        data, _, twin = paths.partition(":")
        kept[name] = measured(Path(data), Path(twin), trials=asked.trials)
        settings = {"tier": "test", "lag_frames": LAG, "steps": STEP_COUNT}
        write_benchmark(RESULTS, name="mice", config=settings, results=kept)


if __name__ == "__main__":
    main()
