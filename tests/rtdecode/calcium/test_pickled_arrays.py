"""Pickled arrays are read within bounds; only names that reconstruct arrays are resolved."""

import datetime
import os
import pathlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.calcium.pickled_arrays import Unused, objects_of_npy
from rtdecode.schema.errors import UnreadableFileError, UnsafePickleError


class Calls:
    """Pickled, it asks for a call of `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def read(path: Path) -> np.ndarray:
    return objects_of_npy(path, what="the file", expected="an array", remedy="give one")


def saved(path: Path, *values: object) -> Path:
    array = np.empty(len(values), object)
    array[:] = values
    np.save(path, array, allow_pickle=True)
    return path


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    roi = {
        "ypix": np.arange(5),
        "lam": rng.normal(size=(2, 3)).astype(np.float32),
        "cell": np.array([True, False]),
        "radius": np.float64(2.5),
        "med": [np.int64(3), 4],
        "name": "soma",
    }
    path = saved(tmp_path / "stat.npy", roi, {"ypix": np.zeros(0, np.int32)})
    trusted, found = np.load(path, allow_pickle=True), read(path)
    assert found.shape == trusted.shape == (2,)
    assert found[0].keys() == trusted[0].keys()
    for name in roi:
        np.testing.assert_array_equal(found[0][name], trusted[0][name])
    assert found[1]["ypix"].dtype == np.int32


@pytest.mark.parametrize("function", [os.mkdir, eval, np.save, getattr])
def test_a_call_of_any_function_is_refused_before_it_is_executed(
    tmp_path: Path, function: object
) -> None:
    made = tmp_path / "made"
    path = saved(tmp_path / "stat.npy", Calls(function, str(made)))
    with pytest.raises(UnsafePickleError, match=r"stat\.npy names"):
        read(path)
    assert not made.exists()


class WindowsPath:
    """Pickles as the path that suite2p leaves on Windows."""

    def __reduce__(self) -> tuple[object, ...]:
        return pathlib.WindowsPath, ("D:\\", "data")


def test_dates_paths_and_devices_are_dropped_and_the_rest_is_read(tmp_path: Path) -> None:
    ops = {
        "Ly": 40,
        "date_proc": datetime.datetime(2024, 1, 1, 12, 30, tzinfo=datetime.UTC),
        "duration": datetime.timedelta(seconds=3),
        "save_path": pathlib.PosixPath("/data/mouse1"),
        "windows": WindowsPath(),
        "torch_device": torch.device("cpu"),
        "Lx": np.int32(60),
    }
    found = read(saved(tmp_path / "ops.npy", ops))[0]
    assert (found["Ly"], found["Lx"]) == (40, 60)
    unused = ("date_proc", "duration", "save_path", "windows", "torch_device")
    assert all(isinstance(found[name], Unused) for name in unused)


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_all_protocols_of_pickle_give_the_same_arrays(tmp_path: Path, protocol: int) -> None:
    roi = {"ypix": np.arange(6, dtype=">i4").reshape(2, 3, order="F"), "lam": np.float32(2)}
    array = np.array([roi, {"big": np.arange(300.0)}], object)
    path = saved(tmp_path / "stat.npy", *array)
    path.write_bytes(path.read_bytes()[:128] + pickle.dumps(array, protocol=protocol))
    found = read(path)
    np.testing.assert_array_equal(found[0]["ypix"], roi["ypix"])
    np.testing.assert_array_equal(found[1]["big"], np.arange(300.0))
    assert found[0]["lam"] == 2


def test_a_memo_index_of_a_damaged_pickle_takes_no_memory(tmp_path: Path) -> None:
    path = saved(tmp_path / "stat.npy", {})
    # NONE, LONG_BINPUT 2 ** 31 - 1: the compiled unpickler would clear 32 GiB
    path.write_bytes(path.read_bytes()[:128] + b"\x80\x02Nr\xff\xff\xff\x7f.")
    with pytest.raises(UnreadableFileError, match="NoneType"):
        read(path)


def test_items_that_do_not_match_their_array_are_refused(tmp_path: Path) -> None:
    whole = pickle.dumps(np.array([{"a": 1}, {"b": 2}], object), protocol=2)
    path = saved(tmp_path / "stat.npy", {}, {})
    # an array that claims 200 items and brings 2
    path.write_bytes(path.read_bytes()[:128] + whole.replace(b"K\x02\x85", b"K\xc8\x85"))
    with pytest.raises(UnreadableFileError, match="2 items for an array"):
        read(path)


def test_a_name_that_only_ends_like_numpys_is_refused(tmp_path: Path) -> None:
    # GLOBAL 'evil.multiarray scalar', without arguments
    body = b"\x80\x02cevil.multiarray\nscalar\n."
    saved(path := tmp_path / "stat.npy", {})
    head = path.read_bytes()[:128]
    path.write_bytes(head + body)
    with pytest.raises(UnsafePickleError, match=r"evil\.multiarray\.scalar"):
        read(path)


@pytest.mark.parametrize("kept", [1, 60, 130, 200])
def test_a_file_that_ends_early_is_refused_by_name(tmp_path: Path, kept: int) -> None:
    path = saved(tmp_path / "stat.npy", {"ypix": np.arange(50)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableFileError, match=r"stat\.npy"):
        read(path)


def test_plain_numbers_are_refused_as_rois(tmp_path: Path) -> None:
    np.save(tmp_path / "F.npy", np.zeros((3, 4)))
    with pytest.raises(UnreadableFileError, match="float64"):
        read(tmp_path / "F.npy")
