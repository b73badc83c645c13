"""A surface is its picture, mirrored without end, averaged over any rectangle."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stimulus.surface import Surface

PICTURE = np.random.default_rng(1).uniform(0, 255, (11, 7)).astype(np.float32)
SURFACE = Surface(PICTURE)


@given(row=st.integers(-60, 60), col=st.integers(-60, 60))
def test_whole_pixels_are_those_of_the_picture_and_its_mirror_images(row: int, col: int) -> None:
    mirrored = np.pad(PICTURE, [(77, 77), (77, 77)], mode="symmetric")
    seen = SURFACE.view(np.arange(row, row + 4.0), np.arange(col, col + 6.0))
    np.testing.assert_allclose(
        seen, mirrored[row + 77 : row + 80, col + 77 : col + 82], rtol=1e-6, atol=1e-6
    )


@given(edges=st.lists(st.integers(-40, 40), min_size=3, max_size=6, unique=True).map(sorted))
def test_a_view_of_large_cells_is_the_mean_of_small_ones(edges: list[int]) -> None:
    cols = np.array([0.25, 1.0, 4.5])
    small = SURFACE.view(np.arange(edges[0], edges[-1] + 1.0), cols)
    starts = np.array(edges[:-1]) - edges[0]
    expected = np.add.reduceat(small, starts, axis=0) / np.diff(edges)[:, None]
    np.testing.assert_allclose(SURFACE.view(np.array(edges, float), cols), expected, rtol=1e-6)


def test_a_shift_by_half_a_pixel_is_the_mean_of_two() -> None:
    seen = SURFACE.view(np.array([2.5, 3.5]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(seen, (PICTURE[2, 1] + PICTURE[3, 1]) / 2, rtol=1e-6)
