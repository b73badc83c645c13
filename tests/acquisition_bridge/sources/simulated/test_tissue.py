"""The simulated tissue: positions of cells, and their ROIs."""

import numpy as np
import pytest

from acquisition_bridge.sources.simulated.tissue import Tissue, footprints, grow_tissue


def grown(neurons: int, *, seed: int = 1, side: int = 128) -> Tissue:
    return grow_tissue(
        np.random.default_rng(seed),
        neurons=neurons,
        rows_px=side,
        cols_px=side,
        pad_px=6,
        photons=30.0,
        neuropil_fraction=0.3,
    )


TISSUE = grown(150)


def test_cells_keep_their_distance_while_there_is_room() -> None:
    sparse = grown(60)
    gap = np.linalg.norm(sparse.center_px[:, None] - sparse.center_px[None], axis=2)
    radius = 7.5 / (800 / 128)
    assert gap[~np.eye(60, dtype=bool)].min() > 1.9 * radius - 1.5


def test_more_cells_than_fit_side_by_side_overlap() -> None:
    assert grown(3000, side=96).center_px.shape == (3000, 2)


def test_footprints_lie_in_the_field_of_view_and_sum_to_one() -> None:
    for pixels, weights in footprints(TISSUE):
        assert pixels.min() >= 0
        assert pixels.max() < 128 * 128
        assert weights.sum() == pytest.approx(1, abs=1e-5)


def test_a_footprint_is_centred_on_its_cell() -> None:
    for (pixels, weights), center in zip(footprints(TISSUE), TISSUE.center_px, strict=True):
        row, col = np.divmod(pixels, 128)
        middle = np.array([weights @ row, weights @ col]) + TISSUE.pad_px
        np.testing.assert_allclose(middle, center, atol=0.5)


def test_no_cell_lies_in_a_vessel() -> None:
    row, col = TISSUE.center_px.round().astype(int).T
    assert TISSUE.silhouette[row, col].min() > 0.5
    assert TISSUE.silhouette.min() < 0.35


def test_the_same_seed_grows_the_same_tissue() -> None:
    again, other = grown(150), grown(150, seed=2)
    np.testing.assert_array_equal(again.pixels, TISSUE.pixels)
    np.testing.assert_array_equal(again.neuropil, TISSUE.neuropil)
    assert not np.array_equal(other.center_px, TISSUE.center_px)
