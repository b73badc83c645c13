"""Panels of a report draw the values that they are given, and nothing across a hole."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

from rtdecode.evaluate.latency import StageLatency
from rtdecode.report.figures import (
    latency_bars,
    new_figure,
    score_over_time,
    with_breaks,
)


def drawn_score(**given: object) -> Axes:
    axes = new_figure(inches=(4, 3)).subplots()
    values: dict[str, Any] = {"decoded_s": [(0, 30)], "length_s": 30.0} | given
    score_over_time(axes, **values)
    return axes


def test_a_score_below_chance_is_not_cut_off() -> None:
    axes = drawn_score(t_s=[0, 1, 2], video_r=[0.5, -0.2, float("nan")])
    assert axes.get_ylim() == (-1, 1)


def test_no_line_is_drawn_across_a_time_in_which_nothing_was_decoded() -> None:
    decoded_s = [(2.0, 4.5), (9.0, 12.0), (20.0, 21.0)]
    t_s = [3.0, 4.0, 9.5, 10.5, 11.5, 20.5]
    axes = drawn_score(t_s=t_s, video_r=[0.5] * 6, decoded_s=decoded_s)
    lines = [tuple(line.get_xdata()) for line in axes.lines]
    assert lines == [(3.0, 4.0), (9.5, 10.5, 11.5), (20.5,)]
    shaded = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert shaded == [(0.0, 2.0), (4.5, 9.0), (12.0, 20.0), (21.0, 30.0)]
    assert axes.get_xlim() == (0, 30)


@given(st.lists(st.booleans(), min_size=3, max_size=60).filter(lambda kept: sum(kept) > 2))
def test_traces_are_broken_where_samples_are_missing(kept: list[bool]) -> None:
    t_s = np.flatnonzero(kept) / 15
    step_s = np.median(np.diff(t_s))
    times, values, parts = with_breaks(t_s, np.stack([t_s, -t_s], axis=1))
    for a, b in pairwise(range(len(times))):
        joined = np.isfinite(values[[a, b]]).all()
        assert not joined or times[b] - times[a] <= 2.5 * step_s
    assert np.isfinite(values[:, 0]).sum() == len(t_s)
    np.testing.assert_array_equal(values[np.isfinite(values[:, 0]), 1], -t_s)
    inside = [((t_s >= first) & (t_s <= last)).sum() for first, last in parts]
    assert sum(inside) == len(t_s)
    assert len(parts) == 1 + np.isnan(values[:, 0]).sum()


def test_stages_stand_in_the_order_in_which_data_pass() -> None:
    axes = new_figure(inches=(4, 3)).subplots()
    spans = StageLatency(p50=1.0, p99=2.0, max=3.0, n=9)
    latency_bars(axes, {"decode": spans, "scan": spans, "unheard_of": spans})
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["scan, middle to end", "reconstruction"]
    assert axes.get_yticks()[0] > axes.get_yticks()[1]
    assert [text.get_text() for text in axes.texts] == ["1 ms", "1 ms"]


def test_a_figure_belongs_to_no_window() -> None:
    assert new_figure(inches=(2, 1)).get_figwidth() == pytest.approx(2)
