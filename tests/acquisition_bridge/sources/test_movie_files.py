"""Movies by their content: HDF5 and bare pixels are read, other containers are refused by name."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.movie_files import Hdf5Movie, HeaderlessFile, content_of
from acquisition_bridge.sources.raw_movie import open_movie
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import SettingMissingError, UnreadableFileError

SCANS = np.random.default_rng(0).integers(0, 4000, (5, 6, 8)).astype(np.uint16)


def hdf5(path: Path, **data_sets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in data_sets.items():
            file[name.replace("__", "/")] = values
    return path


def test_the_only_data_set_with_three_axes_is_the_movie(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "m.h5", deep__mov=SCANS.astype(">u2"), times=np.arange(5.0))
    movie = open_movie(RawMovieConfig(path=path))
    assert (movie.shape, movie.dtype, movie.planes) == ((5, 6, 8), "uint16", 1)
    np.testing.assert_array_equal([movie.scan(k) for k in range(5)], SCANS)
    assert movie.scan(0).dtype.str == "<u2"
    movie.close()


def test_several_data_sets_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "m.h5", green=SCANS, red=SCANS[::-1].astype(np.int16))
    with pytest.raises(SettingMissingError, match=r"source\.dataset.*green, red"):
        Hdf5Movie(path, name=None)
    movie = Hdf5Movie(path, name="/red")
    assert movie.dtype == "int16"
    np.testing.assert_array_equal(movie.scan(0), SCANS[-1])
    movie.close()


@pytest.mark.parametrize(
    ("data_sets", "name", "says"),
    [
        ({"mov": SCANS.astype(np.float32)}, None, "float32"),
        ({"mov": SCANS[0]}, None, "three axes"),
        ({"mov": SCANS}, "red", "no data set 'red'"),
        ({"mov": SCANS[:0]}, None, r"shape \(0, 6, 8\)"),
    ],
)
def test_data_sets_without_scans_are_refused(
    tmp_path: Path, data_sets: dict[str, Any], name: str | None, says: str
) -> None:
    with pytest.raises(UnreadableFileError, match=says):
        Hdf5Movie(hdf5(tmp_path / "m.h5", **data_sets), name=name)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x93NUMPY\x01\x00", r"NumPy \(\.npy\)"),
        (b"PK\x03\x04", r"zip"),
        (b"\0\0\0\x1cftypisom", "MP4"),
        (b"RIFF....AVI ", "AVI"),
    ],
)
def test_the_bytes_of_a_container_are_never_streamed(
    tmp_path: Path, head: bytes, name: str
) -> None:
    (tmp_path / "m.raw").write_bytes(head.ljust(96, b"\1"))
    with pytest.raises(UnreadableFileError, match=f"in {name}.* format: convert it to TIFF"):
        open_movie(RawMovieConfig(path=tmp_path / "m.raw", rows_px=6, cols_px=8))


def test_inverted_counts_of_scanbox_are_refused(tmp_path: Path) -> None:
    SCANS.tofile(tmp_path / "m.sbx")
    with pytest.raises(UnreadableFileError, match=r"Scanbox \(\.sbx\)"):
        open_movie(RawMovieConfig(path=tmp_path / "m.sbx", rows_px=6, cols_px=8))


def test_a_tiff_under_another_name_is_read_as_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.dat", SCANS, photometric="minisblack")
    assert content_of(tmp_path / "m.dat") == "TIFF"
    movie = open_movie(RawMovieConfig(path=tmp_path / "m.dat"))
    np.testing.assert_array_equal([movie.scan(k) for k in range(5)], SCANS)
    movie.close()


SIGNED = SCANS.astype(np.int16) - 2000


@pytest.mark.parametrize(("name", "dtype"), [("data.bin", None), ("m.raw", "int16")])
def test_negative_counts_of_bare_scans_keep_their_sign(
    tmp_path: Path, name: str, dtype: str | None
) -> None:
    SIGNED.tofile(tmp_path / name)
    movie = HeaderlessFile(tmp_path / name, rows_px=6, cols_px=8, dtype=dtype)
    assert movie.dtype == "int16"
    np.testing.assert_array_equal([movie.scan(k) for k in range(5)], SIGNED)
    movie.close()


def test_bare_values_that_may_be_negative_need_a_type(tmp_path: Path) -> None:
    path = tmp_path / "m.raw"
    np.concatenate([SCANS, SIGNED.view(np.uint16)]).tofile(path)
    movie = HeaderlessFile(path, rows_px=6, cols_px=8)
    np.testing.assert_array_equal(movie.scan(4), SCANS[4])
    with pytest.raises(UnreadableFileError, match=r"source\.dtype: int16.*scan 5"):
        movie.scan(5)
    movie.close()
    chosen = HeaderlessFile(path, rows_px=6, cols_px=8, dtype="uint16")
    np.testing.assert_array_equal(chosen.scan(5), SIGNED[0].view(np.uint16))
    chosen.close()
