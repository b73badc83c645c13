"""The patch lies in its corner of the window and follows its code."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.config.monitor import Corner, PatchCode, PatchConfig
from rtdecode.schema.patch_code import is_white
from stimulus.sync_patch import SyncPatch, patch_grey


def test_alternating_it_changes_with_each_frame() -> None:
    greys = [patch_grey(number) for number in range(9)]
    assert set(greys) == {0, 255}
    assert all(before != after for before, after in pairwise(greys))


def test_coded_it_is_white_where_the_sequence_is() -> None:
    greys = [patch_grey(number, PatchCode.CODED) for number in range(99)]
    assert [grey == 255 for grey in greys] == [is_white(n, PatchCode.CODED) for n in range(99)]


@given(
    size=st.integers(1, 500),
    width=st.integers(200, 4000),
    height=st.integers(200, 3000),
    corner=st.sampled_from(Corner),
)
def test_the_patch_touches_its_corner_and_has_its_probe_in_the_middle(
    size: int, width: int, height: int, corner: Corner
) -> None:
    patch = SyncPatch(PatchConfig(size_px=size, corner=corner), (width, height))
    left, top, right, bottom = patch.edges_px
    assert (right - left, bottom - top) == (min(size, width), min(size, height))
    assert (left == 0) if "left" in corner else (right == width)
    assert (top == 0) if "upper" in corner else (bottom == height)
    assert left <= patch.probe_px[0] < right
    assert top <= patch.probe_px[1] < bottom


@pytest.mark.parametrize(
    ("corner", "edges"),
    [
        (Corner.LOWER_RIGHT, (600, 320, 640, 360)),
        (Corner.UPPER_LEFT, (0, 0, 40, 40)),
        (Corner.UPPER_RIGHT, (600, 0, 640, 40)),
        (Corner.LOWER_LEFT, (0, 320, 40, 360)),
    ],
)
def test_a_patch_of_40_in_640_by_360(corner: Corner, edges: tuple[int, ...]) -> None:
    assert SyncPatch(PatchConfig(corner=corner), (640, 360)).edges_px == edges
