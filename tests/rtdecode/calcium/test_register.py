"""A shifted field is registered as scikit-image registers it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.signal.windows import tukey
from skimage.registration import phase_cross_correlation

from rtdecode.calcium.line_offset import line_offset_px, without_line_offset
from rtdecode.calcium.register import Registrar
from rtdecode.schema.errors import ScanShapeError, ShapeError


def tissue(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    """Spots on a dim ground, (row, col) counts."""
    rng = np.random.default_rng(seed)
    points = np.zeros((rows, cols))
    points[rng.integers(0, rows, 110), rng.integers(0, cols, 110)] = 400
    return 20 + 20 * ndimage.gaussian_filter(points, 2.0)


LARGE = tissue(136, 160)


def seen(row: float = 0.0, col: float = 0.0) -> np.ndarray:
    """What the microscope sees of the tissue after it moved: other tissue comes in at the edge."""
    return ndimage.shift(LARGE, (row, col), order=3)[20:-20, 20:-20]


FIELD = seen()


@settings(max_examples=25)
@given(row=st.floats(-5, 5), col=st.floats(-5, 5))
def test_a_shift_is_found_to_a_tenth_of_a_pixel(row: float, col: float) -> None:
    found = Registrar(FIELD, max_shift_px=8).shift(seen(row, col))
    assert (found.row_px, found.col_px) == pytest.approx((-row, -col), abs=0.1)


@settings(max_examples=15)
@given(row=st.floats(-3, 3), col=st.floats(-3, 3))
def test_it_agrees_with_scikit_image_on_the_same_windowed_images(row: float, col: float) -> None:
    window = np.outer(*(tukey(side, 0.5) for side in FIELD.shape))
    images = [(image - image.mean()) * window for image in (FIELD, seen(row, col))]
    # Its whitened variant is off by a quarter of a pixel on windowed images, the plain one is not.
    oracle, *_ = phase_cross_correlation(*images, upsample_factor=20, normalization=None)
    found = Registrar(FIELD, max_shift_px=8).shift(seen(row, col))
    assert (found.row_px, found.col_px) == pytest.approx(tuple(oracle), abs=0.1)


def test_photon_noise_costs_less_than_a_fifth_of_a_pixel() -> None:
    rng = np.random.default_rng(1)
    registrar = Registrar(FIELD, max_shift_px=8)
    errors = []
    for _ in range(20):
        shift = rng.uniform(-3, 3, 2)
        found = registrar.shift(rng.poisson(np.maximum(seen(*shift), 0)).astype(np.uint16))
        errors.append(np.abs(shift + np.array([found.row_px, found.col_px])).max())
    assert np.median(errors) < 0.2


def test_a_shift_does_not_depend_on_earlier_scans() -> None:
    used = Registrar(FIELD, max_shift_px=8)
    for shift in ((3, -2), (0.5, 0.25), (-4, 1)):
        assert used.shift(seen(*shift)) == Registrar(FIELD, max_shift_px=8).shift(seen(*shift))


def test_an_unmoved_scan_stays_where_it_is() -> None:
    found = Registrar(FIELD, max_shift_px=8).shift(FIELD.astype(np.uint16))
    assert (found.row_px, found.col_px) == pytest.approx((0, 0), abs=0.02)
    assert not found.at_edge


def test_another_field_has_no_peak_and_a_far_one_lies_at_the_edge() -> None:
    registrar = Registrar(FIELD, max_shift_px=4)
    same = registrar.shift(FIELD)
    other = registrar.shift(np.random.default_rng(2).poisson(50, FIELD.shape))
    assert other.peak_sd < 0.5 * same.peak_sd
    assert registrar.shift(seen(row=6)).at_edge


def test_scans_and_references_of_wrong_shapes_are_refused() -> None:
    with pytest.raises(ScanShapeError, match="64 x 64"):
        Registrar(FIELD, max_shift_px=8).shift(np.zeros((64, 64)))
    with pytest.raises(ShapeError, match="16 or more"):
        Registrar(np.zeros((8, 200)), max_shift_px=8)


@settings(max_examples=25)
@given(offset=st.integers(-6, 6), seed=st.integers(0, 100))
def test_a_displacement_of_every_second_line_is_measured_and_removed(
    offset: int, seed: int
) -> None:
    photons = np.random.default_rng(seed).poisson(FIELD.clip(0), (30, *FIELD.shape))
    scans = photons.astype(np.uint16)
    displaced = scans.copy()
    displaced[:, 1::2] = np.roll(scans[:, 1::2], offset, 2)
    assert line_offset_px(displaced.mean(0)) == pytest.approx(offset, abs=0.15)
    straight = without_line_offset(displaced[0], offset)
    inner = slice(8, -8)
    np.testing.assert_array_equal(straight[:, inner], scans[0][:, inner])
    np.testing.assert_array_equal(displaced[0][::2], straight[::2])


@pytest.mark.parametrize(("offset", "row"), [(2, [3, 4, 4, 4]), (-1, [1, 1, 2, 3])])
def test_columns_beyond_the_border_repeat_the_outermost_one(offset: int, row: list[int]) -> None:
    pixels = np.array([[1, 2, 3, 4], [1, 2, 3, 4]], np.int16)
    np.testing.assert_array_equal(without_line_offset(pixels, offset), [[1, 2, 3, 4], row])


@pytest.mark.parametrize("offset", [-2.4, 0.7, 3.25])
def test_a_fraction_of_a_pixel_is_measured(offset: float) -> None:
    displaced = FIELD.copy()
    displaced[1::2] = seen(col=offset)[1::2]
    assert line_offset_px(displaced) == pytest.approx(offset, abs=0.1)


@pytest.mark.parametrize("shape", [(96, 128), (16, 16), (4, 4), (256, 20)])
def test_an_image_without_structure_has_no_displacement(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    assert {line_offset_px(rng.poisson(20, shape)) for _ in range(20)} == {0.0}
    assert line_offset_px(np.zeros(shape)) == 0.0
