"""Interleaved comparison of the duration of a frame in the decoders of two checkouts.

    python benchmarks/decoder_pair.py --other CHECKOUT --neurons 500 --neurons 2000 --turns 12

The speed of a machine varies from minute to minute, so both checkouts are timed alternately.
Each turn is `rtdecode bench decoder` of one checkout, 60 frames of its demo mouse. Writes
`benchmarks/results/decoder_pair.json`: medians over turns, and the median ratio of a turn.
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
RESULTS = HERE / "benchmarks" / "results" / "decoder_pair.json"
FRAMES = 60
FIGURES = ("ms_p50", "ms_p99")


def turn(root: Path, *, neurons: int) -> dict[str, float]:
    """Time some frames in the decoder of the code in `root`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decoder.json"
        command = [
            *(sys.executable, "-m", "rtdecode", "bench", "decoder", "--no-grow"),
            *("--twin", "rtdecode/demo_mouse", "--neurons", str(neurons)),
            *("--frames", str(FRAMES), "--json", str(path)),
        ]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        subprocess.run(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, check=True)
        (row,) = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {name: row[name] for name in FIGURES}


def compared(other: Path, *, neurons: int, turns: int) -> dict[str, Any]:
    """One row: both checkouts with `neurons` neurons."""
    measured = [(turn(other, neurons=neurons), turn(HERE, neurons=neurons)) for _ in range(turns)]
    row: dict[str, Any] = {"neurons": neurons, "turns": turns}
    for figure in FIGURES:
        then, here = np.array([[one[figure] for one in pair] for pair in measured]).T
        row[f"{figure}_other"], row[f"{figure}_here"] = map(float, np.median([then, here], axis=1))
        row[f"{figure}_ratio"] = float(np.median(here / then))
    return row


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--neurons", type=int, action="append", required=True)
    parser.add_argument("--turns", type=int, default=12)
    given = parser.parse_args()
    other = given.other.resolve()
    if not (other / "rtdecode" / "demo_mouse").is_dir():
        parser.error(
            f"--other {other} is not a checkout of rtdecode: it has no rtdecode/demo_mouse"
        )
    rows = []
    for neurons in given.neurons:
        rows.append(compared(other, neurons=neurons, turns=given.turns))
        print(rows[-1], flush=True)
    config = {"other": git_revision(other), "frames": FRAMES, "steps": 3, "window_frames": 36}
    write_benchmark(RESULTS, name="decoder pair", config=config, results=rows)


if __name__ == "__main__":
    main()
