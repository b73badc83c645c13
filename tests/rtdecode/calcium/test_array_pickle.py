"""Only names that reconstruct arrays are resolved in a pickle; all others are refused."""

import os
from pathlib import Path

import numpy as np
import pytest

from rtdecode.calcium.array_pickle import arrays_from_pickle
from rtdecode.schema.errors import UnreadableFileError, UnsafePickleError


class Calls:
    """Pickled, it asks for a call of `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


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
    trusted, found = np.load(path, allow_pickle=True), arrays_from_pickle(path)
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
        arrays_from_pickle(path)
    assert not made.exists()


def test_a_name_that_only_ends_like_numpys_is_refused(tmp_path: Path) -> None:
    # GLOBAL 'evil.multiarray scalar', without arguments
    body = b"\x80\x02cevil.multiarray\nscalar\n."
    saved(path := tmp_path / "stat.npy", {})
    head = path.read_bytes()[:128]
    path.write_bytes(head + body)
    with pytest.raises(UnsafePickleError, match=r"evil\.multiarray\.scalar"):
        arrays_from_pickle(path)


@pytest.mark.parametrize("kept", [1, 60, 130, 200])
def test_a_file_that_ends_early_is_refused_by_name(tmp_path: Path, kept: int) -> None:
    path = saved(tmp_path / "stat.npy", {"ypix": np.arange(50)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableFileError, match=r"stat\.npy"):
        arrays_from_pickle(path)


def test_plain_numbers_are_refused_as_rois(tmp_path: Path) -> None:
    np.save(tmp_path / "F.npy", np.zeros((3, 4)))
    with pytest.raises(UnreadableFileError, match="float64"):
        arrays_from_pickle(tmp_path / "F.npy")
