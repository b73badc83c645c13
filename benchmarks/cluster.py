"""Duration of a reconstruction by one process, and by several workers of this computer.

    python benchmarks/cluster.py --data SESSION --twin TWIN --workers 2 --turns 3

Both reconstruct the same tier, in turn, with one thread each; the results are compared. Starting
the workers belongs to their time. Writes `benchmarks/results/cluster.json`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from rtdecode.bench.result_file import write_benchmark

RESULTS = Path(__file__).parent / "results" / "cluster.json"


def seconds_of(options: list[str], out: Path) -> float:
    """Duration of one command in s."""
    command = [sys.executable, "-m", "rtdecode", "reconstruct", "--threads", "1", "--out", str(out)]
    begun_s = time.monotonic()
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun_s


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--twin", type=Path, required=True)
    parser.add_argument("--tier", default="test")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    options = ["--data", str(given.data), "--twin", str(given.twin), "--tier", given.tier]
    ways = {"one process": [], "workers": ["--cluster", "local", "--workers", str(given.workers)]}
    times: dict[str, list[float]] = {way: [] for way in ways}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.turns):
            for way in [*ways][:: 1 if turn % 2 == 0 else -1]:
                times[way].append(seconds_of(options + ways[way], Path(folder) / way))
        videos = sorted((Path(folder) / "one process").glob("*.npy"))
        same = [
            np.array_equal(np.load(one), np.load(Path(folder) / "workers" / one.name), True)
            for one in videos
        ]
    pairs = zip(*times.values(), strict=True)
    results = {
        "seconds": times,
        "speed_up": median(alone / shared for alone, shared in pairs),
        "trials": len(videos),
        "identical": int(sum(same)),
        "load_before": load,
    }
    print(results)
    config = {"workers": given.workers, "turns": given.turns, "tier": given.tier}
    write_benchmark(RESULTS, name="cluster", config=config, results=results)


if __name__ == "__main__":
    main()
