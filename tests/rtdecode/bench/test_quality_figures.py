"""The figures contain the given rows at the right coordinates."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from rtdecode.bench.quality_figures import (
    compute_panel,
    draw_figures,
    ensemble_panel,
    lag_panel,
    neuron_panel,
)
from rtdecode.report.figures import new_figure


def row(method: str, r: float, **others: Any) -> dict[str, Any]:
    usual = {"lag_frames": 8, "steps": 3, "neurons": 800, "twins": 1, "twin_passes_per_frame": 3}
    return {"method": method, "video_r": {"mean": r, "ci95": [r - 0.1, r + 0.2]}} | usual | others


ROWS = [
    row("mean", 0.1, steps=0, twin_passes_per_frame=0),
    row("ridge", 0.5, steps=0, twin_passes_per_frame=0),
    row("online", 0.3, lag_frames=0),
    row("online", 0.7, lag_frames=16),
    row("online", 0.6),
    row("online", 0.65, steps=10, twin_passes_per_frame=10),
    row("online, 1/4 of the neurons", 0.4, neurons=200),
    row("online ensemble", 0.68, twins=2),
    row("offline", 0.55, lag_frames=None, twin_passes_per_frame=0.2),
    row("reference", 0.2, lag_frames=None, steps=10, twin_passes_per_frame=1.2),
    row("reference", 0.35, lag_frames=None, steps=100, twin_passes_per_frame=12),
    row("reference", 0.45, lag_frames=None, steps=100, twin_passes_per_frame=24, twins=2),
]


@pytest.fixture
def axes() -> Axes:
    return new_figure(inches=(4, 3)).subplots()


def curve(axes: Axes, label: str) -> list[tuple[float, float]]:
    """(abscissa, mean) of the points of one error-bar curve."""
    [container] = [c for c in axes.containers if c.get_label() == label]
    line = container[0]
    return list(zip(line.get_xdata().tolist(), line.get_ydata().tolist(), strict=True))


def level(axes: Axes, label: str) -> float:
    """Height of a dashed line."""
    [line] = [line for line in axes.get_lines() if line.get_label() == label]
    return float(np.unique(line.get_ydata()).item())


def test_lags_stand_in_milliseconds_and_in_order(axes: Axes) -> None:
    lag_panel(axes, ROWS)
    found = curve(axes, "online")
    assert [ms for ms, _ in found] == pytest.approx([0, 266.7, 533.3], abs=0.1)
    assert [r for _, r in found] == [0.3, 0.6, 0.7]
    assert level(axes, "ridge") == 0.5
    assert level(axes, "offline") == 0.55


def test_the_reference_is_shown_at_its_best(axes: Axes) -> None:
    """Whatever iteration, and however many models it needs for that."""
    lag_panel(axes, ROWS)
    assert level(axes, "reference, best") == 0.45


def test_compute_is_counted_in_passes(axes: Axes) -> None:
    compute_panel(axes, ROWS)
    assert curve(axes, "online, lag 267 ms") == [(3, 0.6), (10, 0.65)]
    assert curve(axes, "reference") == [(1.2, 0.2), (12, 0.35)]
    assert curve(axes, "offline with prior") == [(0.2, 0.55)]
    assert axes.get_xscale() == "log"


def test_fewer_neurons_stand_left_of_all(axes: Axes) -> None:
    neuron_panel(axes, ROWS)
    assert curve(axes, "online") == [(200, 0.4), (800, 0.6)]


def test_neurons_are_labelled_with_plain_counts(axes: Axes) -> None:
    half = [row("online, 1/2 of the neurons", 0.5, neurons=1000), row("online", 0.6, neurons=2000)]
    neuron_panel(axes, half)
    axes.figure.draw_without_rendering()
    labels = [*axes.get_xticklabels(), *axes.get_xticklabels(minor=True)]
    assert [label.get_text() for label in labels if label.get_text()] == ["1,000", "2,000"]


def test_ensembles_are_compared_size_by_size(axes: Axes) -> None:
    ensemble_panel(axes, ROWS)
    assert curve(axes, "online") == [(1, 0.6), (2, 0.68)]
    assert curve(axes, "reference, best") == [(1, 0.35), (2, 0.45)]


def test_bars_are_the_interval_over_clips(axes: Axes) -> None:
    ensemble_panel(axes, [row("online", 0.6)])
    [segment] = axes.containers[0][2][0].get_segments()
    np.testing.assert_allclose(segment, [[1, 0.5], [1, 0.8]])


def test_both_figures_are_written_whatever_rows_exist(tmp_path: Path) -> None:
    """One twin is no ensemble to draw: that panel is left out, and the figure half as wide."""
    for number, (rows, panels) in enumerate(((ROWS, 2), (ROWS[:3], 1), ([], 1))):
        draw_figures(rows, tmp_path / str(number))
        whole, neurons = (
            imread(tmp_path / str(number) / f"{name}.png")
            for name in ("quality_lag_compute", "quality_neurons")
        )
        assert whole[..., :3].min() < 0.5
        assert neurons[..., :3].min() < 0.5
        assert neurons.shape[1] == whole.shape[1] * panels / 2
