"""One scan gives each cell's own light, wherever the tissue has moved."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.calcium.scan_reader import Counts, ScanReader
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import ScanShapeError

ROWS, COLS = 64, 72
CONFIG = CalciumConfig(max_shift_px=6.0, neuropil_weight=0.5)
BRIGHT = np.array([300.0, 80.0, 0.0, 150.0])


def disc(row: int, col: int) -> np.ndarray:
    rows, cols = np.mgrid[:ROWS, :COLS]
    return np.flatnonzero((rows - row) ** 2 + (cols - col) ** 2 <= 16)


def cells() -> Rois:
    """Four cells; the first two overlap."""
    discs = [disc(20, 20), disc(20, 26), disc(44, 24), disc(42, 52)]
    return rois_from_lists((ROWS, COLS), [(pixels, np.ones(len(pixels))) for pixels in discs])


MASKS = cells()
GROUND = 40 + ndimage.gaussian_filter(
    np.random.default_rng(0).normal(0, 30, (ROWS, COLS)), 1.5, mode="wrap"
)


def light(bright: np.ndarray = BRIGHT) -> np.ndarray:
    """(row, col) of cells as bright as given on spotted tissue."""
    image = GROUND.copy().reshape(-1)
    for neuron, counts in enumerate(bright):
        image[MASKS.pixels[MASKS.indptr[neuron] : MASKS.indptr[neuron + 1]]] += counts
    return np.maximum(image, 0).reshape(ROWS, COLS).astype(np.uint16)


def reader() -> ScanReader:
    return ScanReader(CONFIG, rois=MASKS, reference=light())


def moved(row: float, col: float) -> np.ndarray:
    shifted = ndimage.shift(light().astype(float), (row, col), order=1, mode="nearest")
    return shifted.round().astype(np.uint16)


def same(one: Counts, other: Counts) -> bool:
    names = ("f_counts", "neuropil_counts", "corrected_counts", "measured")
    return all(getattr(one, n).tobytes() == getattr(other, n).tobytes() for n in names)


def test_each_cell_has_its_own_light_over_its_share_of_the_neuropil() -> None:
    counts = reader().read(light())
    assert counts.measured.all()
    # GROUND is 40 inside and around; half of it is taken off, and overlap is taken apart.
    np.testing.assert_allclose(counts.neuropil_counts, 40, rtol=0.15)
    np.testing.assert_allclose(counts.corrected_counts, BRIGHT + 20, atol=12)
    np.testing.assert_allclose(
        counts.f_counts, counts.corrected_counts + 0.5 * counts.neuropil_counts, rtol=1e-5
    )


@settings(max_examples=10)
@given(row=st.floats(-4, 4), col=st.floats(-4, 4))
def test_tissue_that_moved_gives_the_same_counts(row: float, col: float) -> None:
    still, other = reader().read(light()), reader().read(moved(row, col))
    assert (other.shift.row_px, other.shift.col_px) == pytest.approx((-row, -col), abs=0.15)
    # Interpolation blurs the sharp edges of the discs, most of all by half a pixel both ways.
    np.testing.assert_allclose(other.corrected_counts, still.corrected_counts, rtol=0.15, atol=6)


@settings(max_examples=10)
@given(seeds=st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_apart_from_where_demixing_begins_a_scan_owes_nothing_to_those_before(
    seeds: list[int],
) -> None:
    fresh, used = reader(), reader()
    for seed in seeds:
        bright = np.random.default_rng(seed).uniform(0, 300, 4)
        used.read(light(bright))
    one, other = (r.read(light()) for r in (fresh, used))
    assert one.shift == other.shift
    np.testing.assert_allclose(other.corrected_counts, one.corrected_counts, atol=0.5)
    lone = [2, 3]
    np.testing.assert_array_equal(other.corrected_counts[lone], one.corrected_counts[lone])


def test_counts_do_not_change_when_the_next_scan_is_read() -> None:
    used = reader()
    first = used.read(light())
    kept = Counts(*(np.copy(getattr(first, n)) for n in Counts.__slots__[:4]), first.shift)
    used.read(moved(2, -1))
    assert same(first, kept)


def test_a_doubtful_scan_measures_nothing() -> None:
    counts = reader().read(np.random.default_rng(1).poisson(60, (ROWS, COLS)).astype(np.uint16))
    assert not counts.measured.any()


def test_the_scan_read_last_lies_on_the_reference() -> None:
    used = reader()
    used.read(moved(2, -1))
    inner = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(used.moved_counts[inner], light()[inner], atol=25)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ScanShapeError, match="32 x 32"):
        reader().read(np.zeros((32, 32), np.uint16))
    with pytest.raises(ScanShapeError, match="rois"):
        ScanReader(CONFIG, rois=MASKS, reference=np.zeros((32, 32)))
