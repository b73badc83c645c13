"""The picture of the field of view is drawn, or refused where it would mislead."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.masks import masks_from_lists
from rtdecode.report.calcium_figure import draw_calcium
from rtdecode.schema.errors import ShapeError

MASKS = masks_from_lists(
    (20, 24), [(np.array([50, 51, 74, 75]), np.ones(4)), (np.array([479]), np.ones(1))]
)
TIMES = np.arange(40) / 15


def test_it_shows_image_outlines_and_traces(tmp_path: Path) -> None:
    traces = np.random.default_rng(0).normal(100, 5, (40, 2)).astype(np.float32)
    image = np.random.default_rng(1).uniform(0, 50, (20, 24)).astype(np.float32)
    draw_calcium(tmp_path / "a.png", mean_counts=image, masks=MASKS, times_s=TIMES, f_counts=traces)
    picture = imread(tmp_path / "a.png")
    assert picture.shape[1] > 1000
    orange = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.3)
    blue = (picture[..., 2] > 0.6) & (picture[..., 0] < 0.4)
    assert orange.any()
    assert blue.any()


def test_traces_of_other_neurons_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="scan, neuron"):
        draw_calcium(
            tmp_path / "a.png",
            mean_counts=np.zeros((20, 24), np.float32),
            masks=MASKS,
            times_s=TIMES,
            f_counts=np.zeros((40, 3), np.float32),
        )
