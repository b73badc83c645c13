"""The strip of frames shows what it is given, and nothing where nothing was decoded."""

import numpy as np
import pytest

from rtdecode.report.frame_strip import COLUMNS, Frames, columns_of, frame_strip
from rtdecode.schema.errors import ShapeError

DISPLAYED = np.full((4, 36, 64), 100, np.uint8)
FRAMES = Frames(DISPLAYED, DISPLAYED + 20.0, np.full((4, 36, 64), 7.0), np.arange(4) / 10 + 7)
MASK = np.arange(36 * 64).reshape(36, 64) < 900


def test_error_is_decoded_minus_displayed_and_each_row_has_its_scale() -> None:
    figure = frame_strip(FRAMES, [1, None, 3], mask=MASK)
    grid = np.array(figure.axes[:16]).reshape(4, 4)
    drawn = [row[2].images[0].get_array()[0, 0] for row in grid]
    assert drawn == [100, 120, 20, 7]
    assert [axes.get_title() for axes in grid[0]] == ["7.1 s", "", "7.3 s", ""]
    assert [text.get_text() for text in grid[1][1].texts] == ["not decoded"]
    assert not any(axes.images for axes in grid[:, 1])
    assert [row[0].get_ylabel() for row in grid] == ["displayed", "decoded", "error", "uncertainty"]
    low, high = grid[2][2].images[0].get_clim()
    assert low == -high < 0


@pytest.mark.parametrize(("mask", "outlines"), [(MASK, 1), (np.ones((36, 64), bool), 0)])
def test_the_outline_of_the_screen_mask_is_drawn_where_there_is_one(
    mask: np.ndarray, outlines: int
) -> None:
    first = frame_strip(FRAMES, [0], mask=mask).axes[0]
    assert len(first.collections) == outlines


def test_an_uncertainty_that_was_not_computed_has_no_row() -> None:
    without = Frames(DISPLAYED, DISPLAYED, np.zeros((4, 36, 64)), FRAMES.t_s)
    assert len({axes.get_ylabel() for axes in frame_strip(without, [0], mask=MASK).axes}) == 5


def test_breaks_stand_between_the_frames_around_them() -> None:
    columns = columns_of(FRAMES, decoded_s=[(6.5, 7.15), (7.7, 9.0)], length_s=9.0)
    assert columns == [0, 1, 2, 3]
    spread = Frames(DISPLAYED, DISPLAYED, FRAMES.uncertainty, np.array([1.0, 2.0, 5.0, 6.0]))
    columns = columns_of(spread, decoded_s=[(0.5, 2.5), (4.5, 7.0)], length_s=7.0)
    assert columns == [0, 1, None, 2, 3]


def test_frames_are_taken_evenly_and_those_without_a_pair_are_not() -> None:
    many = np.zeros((40, 2, 2))
    decoded = np.where(np.arange(40)[:, None, None] < 8, np.nan, many)
    chosen = Frames(many, decoded, many, np.arange(40.0)).chosen()
    assert len(chosen) == COLUMNS
    assert min(chosen) >= 8
    assert len(set(np.diff(chosen))) == 1


def test_videos_of_different_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="decoded must have the shape of the displayed frames"):
        Frames(DISPLAYED, DISPLAYED[:3], DISPLAYED, FRAMES.t_s)
