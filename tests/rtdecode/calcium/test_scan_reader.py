"""The fluorescence of each cell is its own, wherever the tissue has moved."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.calcium.scan_reader import RoiSignals, ScanReader
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


ROIS = cells()
GROUND = 40 + ndimage.gaussian_filter(
    np.random.default_rng(0).normal(0, 30, (ROWS, COLS)), 1.5, mode="wrap"
)


def light(bright: np.ndarray = BRIGHT) -> np.ndarray:
    """(row, col) of cells as bright as given on spotted tissue."""
    image = GROUND.copy().reshape(-1)
    for neuron, counts in enumerate(bright):
        image[ROIS.pixels[ROIS.indptr[neuron] : ROIS.indptr[neuron + 1]]] += counts
    return np.maximum(image, 0).reshape(ROWS, COLS).astype(np.uint16)


def reader() -> ScanReader:
    return ScanReader(CONFIG, rois=ROIS, reference=light())


def moved(row: float, col: float) -> np.ndarray:
    shifted = ndimage.shift(light().astype(float), (row, col), order=1, mode="nearest")
    return shifted.round().astype(np.uint16)


def same(one: RoiSignals, other: RoiSignals) -> bool:
    names = ("f_raw", "f_neuropil", "f_corrected", "measured")
    return all(getattr(one, n).tobytes() == getattr(other, n).tobytes() for n in names)


def test_corrected_fluorescence_is_that_of_the_cell_alone() -> None:
    counts = reader().read(light())
    assert counts.measured.all()
    # GROUND is 40 inside and around; half of it is taken off, and overlap is taken apart.
    np.testing.assert_allclose(counts.f_neuropil, 40, rtol=0.15)
    np.testing.assert_allclose(counts.f_corrected, BRIGHT + 20, atol=12)
    np.testing.assert_allclose(
        counts.f_raw, counts.f_corrected + 0.5 * counts.f_neuropil, rtol=1e-5
    )


@settings(max_examples=10)
@given(row=st.floats(-4, 4), col=st.floats(-4, 4))
def test_moved_tissue_gives_the_same_fluorescence(row: float, col: float) -> None:
    still, other = reader().read(light()), reader().read(moved(row, col))
    assert (other.shift.row_px, other.shift.col_px) == pytest.approx((-row, -col), abs=0.15)
    # Interpolation blurs the sharp edges of the discs, most of all by half a pixel both ways.
    np.testing.assert_allclose(other.f_corrected, still.f_corrected, rtol=0.15, atol=6)


@settings(max_examples=10)
@given(seeds=st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_a_scan_depends_on_earlier_scans_only_through_the_start_of_demixing(
    seeds: list[int],
) -> None:
    fresh, used = reader(), reader()
    for seed in seeds:
        bright = np.random.default_rng(seed).uniform(0, 300, 4)
        used.read(light(bright))
    one, other = (r.read(light()) for r in (fresh, used))
    assert one.shift == other.shift
    np.testing.assert_allclose(other.f_corrected, one.f_corrected, atol=0.5)
    lone = [2, 3]
    np.testing.assert_array_equal(other.f_corrected[lone], one.f_corrected[lone])


def test_signals_do_not_change_when_the_next_scan_is_read() -> None:
    used = reader()
    first = used.read(light())
    kept = RoiSignals(*(np.copy(getattr(first, n)) for n in RoiSignals.__slots__[:4]), first.shift)
    used.read(moved(2, -1))
    assert same(first, kept)


def test_a_doubtful_scan_measures_nothing() -> None:
    counts = reader().read(np.random.default_rng(1).poisson(60, (ROWS, COLS)).astype(np.uint16))
    assert not counts.measured.any()


def test_the_latest_scan_is_registered_onto_the_reference() -> None:
    used = reader()
    used.read(moved(2, -1))
    inner = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(used.registered_counts[inner], light()[inner], atol=25)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ScanShapeError, match="32 x 32"):
        reader().read(np.zeros((32, 32), np.uint16))
    with pytest.raises(ScanShapeError, match="ROI set"):
        ScanReader(CONFIG, rois=ROIS, reference=np.zeros((32, 32)))
