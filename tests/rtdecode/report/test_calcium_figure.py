"""A refused field of view is drawn beside the expected one."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.report.calcium_figure import draw_mismatch

MASKS = rois_from_lists(
    (20, 24), [(np.array([50, 51, 74, 75]), np.ones(4)), (np.array([479]), np.ones(1))]
)


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
