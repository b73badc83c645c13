"""Blocks that move differently are each moved back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.block_register import BlockRegistrar
from rtdecode.calcium.extract import Mover
from rtdecode.calcium.register import Registrar, Shift
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.calcium.scan_reader import ScanReader
from rtdecode.schema.config.calcium import CalciumConfig, Registration
from rtdecode.schema.errors import ShapeError

ROWS, COLS, MAX_SHIFT_PX = 160, 176, 6.0
PLACES = np.mgrid[:ROWS, :COLS].astype(float)


def tissue() -> np.ndarray:
    rng = np.random.default_rng(0)
    points = np.zeros((ROWS, COLS))
    points[rng.integers(0, ROWS, 500), rng.integers(0, COLS, 500)] = 400
    return 20 + 20 * ndimage.gaussian_filter(points, 1.5)


FIELD = tissue()


def seen(shift: np.ndarray) -> np.ndarray:
    """The tissue of which each pixel p is displaced by -`shift`, (2, row, col): I(p + shift)."""
    return ndimage.map_coordinates(FIELD, PLACES + shift, order=3, mode="nearest")


def shear(rows_px: float, cols_px: float) -> np.ndarray:
    """Shifts that grow linearly from the upper to the lower end, as when tissue moves in a scan."""
    part = np.linspace(-1, 1, ROWS)[:, None] * np.ones((1, COLS))
    return np.stack([rows_px * part, cols_px * part])


def registered(scan: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scan registered in blocks and as a whole, and the displacement of the blocks."""
    whole = Registrar(FIELD, max_shift_px=MAX_SHIFT_PX).shift(scan)
    rigid, _ = Mover(FIELD.shape).move(scan, row_px=whole.row_px, col_px=whole.col_px)
    blocks = BlockRegistrar(FIELD, max_shift_px=MAX_SHIFT_PX, block_px=64)
    displacement = blocks.displacement(scan, whole)
    moved, _ = blocks.move(scan, displacement)
    return moved, rigid, displacement


@settings(max_examples=6, deadline=None)
@given(row=st.floats(-3, 3), col=st.floats(-3, 3))
def test_a_scan_that_moves_as_a_whole_has_the_same_shift_in_all_blocks(
    row: float, col: float
) -> None:
    shift = np.array([row, col])[:, None, None] * np.ones((1, ROWS, COLS))
    *_, displacement = registered(seen(shift))
    np.testing.assert_allclose(displacement[0], row, atol=0.2)
    np.testing.assert_allclose(displacement[1], col, atol=0.2)


def test_two_halves_that_move_apart_are_each_moved_back() -> None:
    shift = np.zeros((2, ROWS, COLS))
    shift[:, : ROWS // 2] = np.array([1.0, -2.0])[:, None, None]
    shift[:, ROWS // 2 :] = np.array([-1.0, 1.5])[:, None, None]
    moved, rigid, displacement = registered(seen(shift))
    np.testing.assert_allclose(displacement[0, 0], 1.0, atol=0.25)
    np.testing.assert_allclose(displacement[1, 0], -2.0, atol=0.25)
    np.testing.assert_allclose(displacement[0, -1], -1.0, atol=0.25)
    np.testing.assert_allclose(displacement[1, -1], 1.5, atol=0.25)
    far = np.r_[8:40, ROWS - 40 : ROWS - 8]
    errors = [np.abs(one - FIELD)[far, 8:-8].mean() for one in (moved, rigid)]
    assert errors[0] < 0.4 * errors[1]


def test_shear_is_removed() -> None:
    moved, rigid, _ = registered(seen(shear(1.5, 3.0)))
    inner = np.s_[8:-8, 8:-8]
    errors = [np.abs(one - FIELD)[inner].mean() for one in (moved, rigid)]
    assert errors[0] < 0.5 * errors[1]


def test_a_block_without_structure_moves_as_the_whole_scan() -> None:
    blocks = BlockRegistrar(FIELD, max_shift_px=MAX_SHIFT_PX, block_px=64)
    noise = np.random.default_rng(1).poisson(50, FIELD.shape)
    whole = Shift(1.25, -2.5, 9.0, at_edge=False)
    displacement = blocks.displacement(noise, whole)
    as_whole = (displacement[0] == 1.25) & (displacement[1] == -2.5)
    assert as_whole.mean() > 0.5


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.25, -1.5), (-3.0, 0.75)])
def test_one_shift_for_all_blocks_moves_as_rigid_registration(shift: tuple[float, float]) -> None:
    scan = np.random.default_rng(2).integers(0, 4000, FIELD.shape).astype(np.uint16)
    blocks = BlockRegistrar(FIELD, max_shift_px=MAX_SHIFT_PX, block_px=64)
    like = blocks.displacement(scan, Shift(0, 0, 9.0, at_edge=False))
    displacement = np.float32(shift)[:, None, None] * np.ones_like(like)
    moved, inside = blocks.move(scan, displacement)
    rigid, rigid_inside = Mover(FIELD.shape).move(scan, row_px=shift[0], col_px=shift[1])
    assert inside == rigid_inside
    part = np.s_[inside[0] : inside[1] + 1, inside[2] : inside[3] + 1]
    np.testing.assert_allclose(moved[part], rigid[part], rtol=1e-4, atol=1e-2)


def test_the_reader_follows_cells_of_a_sheared_scan() -> None:
    cells = [np.flatnonzero(np.hypot(PLACES[0] - r, PLACES[1] - 90) <= 4) for r in (20, 80, 140)]
    rois = rois_from_lists(FIELD.shape, [(cell, np.ones(len(cell))) for cell in cells])
    errors = {}
    for kind in Registration:
        config = CalciumConfig(registration=kind, block_px=64, max_shift_px=MAX_SHIFT_PX)
        reader = ScanReader(config, rois=rois, reference=FIELD)
        still = reader.read(FIELD).f_raw
        errors[kind] = np.abs(reader.read(seen(shear(1.5, 3.0))).f_raw - still).mean()
    assert errors[Registration.BLOCKS] < 0.6 * errors[Registration.RIGID]


def test_a_field_without_space_for_blocks_is_refused() -> None:
    with pytest.raises(ShapeError, match="registration: rigid"):
        BlockRegistrar(np.ones((30, 200)), max_shift_px=8.0, block_px=64)
