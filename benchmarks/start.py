"""Interleaved comparison of the start of commands and processes in two checkouts.

    python benchmarks/start.py --other CHECKOUT --turns 5 [--demos 1]

Processor seconds (user and system) of `rtdecode --help`, of `rtdecode check` of the demo, and of
the imports of each process; and seconds from the command `rtdecode demo` to its first
reconstruction, and from the end of the run to the end of the command. Seconds depend on what else
the machine does, processor seconds less so: the ratio of both checkouts in one turn is what counts.
Writes `benchmarks/results/start.json`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.run_info import git_revision
from rtdecode.session.reader import LogReader

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results" / "start.json"
PROCESSES = {
    "supervisor": "rtdecode.commands.live",
    "recorder": "rtdecode.pipeline.recorder",
    "stimulus": "stimulus.__main__",
    "bridge": "acquisition_bridge.__main__",
    "decoder": "rtdecode.pipeline.decoder",
    "evaluate": "rtdecode.pipeline.evaluate",
    "view": "rtdecode.pipeline.view",
    "controller": "rtdecode.pipeline.controller",
}
RECONSTRUCTIONS = "emit/reconstruction"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CLOCK = HostClock()


def run(root: Path, words: Sequence[str]) -> tuple[float, float]:
    """Processor seconds and seconds of `python words` with the code in `root`."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(root)}
    before, begun_ns = resource.getrusage(resource.RUSAGE_CHILDREN), CLOCK.now_ns()
    command = [sys.executable, *words]
    subprocess.run(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used_s, (CLOCK.now_ns() - begun_ns) / 1e9


def starts(root: Path) -> dict[str, float]:
    """Processor seconds of commands, and of the imports of processes."""
    found = {
        "--help": run(root, ["-m", "rtdecode", "--help"])[0],
        "check": run(root, ["-m", "rtdecode", "check", "rtdecode/demo_mouse/demo.yaml"])[0],
    }
    found |= {name: run(root, ["-c", f"import {module}"])[0] for name, module in PROCESSES.items()}
    return found


def demo(root: Path, *, seconds: float) -> dict[str, float]:
    """Seconds of one demo: to its first reconstruction, and from the end of the run to its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "rtdecode", "demo", "--headless", "--seconds", str(seconds)]
        begun_ns = CLOCK.now_ns()
        used_s, lasted_s = run(root, [*words, "--out", f"{folder}/session"])
        logged = [*LogReader(Path(folder) / "session" / "log.mcap").logged()]
        first_ns = min(one.t_received_ns for one in logged if one.stream == RECONSTRUCTIONS)
        last_ns = max(one.t_received_ns for one in logged)
    return {
        "first_reconstruction_s": (first_ns - begun_ns) / 1e9,
        "end_s": lasted_s - (last_ns - begun_ns) / 1e9,
        "processor_s": used_s,
    }


def compared(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Median of each figure in both checkouts, and the median ratio of the turns."""
    return {
        name: {
            "other": float(np.median([one[name] for one in runs["other"]])),
            "here": float(np.median([one[name] for one in runs["here"]])),
            "ratio": float(
                np.median(
                    [
                        here[name] / other[name]
                        for other, here in zip(runs["other"], runs["here"], strict=True)
                    ]
                )
            ),
        }
        for name in runs["here"][0]
    }


def main() -> None:
    """Compare both checkouts in turns, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--demos", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    roots = {"other": given.other.resolve(), "here": HERE}
    results: dict[str, Any] = {}
    for part, turns, measured in (
        ("starts", given.turns, starts),
        ("demo", given.demos, lambda root: demo(root, seconds=given.seconds)),
    ):
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in roots}
        for _ in range(turns):
            for name, root in roots.items():
                runs[name].append(measured(root))
        if turns:
            results[part] = {"compared": compared(runs), "runs": runs}
            print(json.dumps(results[part]["compared"], indent=1), flush=True)
    config = {"other": git_revision(roots["other"]), "turns": given.turns, "demos": given.demos}
    write_benchmark(given.json, name="start", config=config, results=results)


if __name__ == "__main__":
    main()
