"""Curves of growth, their fits, their figure, and quality by steps."""

from pathlib import Path

import default_steps
import growth
import numpy as np
import pytest
from default_steps import chosen_neurons, of_neurons, rows_of, some_neurons
from growth import decoder_curves, fit, measured
from growth_figure import draw, panel
from timed_decoder import TWIN, TimedDecoder, settings

from rtdecode.bench.decoder import load_population
from rtdecode.bench.loop import LoopSettings
from rtdecode.offline.trial import Trial
from rtdecode.report.figures import new_figure

SIZES = (1, 2, 4, 8)


def test_a_power_of_the_size_has_its_exponent() -> None:
    found = fit(SIZES, [3 * size**1.5 for size in SIZES])
    assert found["exponent"] == pytest.approx(1.5)
    assert found["last_exponent"] == pytest.approx(1.5)
    assert found["off_line"] > 0.1


def test_a_straight_line_with_an_offset_is_known_as_one() -> None:
    found = fit(SIZES, [5 + 2 * size for size in SIZES])
    assert (found["offset"], found["slope"]) == (pytest.approx(5), pytest.approx(2))
    assert found["off_line"] == pytest.approx(0, abs=1e-9)
    assert found["exponent"] < found["last_exponent"] == pytest.approx(np.log2(21 / 13))


def test_each_curve_varies_one_size_and_has_all_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MIDDLE", 20)
    monkeypatch.setattr(growth, "NEURONS", (10, 20))
    monkeypatch.setattr(growth, "ESTIMATED_FRAMES", (6, 8))
    monkeypatch.setattr(growth, "STEPS", (1, 2))
    monkeypatch.setattr(growth, "SCALES", (0.5, 1.0))
    curves = decoder_curves(load_population(TWIN), growth.DECODER)
    found = measured(curves, frames=2)
    assert {name: curve["sizes"] for name, curve in found.items()} == {
        "neurons": [10, 20],
        "estimated_frames": [6, 8],
        "steps": [1, 2],
        "pixels": [18 * 32, 36 * 64],
    }
    assert all(len(curve["cpu_ms"]) == 2 and min(curve["ms"]) > 0 for curve in found.values())
    only = decoder_curves(load_population(TWIN), ["steps"])
    assert list(only) == ["steps"]


def test_a_timed_decoder_discards_its_warm_up_and_keeps_its_videos() -> None:
    timed = TimedDecoder(load_population(TWIN).of(10), settings(steps=1, window_frames=24))
    timed.warm_up()
    timed.run(3)
    assert len(timed.wall_ms) == len(timed.cpu_ms) == 3
    assert timed.videos[0].shape == (36, 64)


def test_the_figure_has_the_points_and_their_line(tmp_path: Path) -> None:
    curve = {"sizes": list(SIZES), "cpu_ms": [5 + 2 * size for size in SIZES]}
    curve |= fit(SIZES, curve["cpu_ms"])  # type: ignore[arg-type]
    axes = new_figure(inches=(4, 3)).subplots()
    panel(axes, "neurons", curve)
    line, points = axes.get_lines()
    assert line.get_ydata() == pytest.approx([7, 21])
    assert points.get_ydata() == pytest.approx(curve["cpu_ms"])
    draw({"neurons": curve, "rois": curve}, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_fewer_neurons_keep_their_twin_their_noise_and_their_activity() -> None:
    population = load_population(TWIN)
    chosen = chosen_neurons(population.fitted.twin.spec.neurons, count=5)
    assert len(set(chosen.tolist())) == 5
    few = some_neurons(population.fitted, chosen)
    assert few.twin.spec.neurons == len(few.noise.dispersion) == 5
    activity = np.arange(2 * 1200, dtype=np.float32).reshape(2, 1200)
    trial = Trial(0, activity, activity >= 0, np.zeros((2, 4)), np.zeros((2, 36, 64)), 30.0)
    np.testing.assert_array_equal(of_neurons(trial, chosen).responses[0], chosen)


def test_differences_are_paired_with_the_default() -> None:
    rows = rows_of({1: ([0.4, 0.7], 6.0), 3: ([0.5, 0.8], 16.0)})
    assert [row["difference"]["mean"] for row in rows] == [pytest.approx(-0.1), 0]
    assert rows[0]["difference"]["ci95"] == pytest.approx([-0.1, -0.1])
    assert rows[0]["video_r"]["mean"] == pytest.approx(0.55)
    assert rows[0]["cpu_ms"] == 6


def test_quality_and_time_are_measured_for_each_number_of_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(default_steps, "STEPS", (1, 3))
    monkeypatch.setattr(default_steps, "LAGS", {"default": (8, 1)})
    rows = default_steps.measured(LoopSettings(scan_rates_hz=(), seeds=(7,), clips=1, clip_s=2.0))
    assert [(row["neurons"], row["steps"]) for row in rows] == [
        (1200, 1), (1200, 3), (500, 1), (500, 3),
    ]  # fmt: skip
    assert all(row["video_r"]["mean"] > 0.2 and row["cpu_ms"] > 0 for row in rows)
