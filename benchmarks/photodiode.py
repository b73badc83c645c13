"""Time and content of displayed frames, as a photodiode outside of stimulus and log sees them.

    .venv/bin/python benchmarks/photodiode.py --seconds 60

Runs the stimulus on a virtual display without and with spherical warp, and each without and with
commands of a controller every second: shown frames and clips, pauses. A process of its own reads
the display's pixels (`tests/fixtures/frame_buffer.py`), and each picture is compared with the
frames in the log. Prints a line for each run and writes `benchmarks/results/photodiode.json`.
"""

import argparse
import os
import sys
import tempfile
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil

from rtdecode.bench.result_file import write_benchmark

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "fixtures"))

from virtual_photodiode import Comparison, watched_run  # noqa: E402 - needs the path above

RESULTS = ROOT / "benchmarks" / "results" / "photodiode.json"
RATE_HZ = 30


def commands(frames: int) -> dict[int, str]:
    """An action once a second."""
    moments = range(RATE_HZ, frames - RATE_HZ, RATE_HZ)
    return dict(zip(moments, cycle(["show_frames", "pause", "resume", "show_clip"]), strict=False))


def figures(comparison: Comparison) -> dict[str, float]:
    """The counts, and the change of the pixels minus the flip in the log, in ms."""
    percentiles = np.percentile(comparison.differences_ms, [1, 50, 99])
    return {
        "frames": comparison.frames,
        "seen": comparison.seen,
        "other_time": comparison.other_time,
        "unknown": comparison.unknown,
    } | {
        f"difference_ms_{name}": round(float(value), 3)
        for name, value in zip(("p1", "p50", "p99"), percentiles, strict=True)
    }


def measured(warp: str, *, frames: int, has_commands: str) -> dict[str, object]:
    """One run, and how busy the machine was."""
    sent = commands(frames) if has_commands == "commands" else {}
    psutil.cpu_percent()
    with tempfile.TemporaryDirectory() as folder:
        run = watched_run(Path(folder), warp=warp, frames=frames, commands=sent)
    return {
        "warp": warp,
        "commands": len(sent),
        "commands_answered": len(run.results),
        "answers_that_differ": len(run.wrong_results()),
        **figures(run.comparison),
        "cpu_busy_percent": psutil.cpu_percent(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    asked = parser.parse_args()
    frames = round(asked.seconds * RATE_HZ)
    rows = []
    for has_commands in ("no commands", "commands"):
        for warp in ("none", "spherical"):
            rows.append(measured(warp, frames=frames, has_commands=has_commands))
            print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    config = {"seconds": asked.seconds, "frame_rate_hz": RATE_HZ}
    write_benchmark(asked.json, name="photodiode", config=config, results=rows)


if __name__ == "__main__":
    main()
