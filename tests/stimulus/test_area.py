"""Area averaging keeps what must be kept, and agrees with block means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

from stimulus.area import Shrinker, overlap_weights

SCREEN = (36, 64)


@given(cells=st.integers(1, 300), parts=st.integers(1, 70), data=st.data())
def test_each_part_is_a_mean_of_its_cells(cells: int, parts: int, data: st.DataObject) -> None:
    start = data.draw(st.floats(0, cells / 2))
    weights = overlap_weights(start, cells - start / 2, cells=cells, parts=parts)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-4)
    assert weights.min() >= 0


@given(rows=st.integers(1, 5), cols=st.integers(1, 5), seed=st.integers(0, 99))
def test_whole_blocks_are_averaged_as_block_reduce_does(rows: int, cols: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (36 * rows, 64 * cols), np.uint8)
    aspect = rows / cols  # square pixels on the screen, whatever the blocks
    shrunk = Shrinker.between(picture.shape, SCREEN, pixel_aspect=aspect).shrunk(picture)
    expected = block_reduce(picture, (rows, cols), np.mean)
    np.testing.assert_allclose(shrunk, expected, atol=0.51)


def test_half_a_cell_counts_half() -> None:
    expected = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(overlap_weights(0, 3, cells=3, parts=2), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (720, 300), (7, 5)])
def test_the_middle_is_kept_and_the_rest_cut(size: tuple[int, int]) -> None:
    rows, cols = size
    kept_rows, kept_cols = min(rows, cols * 9 / 16), min(cols, rows * 16 / 9)
    shrinker = Shrinker.between(size, SCREEN)
    assert shrinker.picture == size
    cut_rows = np.flatnonzero(shrinker.down.sum(0) < 1e-6)
    cut_cols = np.flatnonzero(shrinker.across.sum(1) < 1e-6)
    assert abs(len(cut_rows) - (rows - kept_rows)) < 2
    assert abs(len(cut_cols) - (cols - kept_cols)) < 2
    np.testing.assert_array_equal(shrinker.shrunk(np.full(size, 77, np.uint8)), 77)


def test_wide_pixels_make_a_wide_picture() -> None:
    anamorphic = Shrinker.between((576, 720), SCREEN, pixel_aspect=64 / 45)
    np.testing.assert_allclose(anamorphic.down.sum(0), 36 / 576, rtol=1e-4)
    np.testing.assert_allclose(anamorphic.across.sum(1), 64 / 720, rtol=1e-4)
