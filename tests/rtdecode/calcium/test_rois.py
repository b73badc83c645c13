"""ROIs are consistent, are saved and loaded unchanged, and are refused by name."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.errors import MissingFileError, RoisError

TWO = rois_from_lists(
    (4, 5),
    [(np.array([0, 1]), np.array([1.0, 3.0])), (np.array([19]), np.array([2.0]))],
)


def test_a_center_is_the_weighted_mean_of_its_pixels() -> None:
    np.testing.assert_allclose(TWO.centers_px, [[0, 0.75], [3, 4]])


def test_a_footprint_shows_each_neuron_with_a_mean_of_one() -> None:
    image = TWO.footprint()
    np.testing.assert_allclose(image[0, :2], [0.5, 1.5])
    assert image[3, 4] == 1


def test_saved_rois_are_loaded_unchanged(tmp_path: Path) -> None:
    TWO.save(tmp_path / "masks.npz")
    again = Rois.load(tmp_path / "masks.npz")
    assert again.shape == TWO.shape
    for name in ("indptr", "pixels", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(TWO, name))


def test_chosen_neurons_keep_their_pixels() -> None:
    only = TWO.chosen(np.array([False, True]))
    assert only.count == 1
    assert only.pixels.tolist() == [19]


@pytest.mark.parametrize(
    ("pixels", "weights", "message"),
    [
        ([20], [1.0], "outside the field"),
        ([-1], [1.0], "outside the field"),
        ([3], [np.nan], "finite"),
        ([3], [0.0], "above 0"),
        ([], [], "no pixel"),
    ],
)
def test_inconsistent_rois_are_refused(
    pixels: list[int], weights: list[float], message: str
) -> None:
    with pytest.raises(RoisError, match=message):
        rois_from_lists((4, 5), [(np.array([0]), np.ones(1)), (np.array(pixels), weights)])


def test_a_file_without_rois_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "masks.npz").write_bytes(b"not a zip")
    with pytest.raises(RoisError, match=r"masks\.npz"):
        Rois.load(tmp_path / "masks.npz")
    with pytest.raises(MissingFileError):
        Rois.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("shape", np.array(40), r"shape \(\)"),
        ("shape", np.array([4, 5, 6]), r"shape \(3,\)"),
        ("pixels", np.array([0.5, 1, 19]), "integers"),
        ("pixels", np.array([2**32 + 1, 1, 19]), "outside the field"),
        ("indptr", np.array([0, 2]), "lengths"),
        ("weights", np.ones((3, 1)), r"weights \(3, 1\)"),
    ],
)
def test_a_file_with_arrays_of_another_form_is_refused(
    tmp_path: Path, name: str, value: np.ndarray, told: str
) -> None:
    arrays = {key: getattr(TWO, key) for key in ("indptr", "pixels", "weights")}
    np.savez(tmp_path / "masks.npz", **({"shape": np.array([4, 5])} | arrays | {name: value}))
    with pytest.raises(RoisError, match=rf"masks\.npz.*{told}"):
        Rois.load(tmp_path / "masks.npz")
