"""Simulated V1: selectivity, invariance, gain control, operating points."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.cortex import Cortex
from acquisition_bridge.sources.simulated.receptive_fields import (
    F32,
    ReceptiveFields,
    draw_receptive_fields,
)
from acquisition_bridge.sources.simulated.retina import Retina

STEP_S = 1 / 120
NEURONS = 200
FIELDS = draw_receptive_fields(np.random.default_rng(5), NEURONS, rows_px=36, cols_px=64)
STEPS = 240


def cortex(fields: ReceptiveFields = FIELDS) -> Cortex:
    return Cortex(np.random.default_rng(1), fields, step_s=STEP_S, rate_hz=2.0)


def phases(turns_hz: float, steps: int = STEPS) -> NDArray[np.float64]:
    return 2 * np.pi * turns_hz * np.arange(steps) * STEP_S


def drifting(turns_hz: float, *, fields: ReceptiveFields = FIELDS, contrast: float = 1.0) -> F32:
    """(step, neuron) drive to a grating that drifts through both quadrature patches."""
    made, pool = cortex(fields), np.full(NEURONS, contrast, np.float32)
    drives = []
    for phase in phases(turns_hz):
        pair = contrast * np.array([np.cos(phase), np.sin(phase)], np.float32)
        drives.append(made.normalised_drive(np.tile(pair, (NEURONS, 1)), pool))
    return np.stack(drives)[STEPS // 2 :]


def test_direction_selective_cells_prefer_one_direction_and_the_others_do_not() -> None:
    strongly = np.abs(FIELDS.direction) > 0.6
    one, other = drifting(3.0).std(0), drifting(-3.0).std(0)
    simple = ~FIELDS.is_complex
    better = np.where(FIELDS.direction > 0, one / other, other / one)
    worse = 1 / better
    picked = np.maximum(better, worse)[strongly & simple]
    assert np.median(picked) > 1.5
    blind = replace(FIELDS, direction=np.zeros(NEURONS, np.float32))
    same = drifting(3.0, fields=blind).std(0) / drifting(-3.0, fields=blind).std(0)
    np.testing.assert_allclose(same[simple], 1, rtol=0.02)


def test_complex_cells_hardly_mind_the_phase_and_simple_cells_do() -> None:
    drive = drifting(3.0)
    modulation = drive.std(0) / np.abs(drive).mean(0)
    assert np.median(modulation[FIELDS.is_complex]) < 0.15
    assert np.median(modulation[~FIELDS.is_complex]) > 0.4


def test_twice_the_contrast_gives_less_than_twice_the_response() -> None:
    weak, strong = drifting(3.0, contrast=0.5).std(0), drifting(3.0, contrast=1.0).std(0)
    ratio = (strong / weak)[~FIELDS.is_complex]
    # 2 (0.5 + 0.5 s) / (0.5 + s), with s = 0.4 for blobs and 1 for Gabors
    blob = FIELDS.is_blob[~FIELDS.is_complex]
    np.testing.assert_allclose(ratio, np.where(blob, 1.4 / 0.9, 2 / 1.5), rtol=1e-3)


def test_calibration_sets_the_mean_rate_that_was_asked_for() -> None:
    rng = np.random.default_rng(2)
    fields = draw_receptive_fields(np.random.default_rng(5), NEURONS, rows_px=36, cols_px=64)
    retina, made = Retina(fields, rows_px=36, cols_px=64), cortex(fields)
    frames = [rng.integers(0, 256, (36, 64)).astype(np.uint8) for _ in range(300)]

    def seen(rates: bool) -> F32:
        out = []
        for frame in frames:
            retina.project(frame)
            step = made.rates_hz if rates else made.normalised_drive
            out.append(step(retina.drive, retina.contrast))
        return np.stack(out)

    made.calibrate(seen(rates=False))
    rates = seen(rates=True)
    assert (rates >= 0).all()
    assert abs(rates.mean() / 2.0 - 1) < 0.15
