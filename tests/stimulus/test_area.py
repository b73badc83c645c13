"""Area averaging keeps what must be kept, and agrees with block means and with weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import block_reduce

from stimulus.surface import Shrinker, row_means

SCREEN = (36, 64)
SIDES = st.integers(1, 200)


def overlaps(edges: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """(parts, cells) share of each cell in each part, the slow and obvious way."""
    upper = np.minimum(edges[1:, None], np.arange(cells) + 1)
    lower = np.maximum(edges[:-1, None], np.arange(cells))
    return np.clip(upper - lower, 0, None) / np.diff(edges)[:, None]


def noise(rows: int, cols: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, cols), np.uint8)


@given(rows=st.integers(1, 5), cols=st.integers(1, 5), seed=st.integers(0, 99))
def test_whole_blocks_are_averaged_as_block_reduce_does(rows: int, cols: int, seed: int) -> None:
    picture = noise(36 * rows, 64 * cols, seed)
    aspect = rows / cols  # square pixels on the screen, whatever the blocks
    shrunk = Shrinker.between(picture.shape, SCREEN, pixel_aspect=aspect).shrunk(picture)
    np.testing.assert_allclose(shrunk, block_reduce(picture, (rows, cols), np.mean), rtol=1e-9)


@given(rows=SIDES, cols=SIDES, aspect=st.floats(0.3, 3), seed=st.integers(0, 99))
def test_cut_rows_and_columns_count_by_their_share(
    rows: int, cols: int, aspect: float, seed: int
) -> None:
    picture = noise(rows, cols, seed)
    shrinker = Shrinker.between((rows, cols), SCREEN, pixel_aspect=aspect)
    down, across = overlaps(shrinker.row_edges, rows), overlaps(shrinker.col_edges, cols)
    np.testing.assert_allclose(shrinker.shrunk(picture), down @ picture @ across.T, atol=1e-6)


def test_half_a_row_counts_half() -> None:
    picture = np.array([[30], [60], [90]], np.uint8)
    # two parts of three rows: (30 + 60 / 2) / 1.5 and (60 / 2 + 90) / 1.5
    np.testing.assert_allclose(row_means(picture, np.array([0, 1.5, 3])), [[40], [80]])


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (720, 300), (7, 5)])
def test_the_middle_is_kept_and_the_rest_cut(size: tuple[int, int]) -> None:
    rows, cols = size
    shrinker = Shrinker.between(size, SCREEN)
    kept_rows, kept_cols = np.ptp(shrinker.row_edges), np.ptp(shrinker.col_edges)
    assert kept_cols / kept_rows == pytest.approx(16 / 9)
    assert kept_rows == pytest.approx(rows) or kept_cols == pytest.approx(cols)
    assert shrinker.row_edges[0] + shrinker.row_edges[-1] == pytest.approx(rows)
    assert shrinker.col_edges[0] + shrinker.col_edges[-1] == pytest.approx(cols)
    np.testing.assert_allclose(shrinker.shrunk(np.full(size, 77, np.uint8)), 77, rtol=1e-9)


def test_wide_pixels_make_a_wide_picture() -> None:
    anamorphic = Shrinker.between((576, 720), SCREEN, pixel_aspect=64 / 45)
    assert (anamorphic.row_edges[0], anamorphic.row_edges[-1]) == pytest.approx((0, 576))
    assert (anamorphic.col_edges[0], anamorphic.col_edges[-1]) == pytest.approx((0, 720))
