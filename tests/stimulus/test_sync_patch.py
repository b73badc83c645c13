"""The patch lies in the lower right corner and changes with each frame."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stimulus.sync_patch import SyncPatch, patch_grey


def test_it_changes_with_between_frames_between_black_and_white() -> None:
    greys = [patch_grey(number) for number in range(9)]
    assert set(greys) == {0, 255}
    assert all(before != after for before, after in pairwise(greys))


@given(size=st.integers(1, 200), width=st.integers(200, 4000), height=st.integers(200, 3000))
def test_centre_and_probe_are_the_same_place(size: int, width: int, height: int) -> None:
    patch = SyncPatch(size, (width, height))
    (x, y), (column, row) = patch.center_px, patch.probe_px
    assert abs(column + 0.5 - (width / 2 + x)) <= 1
    assert abs(row + 0.5 - (height / 2 - y)) <= 1
    assert width - size <= column < width
    assert height - size <= row < height


def test_a_patch_of_40_in_640_by_360() -> None:
    patch = SyncPatch(40, (640, 360))
    assert patch.center_px == (300, -160)
    assert patch.probe_px == (619, 339)
