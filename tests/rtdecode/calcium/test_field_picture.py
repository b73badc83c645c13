"""A scan of any size becomes a picture of at most 256 px a side, in which brighter is brighter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.calcium.field_picture import (
    LONGEST_SIDE,
    PlaneField,
    field_of_view,
    plane_neurons,
    unplaced_neurons,
)
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.arrays import MAX_ROI_PIXELS

SIDES = st.integers(16, 700)


def field(counts: np.ndarray, rois: Rois | None = None) -> PlaneField:
    some = rois or rois_from_lists(counts.shape, [(np.array([0]), np.ones(1))])
    return PlaneField(2, some, counts.astype(np.float32), 9, 10)


@given(rows=SIDES, cols=SIDES)
def test_a_picture_shows_the_means_of_squares_in_their_order(rows: int, cols: int) -> None:
    ramp = np.add.outer(np.arange(rows, dtype=np.float32), np.zeros(cols, np.float32))
    body = field_of_view(field(ramp))
    assert max(body.picture.shape) <= LONGEST_SIDE
    assert body.picture.shape == (rows // body.bin_px, cols // body.bin_px)
    assert (np.diff(body.picture.astype(int), axis=0) >= 0).all()
    assert body.low_counts < body.high_counts
    first = body.bin_px // 2 - 0.5 * (body.bin_px % 2 == 0)
    assert body.low_counts >= first - 1e-3
    assert (body.plane, body.number, body.t_scan_ns) == (2, 9, 10)


@pytest.mark.parametrize("level", [0, -5, 30_000])
def test_a_field_of_one_level_is_drawn_without_a_division_by_zero(level: int) -> None:
    body = field_of_view(field(np.full((32, 32), level)))
    assert body.high_counts > body.low_counts
    assert body.picture.max() == 0


def test_planes_follow_each_other_with_their_places() -> None:
    counts = np.zeros((16, 16))
    lists = [(np.array([k, k + 1]), np.ones(2)) for k in range(5)]
    fields = [field(counts, rois_from_lists((16, 16), lists[:n])) for n in (5, 2)]
    places = np.linspace(-1, 1, 14).reshape(7, 2).astype(np.float32)
    first, second = plane_neurons(fields, places)
    assert (first.first_neuron, second.first_neuron) == (0, 5)
    np.testing.assert_array_equal(np.r_[first.place_x, second.place_x], places[:, 0])
    assert second.roi_pixels.tolist() == [0, 1, 1, 2]
    assert [one.place_y.size for one in plane_neurons(fields, places[:4])] == [0, 0]
    assert unplaced_neurons(7, places).place_y.tolist() == places[:, 1].tolist()


def test_too_many_pixels_become_the_centre_of_each_roi() -> None:
    side = 1500
    whole = np.arange(side * side)
    rois = rois_from_lists((side, side), [(whole, np.ones(len(whole)))])
    assert len(rois.pixels) > MAX_ROI_PIXELS
    (body,) = plane_neurons([field(np.zeros((side, side)), rois)], None)
    assert body.roi_pixels.tolist() == [pytest.approx(side * side // 2 + side // 2, abs=side + 1)]
