"""Interleaved comparison of the duration of a scan in the calcium chains of two checkouts.

    nice -n -15 python benchmarks/calcium_pair.py --other CHECKOUT

Each checkout has a process of one thread, which loads the same synthetic movies. They carry scans
through the whole chain alternately, a few dozen a turn, so that both meet the same load of the
machine. Writes `benchmarks/results/calcium_pair.json`: medians over turns of the median processor
time of a scan, median and quartiles of the ratio of a turn (other / here), and the largest
difference of the outputs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.rois import Rois
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.run_info import git_revision
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Fluorescence, Received, Responses, Scan, Stamped

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results" / "calcium_pair.json"
SIZES = ((128, 100), (256, 100), (256, 1000), (512, 100), (512, 1000))
RATE_HZ = 30.0
WARM_UP_SCANS = 60
"""Compilation, and the check of the field of view on the first scans."""
OUTPUTS = ("shift_px", "f_raw", "activity")


class Chain:
    """The chain of this process on one movie, scan after scan."""

    def __init__(self, folder: Path) -> None:
        self._movie = np.load(folder / "movie.npy")
        self._chain = CalciumChain(
            CalciumConfig(),
            rois=Rois.load(folder / "rois.npz"),
            grid=FrameGrid(RATE_HZ),
            scan_rate_hz=RATE_HZ,
            reference=None,
            calibration=Calibration.load(folder / "calibration.npz"),
            clock=HostClock(),
        )
        self._next = 0
        self.outputs: dict[str, list[NDArray[np.float32]]] = {name: [] for name in OUTPUTS}

    def times_ms(self, scans: int) -> list[float]:
        """Processor time of each of the next scans."""
        times = []
        for _ in range(scans):
            received = Received(Stamped("bench", self._next, 0, "host", self._scan()), 0)
            begun_ns = time.thread_time_ns()
            bodies = list(self._chain.step([received]))
            times.append((time.thread_time_ns() - begun_ns) / 1e6)
            self._keep(bodies)
            self._next += 1
        return times

    def _scan(self) -> Scan:
        number = self._next
        starts_ns, ends_ns = (round((number + part) * 1e9 / RATE_HZ) for part in (0.0, 0.95))
        return Scan(self._movie[number % len(self._movie)], number, 0, starts_ns, ends_ns)

    def _keep(self, bodies: list[Any]) -> None:
        for body in bodies:
            names = {Fluorescence: OUTPUTS[:2], Responses: OUTPUTS[2:]}.get(type(body), ())
            for name in names:
                self.outputs[name].append(getattr(body, name))


def serve(folder: Path) -> None:
    """Time as many scans as each line of the input asks for, then write all outputs."""
    chain = Chain(folder)
    chain.times_ms(WARM_UP_SCANS)
    for line in sys.stdin:
        sys.stdout.write(f"{np.median(chain.times_ms(int(line)))}\n")
        sys.stdout.flush()
    arrays = {name: np.stack(values) for name, values in chain.outputs.items()}
    np.savez(folder / f"outputs_{os.environ['CHAIN']}.npz", **arrays)


def compared(other: Path, *, size_px: int, cells: int, turns: int, scans: int) -> dict[str, Any]:
    """One row: both checkouts on the same movie."""
    # not above: a process of the other checkout may have no such function
    from rtdecode.bench.calcium import field_of_view

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        field = field_of_view(size_px, cells, np.random.default_rng(0))
        np.save(folder / "movie.npy", field.movie)
        field.rois.save(folder / "rois.npz")
        field.calibration.save(folder / "calibration.npz")
        with ExitStack() as stack:
            children = {
                which: stack.enter_context(_child(root, folder, which))
                for which, root in (("other", other), ("here", HERE))
            }
            pairs = [[_asked(child, scans) for child in children.values()] for _ in range(turns)]
            for child in children.values():
                child.communicate()
        then, here = np.array(pairs).T
        low, ratio, high = np.percentile(then / here, [25, 50, 75])
        return {
            "size_px": size_px,
            "cells": cells,
            "turns": turns,
            "scans_a_turn": scans,
            "cpu_ms_other": float(np.median(then)),
            "cpu_ms_here": float(np.median(here)),
            "ratio": float(ratio),
            "ratio_quartiles": [float(low), float(high)],
            "largest_difference": _differences(folder),
        }


def _child(root: Path, folder: Path, which: str) -> subprocess.Popen[str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--serve", str(folder)],
        env={**os.environ, **threads, "PYTHONPATH": str(root), "CHAIN": which},
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _asked(child: subprocess.Popen[str], scans: int) -> float:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("a chain has no pipes")
    child.stdin.write(f"{scans}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def _differences(folder: Path) -> dict[str, float]:
    """Largest difference of each output, in px or relative to its 99th percentile."""
    then, here = (np.load(folder / f"outputs_{which}.npz") for which in ("other", "here"))
    found = {}
    for name in OUTPUTS:
        scale = 1.0 if name == "shift_px" else float(np.percentile(np.abs(then[name]), 99))
        found[name] = float(np.abs(here[name] - then[name]).max() / max(scale, 1e-12))
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--scans", type=int, default=40, help="scans a turn")
    parser.add_argument("--only", type=int, help="one size in px")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return
    if given.other is None or not (given.other / "rtdecode" / "calcium").is_dir():
        parser.error(
            f"--other {given.other} is not a checkout of rtdecode: it has no calcium chain"
        )
    other = given.other.resolve()
    rows = []
    for size_px, cells in SIZES:
        if given.only not in (None, size_px):
            continue
        rows.append(
            compared(other, size_px=size_px, cells=cells, turns=given.turns, scans=given.scans)
        )
        print(rows[-1], flush=True)
    config = {"other": git_revision(other), "scan_rate_hz": RATE_HZ}
    write_benchmark(given.json, name="calcium pair", config=config, results=rows)


if __name__ == "__main__":
    main()
