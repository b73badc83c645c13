"""The cells of a report: outlines of ROIs, their noise, and what is missing."""

import numpy as np
import pytest

from rtdecode.report.cells import _Excerpt
from rtdecode.report.cells_figure import CellsFigure, cells_figure, centres, outlines
from rtdecode.report.overview_figures import behaviour_figure, clips_figure
from rtdecode.session.recorded_facts import RecordedRois

SQUARE = np.array([row * 10 + col for row in range(2, 6) for col in range(3, 7)])
ROIS = RecordedRois((10, 10), np.array([0, 16]), SQUARE, np.ones(16, np.float32))
RNG = np.random.default_rng(5)


def test_an_outline_is_the_rim_of_its_roi() -> None:
    rim = outlines(ROIS)
    inside = np.zeros((10, 10), bool)
    inside.reshape(-1)[SQUARE] = True
    assert rim.sum() == 12
    assert not rim[~inside].any()
    assert list(centres(ROIS, [0])) == [(3.5, 4.5)]


def test_the_noise_level_is_that_of_white_noise_and_of_no_cell_without_light() -> None:
    rate_hz, sd = 16.0, 2.0
    counts = (100 + RNG.normal(0, sd, (4_000, 2))).astype(np.float32)
    counts[:, 1] = 0
    noise = _Excerpt(np.arange(4_000) / rate_hz, counts, rate_hz).noise()
    # median of |N(0, 2 σ²)| is 0.6745 √2 σ
    assert noise[0] == pytest.approx(0.6745 * np.sqrt(2) * sd / np.sqrt(rate_hz), rel=0.05)
    assert np.isnan(noise[1])


@pytest.mark.parametrize("rois", [ROIS, None])
@pytest.mark.parametrize("neurons", [1, 0])
def test_a_figure_is_drawn_whatever_is_known(rois: RecordedRois | None, neurons: int) -> None:
    shown = CellsFigure(
        image=np.ones((10, 10), np.float32),
        rois=rois,
        t_s=np.arange(20.0),
        f_counts=RNG.normal(100, 1, (20, neurons)).astype(np.float32),
        drawn=np.arange(neurons),
        noise=np.full(neurons, np.nan),
        shift_t_s=np.arange(20.0),
        shifts_px=np.zeros((20, 2)),
        length_s=20.0,
    )
    texts = [text.get_text() for axes in cells_figure(shown).axes for text in axes.texts]
    assert any("No movement" in text for text in texts)
    assert any("not known" in text for text in texts) == (rois is None)


def test_nothing_to_draw_is_no_figure() -> None:
    assert behaviour_figure(np.zeros(0), np.zeros((0, 2)), length_s=9.0) is None
    assert clips_figure([]) is None
    only_running = np.stack([np.arange(5.0), np.full(5, np.nan)], axis=1)
    figure = behaviour_figure(np.arange(5.0), only_running, length_s=9.0)
    assert figure is not None
    assert len(figure.axes) == 1
