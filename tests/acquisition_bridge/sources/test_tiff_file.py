"""TIFF movies: files that tifffile writes are read, invalid ones are refused at the start."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.tiff_file import TiffFile
from rtdecode.schema.errors import MovieFileError, UnreadableFileError

RNG = np.random.default_rng(0)
SCANS = RNG.integers(0, 4000, (7, 12, 10)).astype(np.uint16)


def written(path: Path, scans: np.ndarray = SCANS, **options: Any) -> Path:
    tifffile.imwrite(path, scans, photometric="minisblack", **options)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"bigtiff": True},
        {"compression": "zlib"},
        {"byteorder": ">"},
        {"imagej": True},
        {"ome": True},
    ],
    ids=str,
)
def test_every_scan_is_read_as_it_was_written(tmp_path: Path, options: dict[str, Any]) -> None:
    movie = TiffFile(written(tmp_path / "m.tif", **options))
    assert (movie.shape, movie.dtype) == ((7, 12, 10), "uint16")
    for number in (3, 0, 6):
        scan = movie.scan(number)
        np.testing.assert_array_equal(scan, SCANS[number])
        assert scan.dtype.str == "<u2"
    movie.close()


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_other_counts_keep_their_values(tmp_path: Path, dtype: str) -> None:
    scans = RNG.integers(0, 120, (3, 8, 8)).astype(dtype)
    movie = TiffFile(written(tmp_path / "m.tif", scans))
    assert movie.scan(2).dtype.name == movie.dtype
    np.testing.assert_array_equal(movie.scan(2), scans[2])
    movie.close()


@pytest.mark.parametrize(
    ("scans", "got"),
    [
        (np.zeros((3, 8, 8), np.float32), "float32"),
        (np.zeros((3, 8, 8, 3), np.uint8), r"\(8, 8, 3\)"),
    ],
)
def test_what_holds_no_counts_is_refused_by_name(
    tmp_path: Path, scans: np.ndarray, got: str
) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, scans, photometric="rgb" if scans.ndim == 4 else "minisblack")
    with pytest.raises(UnreadableFileError, match=got):
        TiffFile(path)


def test_pages_that_differ_are_refused_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(SCANS[0])
        writer.write(SCANS[1, :6])
    with pytest.raises(UnreadableFileError, match=r"page 1 of shape \(6, 10\)"):
        TiffFile(path)


def test_something_else_under_the_name_of_a_tiff_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    path.write_text("not a movie")
    with pytest.raises(UnreadableFileError, match="no readable TIFF"):
        TiffFile(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@given(data=st.data())
def test_a_truncated_file_is_refused_unless_all_scans_are_complete(
    tmp_path_factory: pytest.TempPathFactory, compression: str | None, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "m.tif"
    whole = written(path, compression=compression, metadata=None).read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    try:
        movie = TiffFile(path)
    except UnreadableFileError:
        return
    # only texts after the last scan are missing
    np.testing.assert_array_equal([movie.scan(number) for number in range(7)], SCANS)
    movie.close()


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_half_a_movie_is_refused(tmp_path: Path, compression: str | None, share: float) -> None:
    path = written(tmp_path / "m.tif", compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableFileError, match=r"m\.tif"):
        TiffFile(path)


def test_a_scan_whose_data_are_damaged_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "m.tif", compression="zlib")
    with tifffile.TiffFile(path) as reader:
        start = reader.pages[4].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    movie = TiffFile(path)
    with pytest.raises(UnreadableFileError, match="page 4 cannot be unpacked"):
        movie.scan(4)
    movie.close()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_an_image_j_stack_with_one_directory_gives_all_its_images(
    tmp_path: Path, byteorder: str
) -> None:
    path = tmp_path / "stack.tif"
    options: dict[str, Any] = {"imagej": True, "truncate": True, "byteorder": byteorder}
    tifffile.imwrite(path, SCANS, metadata={"axes": "TYX"}, **options)
    movie = TiffFile(path)
    assert movie.shape == (7, 12, 10)
    np.testing.assert_array_equal([movie.scan(k) for k in range(7)], SCANS)
    movie.close()
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UnreadableFileError, match="7 images, cut off by 2 bytes"):
        TiffFile(path)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}], ids=str)
def test_images_of_alternating_channels_are_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, SCANS[:6].reshape(3, 2, 12, 10), metadata={"axes": "TCYX"}, **options)
    with pytest.raises(MovieFileError, match="images alternate: save each channel"):
        TiffFile(path)


def test_a_classic_file_of_scan_image_has_the_pages_of_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, scan in enumerate(SCANS):
            text = f"frameNumbers = {number + 1}\nframeTimestamps_sec = {number / 25}\n"
            writer.write(scan, description=text * (1 + number), software=MODERN, metadata=None)
    movie = TiffFile(path)
    np.testing.assert_array_equal([movie.scan(k) for k in range(7)], SCANS)
    assert movie.scanimage_rates_hz() == pytest.approx([30, 25])
    movie.close()


MODERN = "SI.VERSION_MAJOR = 2021\nSI.hRoiManager.scanFrameRate = 30\n"
