"""`rtdecode bench calcium`: duration of each step of the calcium chain on one core."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.block_register import BlockRegistrar
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.demix import Demixer
from rtdecode.calcium.extract import Extractor, Mover, neuropil_rings
from rtdecode.calcium.register import Registrar, Shift
from rtdecode.calcium.resample import Resampler
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Received, Scan, Stamped

SCANS_PER_S_TARGET = 150.0
P99_MS_TARGET = 10.0
_RATE_HZ = 30.0
_GRID = FrameGrid(_RATE_HZ)
_RADIUS_PX = 5
_MOVIE_SCANS = 60
_WARM_UP_SCANS = 40
"""Not timed: compilation, and the check of the field of view on the first scans."""

Report = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticField:
    """A synthetic field of view and a short movie of it."""

    rois: Rois
    calibration: Calibration
    movie: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """Duration of each call in ms: wall-clock time and processor time."""

    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]

    def summary(self) -> Report:
        """Median, 99th percentile and maximum of both, and scans a second by each median."""
        return {
            "scans_per_s": 1e3 / float(np.median(self.wall)),
            "cpu_scans_per_s": 1e3 / float(np.median(self.cpu)),
            "ms": _spread(self.wall),
            "cpu_ms": _spread(self.cpu),
        }


def benchmark_calcium(size_px: int, cells: int, scans: int = 600, *, seed: int = 0) -> Report:
    """Time the chain on `scans` scans of `size_px` x `size_px` pixels with `cells` cells.

    Returns
    -------
    `scans_per_s` by the median, `ms` (p50, p99 and maximum of the whole chain), the same in
    processor time (`cpu_...`, which depends little on other programs), `steps_cpu_ms` (each step
    alone), `share` (fraction of each step in their sum), `blocks_cpu_ms` (what
    `registration: blocks` adds, and its move in place of `move`), and the settings.
    """
    field = field_of_view(size_px, cells, np.random.default_rng(seed))
    chain = _chain_times(field, scans)
    steps = {name: _times(step, scans).cpu for name, step in _steps(field).items()}
    middle = {name: float(np.median(times)) for name, times in steps.items()}
    total = sum(middle.values())
    return {
        "size_px": size_px,
        "cells": cells,
        "scans": scans,
        "seed": seed,
        "threads": 1,
        **chain.summary(),
        "steps_cpu_ms": {name: _spread(times) for name, times in steps.items()},
        "share": {name: value / total for name, value in middle.items()},
        "blocks_cpu_ms": {
            name: _spread(_times(step, max(10, scans // 10)).cpu)
            for name, step in _block_steps(field).items()
        },
        "target": {"scans_per_s": SCANS_PER_S_TARGET, "p99_ms": P99_MS_TARGET},
    }


def growth(size_px: int, cells: Sequence[int], scans: int = 300, *, seed: int = 0) -> Report:
    """Time the chain for several numbers of cells in the same field of view.

    Returns
    -------
    `rows` with the times for each number, and a linear fit of their median processor times: `ms`
    at 0 cells and `ms_per_1000_cells`, with the largest relative deviation `off_line`.
    """
    rows: list[Report] = []
    for count in cells:
        field = field_of_view(size_px, count, np.random.default_rng(seed))
        rows.append({"cells": count, **_chain_times(field, scans).summary()})
    medians = np.array([row["cpu_ms"]["p50"] for row in rows])
    slope, offset = np.polyfit(np.array(cells) / 1000, medians, 1)
    line = offset + slope * np.array(cells) / 1000
    return {
        "rows": rows,
        "ms": float(offset),
        "ms_per_1000_cells": float(slope),
        "off_line": float(np.abs(medians / line - 1).max()),
    }


def _spread(times_ms: NDArray[np.float64]) -> dict[str, float]:
    p50, p99 = np.percentile(times_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(times_ms.max())}


def _times(step: Callable[[int], object], scans: int) -> _Times:
    clock, taken = HostClock(), []
    for number in range(_WARM_UP_SCANS + scans):
        begun = clock.now_ns(), time.thread_time_ns()
        step(number)
        ended_cpu_ns = time.thread_time_ns()
        taken.append((clock.now_ns() - begun[0], ended_cpu_ns - begun[1]))
    wall, cpu = np.array(taken[_WARM_UP_SCANS:]).T / 1e6
    return _Times(wall, cpu)


def _chain_times(field: SyntheticField, scans: int) -> _Times:
    chain = CalciumChain(
        CalciumConfig(),
        rois=field.rois,
        grid=_GRID,
        scan_rate_hz=_RATE_HZ,
        reference=None,
        calibration=field.calibration,
        clock=HostClock(),
    )
    received = [
        Received(Stamped("bench", number, 0, "host", _scan(field, number)), 0)
        for number in range(scans + _WARM_UP_SCANS)
    ]
    return _times(lambda number: list(chain.step(received[number : number + 1])), scans)


def _scan(field: SyntheticField, number: int) -> Scan:
    start_ns = round(number * 1e9 / _RATE_HZ)
    end_ns = round((number + 0.95) * 1e9 / _RATE_HZ)
    return Scan(field.movie[number % len(field.movie)], number, 0, start_ns, end_ns)


def _steps(field: SyntheticField) -> dict[str, Callable[[int], object]]:
    """Each step of the chain alone, on inputs as in the chain."""
    config, rois, movie = CalciumConfig(), field.rois, field.movie
    everywhere = np.ones(rois.count, bool)
    registrar = Registrar(field.calibration.reference_counts, max_shift_px=config.max_shift_px)
    mover, cells, demixer = Mover(rois.shape), Extractor(rois), Demixer(rois)
    rings = Extractor(neuropil_rings(rois, ring_px=config.neuropil_ring_px))
    moved, inside = mover.move(movie[0], row_px=0.3, col_px=-0.4)
    counts, _ = cells.means(moved, inside)
    glow, _ = rings.means(moved, inside)
    estimator = ActivityEstimator(config, calibration=field.calibration)
    noise = np.random.default_rng(0).normal(0, 0.1, (97, rois.count)).astype(np.float32)
    phase = np.linspace(0, 1, rois.count, dtype=np.float32)
    resampler, feeder = (
        Resampler(phase, frame_rate_hz=_GRID.rate_hz),
        ActivityEstimator(config, calibration=field.calibration),
    )

    def activities(number: int, source: ActivityEstimator) -> list[Any]:
        start_ns = round(number * 1e9 / _RATE_HZ)
        dff = noise[number % len(noise)]
        return list(
            source.activities(
                dff, everywhere, scan=number, t_start_ns=start_ns, t_end_ns=start_ns + 1
            )
        )

    finished = [activities(n, feeder) for n in range(2000)]
    return {
        "register": lambda n: registrar.shift(movie[n % len(movie)]),
        "move": lambda n: mover.move(movie[n % len(movie)], row_px=0.3, col_px=-0.4),
        "extract": lambda n: cells.means(moved, inside),
        "neuropil": lambda n: rings.means(moved, inside),
        "demix": lambda n: demixer.demix(counts.copy(), everywhere),
        "baseline": lambda n: estimator.dff(counts + noise[n % len(noise)], glow, everywhere),
        "deconvolve": lambda n: activities(n, estimator),
        "resample": lambda n: [list(resampler.frames(done)) for done in finished[n % 2000]],
    }


def _block_steps(field: SyntheticField) -> dict[str, Callable[[int], object]]:
    config, movie = CalciumConfig(), field.movie
    blocks = BlockRegistrar(
        field.calibration.reference_counts,
        max_shift_px=config.max_shift_px,
        block_px=config.block_px,
    )
    still = Shift(0.0, 0.0, 0.0, at_edge=False)
    displacement = blocks.displacement(movie[0], still)
    return {
        "displacement": lambda n: blocks.displacement(movie[n % len(movie)], still),
        "move": lambda n: blocks.move(movie[n % len(movie)], displacement),
    }


def field_of_view(size_px: int, cells: int, rng: np.random.Generator) -> SyntheticField:
    """Cells on a dim ground in a square field, and a movie with shifts of up to 2 px."""
    rois = _rois(size_px, cells, rng)
    mean = 40 + 60 * np.minimum(rois.footprint(), 3)
    shifts = rng.integers(-2, 3, (_MOVIE_SCANS, 2))
    movie = np.stack([rng.poisson(np.roll(mean, tuple(shift), (0, 1))) for shift in shifts])
    plain = np.ones(cells, np.float32)
    calibration = Calibration(
        reference_counts=mean.astype(np.float32),
        scan_rate_hz=_RATE_HZ,
        baseline_counts=80 * plain,
        neuropil_counts=40 * plain,
        noise=0.1 * plain,
        decay_tau_s=0.7 * plain,
        activity_quantiles=np.zeros((cells, 2), np.float32),
        activity_mean=plain,
        activity_sd=plain,
    )
    return SyntheticField(rois, calibration, movie.astype(np.uint16))


def _rois(size_px: int, cells: int, rng: np.random.Generator) -> Rois:
    """Discs of about 80 pixels at random positions; some overlap, as in a dense field."""
    row, col = np.mgrid[-_RADIUS_PX : _RADIUS_PX + 1, -_RADIUS_PX : _RADIUS_PX + 1]
    disc = row**2 + col**2 <= _RADIUS_PX**2
    centers = rng.integers(_RADIUS_PX + 3, size_px - _RADIUS_PX - 3, (cells, 2))
    weights = np.ones(int(disc.sum()), np.float32)
    return rois_from_lists(
        (size_px, size_px),
        [((r + row[disc]) * size_px + c + col[disc], weights) for r, c in centers],
    )
