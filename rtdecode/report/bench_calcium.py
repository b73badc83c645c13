"""What one scan costs in the calcium chain, step by step, on one core."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.demix import Demixer
from rtdecode.calcium.extract import Extractor, Mover
from rtdecode.calcium.masks import Masks, masks_from_lists
from rtdecode.calcium.neuropil import neuropil_rings
from rtdecode.calcium.register import Registrar
from rtdecode.calcium.resample import Resampler
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.messages import Received, Scan, Stamped

SCANS_PER_S_TARGET = 150.0
P99_MS_TARGET = 10.0
_RATE_HZ = 30.0
_RADIUS_PX = 5
_MOVIE_SCANS = 60
_WARM_UP_SCANS = 20

Report = dict[str, Any]
NowNs = Callable[[], int]


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """A made-up field of view and a short movie of it."""

    masks: Masks
    calibration: Calibration
    movie: NDArray[np.uint16]


def benchmark_calcium(size_px: int, cells: int, scans: int = 600, *, seed: int = 0) -> Report:
    """Time the chain on `scans` scans of `size_px` x `size_px` pixels with `cells` cells.

    Returns
    -------
    `scans_per_s`, `ms` (p50, p99 and largest of the whole chain), the same in processor time
    (`cpu_…`, which other programs on the machine do not lengthen), `steps_ms` (of each step
    alone), `share` (each step's part of their sum), and what was asked for.
    """
    field = _field_of_view(size_px, cells, np.random.default_rng(seed))
    clock = HostClock()
    chain_ms = _chain_times(field, scans, clock.now_ns)
    cpu_ms = _chain_times(field, scans, time.thread_time_ns)
    steps = {name: _times(step, scans, clock.now_ns) for name, step in _steps(field).items()}
    middle = {name: float(np.median(times)) for name, times in steps.items()}
    total = sum(middle.values())
    return {
        "size_px": size_px,
        "cells": cells,
        "scans": scans,
        "seed": seed,
        "threads": 1,
        "scans_per_s": 1e3 / float(chain_ms.mean()),
        "ms": _summary(chain_ms),
        "cpu_scans_per_s": 1e3 / float(cpu_ms.mean()),
        "cpu_ms": _summary(cpu_ms),
        "steps_ms": {name: _summary(times) for name, times in steps.items()},
        "share": {name: value / total for name, value in middle.items()},
        "target": {"scans_per_s": SCANS_PER_S_TARGET, "p99_ms": P99_MS_TARGET},
    }


def growth(size_px: int, cells: tuple[int, ...], scans: int = 300) -> list[Report]:
    """Time the chain for several numbers of cells in the same field of view."""
    return [benchmark_calcium(size_px, count, scans) for count in cells]


def _summary(times_ms: NDArray[np.float64]) -> dict[str, float]:
    p50, p99 = np.percentile(times_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(times_ms.max())}


def _times(step: Callable[[int], object], scans: int, now_ns: NowNs) -> NDArray[np.float64]:
    times = np.empty(scans)
    for number in range(-_WARM_UP_SCANS, scans):
        begun_ns = now_ns()
        step(number + _WARM_UP_SCANS)
        times[number] = (now_ns() - begun_ns) / 1e6
    return times


def _chain_times(field: _Field, scans: int, now_ns: NowNs) -> NDArray[np.float64]:
    chain = CalciumChain(
        CalciumConfig(),
        masks=field.masks,
        scan_rate_hz=_RATE_HZ,
        reference=None,
        calibration=field.calibration,
        clock=HostClock(),
    )
    received = [
        Received(Stamped("bench", number, 0, "host", _scan(field, number)), 0)
        for number in range(scans + _WARM_UP_SCANS)
    ]
    return _times(lambda number: list(chain.step(received[number : number + 1])), scans, now_ns)


def _scan(field: _Field, number: int) -> Scan:
    start_ns = round(number * 1e9 / _RATE_HZ)
    end_ns = round((number + 0.95) * 1e9 / _RATE_HZ)
    return Scan(field.movie[number % len(field.movie)], number, 0, start_ns, end_ns)


def _steps(field: _Field) -> dict[str, Callable[[int], object]]:
    """Each step of the chain alone, on the inputs that it gets in the chain."""
    config, masks, movie = CalciumConfig(), field.masks, field.movie
    everywhere = np.ones(masks.count, bool)
    registrar = Registrar(field.calibration.reference_counts, max_shift_px=config.max_shift_px)
    mover, cells, demixer = Mover(masks.shape), Extractor(masks), Demixer(masks)
    rings = Extractor(neuropil_rings(masks, ring_px=config.neuropil_ring_px))
    moved, inside = mover.move(movie[0], row_px=0.3, col_px=-0.4)
    counts, _ = cells.means(moved, inside)
    glow, _ = rings.means(moved, inside)
    estimator = ActivityEstimator(config, calibration=field.calibration)
    noise = np.random.default_rng(0).normal(0, 0.1, (97, masks.count)).astype(np.float32)
    phase = np.linspace(0, 1, masks.count, dtype=np.float32)
    resampler, feeder = (
        Resampler(phase, frame_rate_hz=30.0),
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


def _field_of_view(size_px: int, cells: int, rng: np.random.Generator) -> _Field:
    masks = _masks(size_px, cells, rng)
    mean = 40 + 60 * np.minimum(masks.footprint(), 3)
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
    return _Field(masks, calibration, movie.astype(np.uint16))


def _masks(size_px: int, cells: int, rng: np.random.Generator) -> Masks:
    """Discs of about 80 pixels at random places; some overlap, as in a dense field."""
    row, col = np.mgrid[-_RADIUS_PX : _RADIUS_PX + 1, -_RADIUS_PX : _RADIUS_PX + 1]
    disc = row**2 + col**2 <= _RADIUS_PX**2
    centers = rng.integers(_RADIUS_PX + 3, size_px - _RADIUS_PX - 3, (cells, 2))
    weights = np.ones(int(disc.sum()), np.float32)
    return masks_from_lists(
        (size_px, size_px),
        [((r + row[disc]) * size_px + c + col[disc], weights) for r, c in centers],
    )
