"""Errors that noise explains exceed the limit as often as they should; other errors more often."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.bench.error_statistics import (
    CONTRAST,
    FREQUENCY,
    MOTION,
    Content,
    bin_edges,
    binned,
    content_of,
    error_z,
    over_frames,
    over_screen,
    threshold,
)
from rtdecode.bench.errors import CONTROL, RECORDED, ErrorSettings, bench_errors
from rtdecode.bench.errors_figure import draw_errors
from rtdecode.bench.simulated_activity import simulated
from rtdecode.bench.subject import Subject
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.offline.trial import Trial

SETTINGS = ErrorSettings(draws=4, bins=3, lag_frames=2)


@pytest.mark.parametrize("draws", [4, 16])
def test_one_in_twenty_normal_errors_is_beyond_the_limit(draws: int) -> None:
    rng = np.random.default_rng(draws)
    scale = rng.uniform(5, 40, (1, 20, 30))
    bias = rng.normal(0, 50, (100, 20, 30))
    null = bias + scale * rng.normal(size=(draws, 100, 20, 30))
    error = bias + scale * rng.normal(size=(100, 20, 30))
    beyond = np.abs(error_z(error, null)) > threshold(draws)
    assert beyond.mean() == pytest.approx(0.05, abs=0.004)


def test_pixels_at_which_all_draws_are_clipped_are_not_beyond_noise() -> None:
    null, error = np.full((4, 1, 1, 2), 100.0), np.full((1, 1, 2), 100.0)
    np.testing.assert_allclose(error_z(error, null), 0)


def test_content_is_zero_where_nothing_is_and_measures_a_grating() -> None:
    grey = content_of(np.full((3, 12, 16), 90, np.float32)).values
    assert all(np.abs(values).max() < 1e-3 for values in grey.values())
    x = np.arange(64)
    wave = 100 + 40 * np.sin(2 * np.pi * x / 8)
    still = np.tile(wave, (4, 36, 1)).astype(np.float32)
    moving = np.stack([np.roll(still[0], t, 1) for t in range(4)])
    inside = np.s_[2, 8:-8, 10:-10]
    found, also = content_of(still).values, content_of(moving).values
    assert found[CONTRAST][inside].mean() == pytest.approx(40 / np.sqrt(2), rel=0.12)
    assert found[FREQUENCY][inside].mean() == pytest.approx(1 / 8, rel=0.12)
    assert found[MOTION][inside].max() < 1e-3
    assert also[MOTION][inside].mean() > 5


def test_bins_have_equal_counts_and_count_what_is_beyond() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    content, kept = Content({"x": values}), np.ones((2, 3, 4), bool)
    kept[0, 0, 0] = False
    edges = bin_edges([content], [kept], bins=3)
    z = np.where(values > 20, 9.0, 0.0).astype(np.float32)
    z[0, 0, 0] = 9.0
    assert binned(z, content, kept, edges, limit=2.0)["x"] == pytest.approx([0, 0, 3 / 8])
    assert over_frames(z, kept, limit=2.0) == pytest.approx([0, 3 / 12])
    screen = np.array(over_screen(z, kept, limit=2.0))
    assert screen[0, 0] == 0
    assert screen[2, 1:].tolist() == [0.5, 0.5, 0.5]


@pytest.fixture
def subject(linear_mouse: FittedTwin, watch: Callable[..., Trial]) -> Subject:
    """Clips whose activity is simulated, and one clip of which half the neurons are too active."""
    clips = [replace(watch(frames=75, pace=4.0, seed=n), number=n) for n in range(3)]
    trials = [simulated(linear_mouse, clip, draw=1000) for clip in clips]
    faulty = trials[-1].responses.copy()
    faulty[45:, ::2] += 3.0
    trials[-1] = replace(trials[-1], responses=faulty)
    mask = np.ones((4, 6), np.bool_)
    return Subject([linear_mouse], mask, trials, [], {"data": "linear mouse"})


@pytest.mark.slow
def test_about_five_per_cent_are_beyond_noise_unless_the_activity_has_another_cause(
    subject: Subject, tmp_path: Path
) -> None:
    file, lines = tmp_path / "errors.json", []
    rows = bench_errors(subject, SETTINGS, file, report=lambda line, *_: lines.append(line))
    # 24 pixels and 43 frames of each clip, of which neighbours are alike
    control = [row[CONTROL]["beyond"] for row in rows] + [r[RECORDED]["beyond"] for r in rows[:-1]]
    assert 0.015 < np.mean(control) < 0.09
    faulty = rows[-1][RECORDED]
    assert faulty["beyond"] > 2 * max(control)
    by_frame = np.array(faulty["by_frame"])
    assert np.nanmean(by_frame[50:]) > 2 * np.nanmean(by_frame[:43])
    assert np.isnan(by_frame[:30]).all()
    assert np.isnan(by_frame[-2:]).all()
    assert sum(np.array(faulty["map"]).shape) == 4 + 6
    assert rows[-1]["example"]["frame"] >= 45
    draw_errors(rows, tmp_path / "figures")
    assert imread(tmp_path / "figures" / "errors.png").std() > 0.05
    again: list[str] = []
    kept = bench_errors(subject, SETTINGS, file, report=lambda line, *_: again.append(line))
    assert again == lines
    assert kept[-1][RECORDED]["beyond"] == faulty["beyond"]
