"""A damaged file of any format gives valid ROIs or a named error, never another exception."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.roi_files import read_rois
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.errors import BadInputError

SHAPE = (6, 9)


def own_rois(folder: Path) -> Path:
    lists = [(np.array([12, 13]), np.array([1.0, 2.0])), (np.array([40]), np.array([1.0]))]
    rois_from_lists(SHAPE, lists).save(folder / "masks.npz")
    return folder / "masks.npz"


def suite2p(folder: Path) -> Path:
    roi = {"ypix": np.array([1, 2]), "xpix": np.array([3, 3]), "lam": np.ones(2, np.float32)}
    np.save(folder / "stat.npy", np.array([roi, roi], object), allow_pickle=True)
    np.save(folder / "ops.npy", np.array({"Ly": 6, "Lx": 9}, object), allow_pickle=True)
    return folder / "stat.npy"


def caiman(folder: Path) -> Path:
    with h5py.File(folder / "a.hdf5", "w") as file:
        file["estimates/dims"] = SHAPE
        file["estimates/idx_components"] = np.array([0, 1])
        file["estimates/A/data"] = np.ones(4)
        file["estimates/A/indices"] = np.array([3, 4, 8, 9])
        file["estimates/A/indptr"] = np.array([0, 2, 4])
    return folder / "a.hdf5"


def extract(folder: Path) -> Path:
    with h5py.File(folder / "a.mat", "w") as file:
        file["output/spatial_weights"] = np.ones((2, 9, 6), np.float32)
    return folder / "a.mat"


def nwb(folder: Path) -> Path:
    pixel = np.dtype([("x", "u4"), ("y", "u4"), ("weight", "f4")])
    with h5py.File(folder / "a.nwb", "w") as file:
        table = file.create_group("processing/ophys/ImageSegmentation/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"], table["Accepted"] = np.arange(2), np.array([1, 1])
        table["pixel_mask"] = np.array([(7, 1, 1), (8, 1, 1), (2, 2, 0.5)], pixel)
        table["pixel_mask_index"] = np.array([2, 3])
    return folder / "a.nwb"


def calibration(folder: Path) -> Path:
    three = np.ones(3, np.float32)
    names = ("baseline_counts", "neuropil_counts", "noise", "decay_tau_s")
    np.savez_compressed(
        folder / "calibration.npz",
        reference_counts=np.ones(SHAPE, np.float32),
        scan_rate_hz=30.0,
        activity_quantiles=np.ones((3, 5), np.float32),
        activity_mean=three,
        activity_sd=three,
        **dict.fromkeys(names, three),
    )
    return folder / "calibration.npz"


FORMATS = [own_rois, suite2p, caiman, extract, nwb, calibration]


def loaded(path: Path) -> Rois | Calibration:
    if path.name == "calibration.npz":
        return Calibration.load(path)
    return read_rois(path, shape=SHAPE)


def outcome(path: Path) -> tuple[Rois | Calibration | None, str]:
    """The content of a file, or the error that names it."""
    try:
        return loaded(path), ""
    except BadInputError as error:
        return None, str(error)


def usable(content: Rois | Calibration) -> bool:
    if isinstance(content, Calibration):
        return bool(np.isfinite(content.noise).all())
    inside = 0 <= content.pixels.min() <= content.pixels.max() < np.prod(content.shape)
    return bool(inside and (content.weights > 0).all())


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: made.__name__)
def test_the_whole_file_is_read(made: Callable[[Path], Path], tmp_path: Path) -> None:
    assert usable(loaded(made(tmp_path)))


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: made.__name__)
@settings(
    max_examples=50,
    deadline=1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    length=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_file_gives_rois_or_a_named_error(
    made: Callable[[Path], Path],
    tmp_path: Path,
    length: float | None,
    flips: list[tuple[float, int]],
) -> None:
    path = made(tmp_path)
    raw = bytearray(path.read_bytes())
    for place, value in flips:
        raw[round(place * (len(raw) - 1))] = value
    path.write_bytes(raw if length is None else raw[: round(length * len(raw))])
    content, said = outcome(path)
    assert str(path.parent) in said if content is None else usable(content)
