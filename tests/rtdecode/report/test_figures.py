"""Panels of a report draw the values that they are given."""

import numpy as np
import pytest

from rtdecode.evaluate.latency import StageLatency
from rtdecode.report.figures import frame_strip, latency_bars, new_figure, score_over_time


def test_the_strip_shows_error_as_decoded_minus_displayed() -> None:
    rows = new_figure(inches=(4, 3)).subplots(3, 2)
    displayed = np.full((4, 36, 64), 100, np.uint8)
    frame_strip(
        rows, displayed=displayed, decoded=displayed + 20.0, frames=[1, 3], frame_rate_hz=30
    )
    drawn = [rows[k][1].images[0].get_array()[0, 0] for k in range(3)]
    assert drawn == [100, 120, 20]
    assert rows[0][1].get_title() == "0.1 s"


def test_a_score_below_chance_is_not_cut_off() -> None:
    axes = new_figure(inches=(4, 3)).subplots()
    score_over_time(axes, t_s=[0, 1, 2], video_r=[0.5, -0.2, float("nan")])
    assert axes.get_ylim() == (-1, 1)


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
