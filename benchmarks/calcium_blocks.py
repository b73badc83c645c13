"""Price and accuracy of registration in blocks on synthetic motion of known size.

    nice -n -15 python benchmarks/calcium_blocks.py

A synthetic field is displaced as a whole, by shear along the rows (shifts that grow linearly from
the upper to the lower end of the scan), or by halves that move apart, and seen with photon noise.
Writes `benchmarks/results/calcium_blocks.json`: median processor time of a scan, and the median and
99th percentile over pixels of the distance in px between the shift that was applied and the one
that was found, each for rigid registration and for blocks.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.block_register import BlockRegistrar
from rtdecode.calcium.extract import Mover
from rtdecode.calcium.register import Registrar
from rtdecode.schema.config.calcium import CalciumConfig

RESULTS = Path(__file__).parent / "results" / "calcium_blocks.json"
SIZES_PX = (256, 512)
SCANS = 10
LARGEST_PX = 3.0
CELLS_A_PX2 = 0.004
Floats = NDArray[np.float64]


def tissue(size_px: int, rng: np.random.Generator) -> Floats:
    """(row, col) cells of about 10 px on a ground with fine structure, in counts."""
    points, fine = np.zeros((size_px, size_px)), rng.normal(0, 1, (size_px, size_px))
    number = round(CELLS_A_PX2 * points.size)
    points[tuple(rng.integers(0, size_px, (2, number)))] = 1
    cells = ndimage.gaussian_filter(points, 2.5) * 2500
    ground = ndimage.gaussian_filter(fine, 1.5) * 60
    return np.asarray((60 + cells + ground).clip(0))


def motion(kind: str, size_px: int, rng: np.random.Generator) -> Floats:
    """(2, row, col) shift that registers each pixel."""
    step = rng.uniform(-LARGEST_PX, LARGEST_PX, 2)[:, None, None] * np.ones((1, size_px, size_px))
    part = np.linspace(-1, 1, size_px)[None, :, None]
    if kind == "halves":
        part = np.sign(part)
    return step if kind == "whole" else step * part


def measured(kind: str, size_px: int, rng: np.random.Generator) -> dict[str, Any]:
    """One row of the table."""
    config, field = CalciumConfig(), tissue(size_px, rng)
    registrar = Registrar(field, max_shift_px=config.max_shift_px)
    blocks = BlockRegistrar(field, max_shift_px=config.max_shift_px, block_px=config.block_px)
    mover, places = Mover(field.shape), np.mgrid[:size_px, :size_px].astype(float)
    errors: dict[str, list[Floats]] = {"rigid": [], "blocks": []}
    times: dict[str, list[int]] = {"rigid": [], "blocks": []}
    edge = slice(round(config.max_shift_px), -round(config.max_shift_px))
    for _ in range(SCANS + 1):
        true = motion(kind, size_px, rng)
        clean = ndimage.map_coordinates(field, places + true, order=3, mode="nearest")
        scan = rng.poisson(clean.clip(0)).astype(np.uint16)
        begun_ns = time.thread_time_ns()
        whole = registrar.shift(scan)
        mover.move(scan, row_px=whole.row_px, col_px=whole.col_px)
        rigid_ns = time.thread_time_ns()
        whole = registrar.shift(scan)
        displacement = blocks.displacement(scan, whole)
        blocks.move(scan, displacement)
        times["blocks"].append(time.thread_time_ns() - rigid_ns)
        times["rigid"].append(rigid_ns - begun_ns)
        found = {
            "rigid": np.array([whole.row_px, whole.col_px])[:, None, None],
            "blocks": blocks.at_pixels(displacement),
        }
        for name, shift in found.items():
            errors[name].append(np.hypot(*(shift - true))[edge, edge])
    row: dict[str, Any] = {"size_px": size_px, "motion": kind, "scans": SCANS}
    for name in errors:
        # the first scan compiles the loops
        median, high = np.percentile(np.array(errors[name][1:]), [50, 99])
        row[name] = {
            "cpu_ms": float(np.median(times[name][1:])) / 1e6,
            "error_px": {"p50": float(median), "p99": float(high)},
        }
    return row


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    rng, rows = np.random.default_rng(0), []
    for size_px in SIZES_PX:
        for kind in ("whole", "shear", "halves"):
            rows.append(measured(kind, size_px, rng))
            print(rows[-1], flush=True)
    config = {"largest_px": LARGEST_PX, **CalciumConfig().model_dump(mode="json")}
    write_benchmark(given.json, name="calcium blocks", config=config, results=rows)


if __name__ == "__main__":
    main()
