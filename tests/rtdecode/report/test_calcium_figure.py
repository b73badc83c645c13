"""The figure of the field of view is drawn, or refused where its shapes do not agree."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.report.calcium_figure import draw_calcium, draw_mismatch
from rtdecode.schema.errors import ShapeError

MASKS = rois_from_lists(
    (20, 24), [(np.array([50, 51, 74, 75]), np.ones(4)), (np.array([479]), np.ones(1))]
)
TIMES = np.arange(40) / 15


def test_it_shows_image_outlines_and_traces(tmp_path: Path) -> None:
    traces = np.random.default_rng(0).normal(100, 5, (40, 2)).astype(np.float32)
    image = np.random.default_rng(1).uniform(0, 50, (20, 24)).astype(np.float32)
    draw_calcium(tmp_path / "a.png", mean_counts=image, rois=MASKS, times_s=TIMES, f_counts=traces)
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
            rois=MASKS,
            times_s=TIMES,
            f_counts=np.zeros((40, 3), np.float32),
        )


def test_movement_is_drawn_where_it_is_given(tmp_path: Path) -> None:
    traces, image = np.ones((40, 2), np.float32), np.ones((20, 24), np.float32)
    pictures = []
    for name, shifts in (("a", None), ("b", np.full((40, 2), 1.5, np.float32))):
        draw_calcium(
            tmp_path / f"{name}.png",
            mean_counts=image,
            rois=MASKS,
            times_s=TIMES,
            f_counts=traces,
            shifts_px=shifts,
        )
        pictures.append(imread(tmp_path / f"{name}.png"))
    teal = [((p[..., 0] < 0.2) & (p[..., 2] > 0.4) & (p[..., 2] < 0.7)).sum() for p in pictures]
    assert teal[1] > 100 + teal[0]


def test_a_refusal_shows_both_fields_with_the_masks_on_them(tmp_path: Path) -> None:
    image = np.random.default_rng(1).uniform(0, 50, (20, 24)).astype(np.float32)
    draw_mismatch(
        tmp_path / "a.png",
        reference_counts=image,
        seen_counts=image[::-1],
        footprint=MASKS.footprint(),
        why="the field is another one " * 9,
    )
    picture = imread(tmp_path / "a.png")
    orange = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.3)
    left, right = np.split(orange, [orange.shape[1] // 2], axis=1)
    assert left.any()
    assert right.any()
