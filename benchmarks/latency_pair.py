"""Interleaved comparison of the latency of the demo in two checkouts.

    python benchmarks/latency_pair.py --other CHECKOUT --turns 3 --seconds 45

Each turn is `rtdecode demo --headless` of one checkout, with its own settings. Writes
`benchmarks/results/latency_pair.json`: each run, and the medians over turns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.run_info import git_revision

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results" / "latency_pair.json"
STAGES = ("screen_to_output", "decode", "pacing")


def turn(root: Path, *, seconds: float) -> dict[str, float]:
    """Run the demo of the code in `root`, and return its figures."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.json"
        command = [
            *(sys.executable, "-m", "rtdecode", "demo", "--headless"),
            *("--seconds", str(seconds), "--json", str(path), "--out", f"{folder}/session"),
        ]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        subprocess.run(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, check=True)
        found = json.loads(path.read_text(encoding="utf-8"))
    stages = {
        f"{stage}_{part}_ms": found["stages_ms"][stage][part]
        for stage in STAGES
        for part in ("p50", "p99")
    }
    names = ("fps_out", "late_percent", "video_r", "frames_with_fewer_steps")
    return {**{name: found[name] for name in names}, **stages, "load_before": load}


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Median of each figure over `runs`."""
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=45.0)
    given = parser.parse_args()
    other = given.other.resolve()
    if not (other / "rtdecode" / "demo_mouse").is_dir():
        parser.error(
            f"--other {other} is not a checkout of rtdecode: it has no rtdecode/demo_mouse"
        )
    runs: dict[str, list[dict[str, float]]] = {"other": [], "here": []}
    for _ in range(given.turns):
        for name, root in (("other", other), ("here", HERE)):
            runs[name].append(turn(root, seconds=given.seconds))
            print(name, runs[name][-1], flush=True)
    results: dict[str, Any] = {
        name: {"median": medians(found), "runs": found} for name, found in runs.items()
    }
    config = {"other": git_revision(other), "turns": given.turns, "seconds": given.seconds}
    write_benchmark(RESULTS, name="latency pair", config=config, results=results)


if __name__ == "__main__":
    main()
