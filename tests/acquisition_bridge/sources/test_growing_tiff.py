"""Growing TIFFs: complete pages only, once each, across files, never in a cycle."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.growing_tiff import GrowingTiff, TiffRow
from rtdecode.schema.errors import MovieFileError, StreamError

SCANS = np.random.default_rng(0).integers(0, 4000, (8, 6, 8)).astype(np.uint16)


def written(path: Path, pages: int, first: int = 0, *, head: str = "", numbered: int = 0) -> None:
    """Pages of an acquisition; `head` is the text of its header, `numbered` its first frame."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for k, scan in enumerate(SCANS[first : first + pages], numbered or first):
            text = head and f"frameNumbers = {k + 1}\nframeTimestamps_sec = {k / 30}\n{head}"
            writer.write(scan, description=text, metadata=None, contiguous=False)


HEAD = "epoch = [2024 1 1 10 0 0.5]\n"


def test_the_next_file_is_opened_when_it_is_there(tmp_path: Path) -> None:
    row = TiffRow(tmp_path / "scan_00009.tif")
    assert row.page() is None
    written(tmp_path / "scan_00009.tif", 3, head=HEAD)
    pages = [row.page() for _ in range(4)]
    assert pages[3] is None
    written(tmp_path / "scan_00010.tif", 2, first=3, head=HEAD)
    pages = [page for page in (*pages, row.page(), row.page(), row.page()) if page is not None]
    np.testing.assert_array_equal([page.pixels for page in pages], SCANS[:5])
    assert row.files == 2
    row.close()


def test_a_name_without_a_number_is_one_file(tmp_path: Path) -> None:
    written(tmp_path / "movie.tif", 1)
    row = TiffRow(tmp_path / "movie.tif")
    assert row.page() is not None
    assert row.page() is None
    row.close()


def test_pages_in_a_cycle_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "scan_00001.tif", 2)
    with tifffile.TiffFile(tmp_path / "scan_00001.tif") as reader:
        first, second = (page.offset for page in reader.pages)
    data = bytearray((tmp_path / "scan_00001.tif").read_bytes())
    at = data.index(second.to_bytes(8, "little"), first)
    data[at : at + 8] = first.to_bytes(8, "little")
    (tmp_path / "scan_00001.tif").write_bytes(data)
    tiff = GrowingTiff(tmp_path / "scan_00001.tif")
    assert tiff.page() is not None
    with pytest.raises(StreamError, match="points back"):
        tiff.page()
    tiff.close()


def test_a_page_is_given_only_once_it_is_complete(tmp_path: Path) -> None:
    written(tmp_path / "scan_00001.tif", 2)
    data = (tmp_path / "scan_00001.tif").read_bytes()
    growing = tmp_path / "growing.tif"
    growing.touch()
    tiff, given = GrowingTiff(growing), 0
    for size in range(0, len(data), 50):
        growing.write_bytes(data[:size])
        given += tiff.page() is not None
    growing.write_bytes(data)
    given += tiff.page() is not None
    given += tiff.page() is not None
    assert given == 2
    tiff.close()


@pytest.mark.parametrize(
    ("heads", "numbered"),
    [
        (("", ""), 3),
        ((HEAD, "epoch = [2024 1 2 10 0 0.5]\n"), 3),
        ((HEAD, HEAD), 1),
        ((HEAD, ""), 3),
    ],
    ids=["no header", "another start", "frame numbers from 1", "one header"],
)
def test_the_next_file_of_another_recording_is_not_read(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    heads: tuple[str, str],
    numbered: int,
) -> None:
    written(tmp_path / "day3.tif", 3, head=heads[0])
    written(tmp_path / "day4.tif", 3, 3, head=heads[1], numbered=numbered)
    row = TiffRow(tmp_path / "day3.tif")
    pages = [row.page() for _ in range(6)]
    assert [page is None for page in pages] == [False] * 3 + [True] * 3
    assert caplog.text.count("day4.tif is not read") == 1
    assert (row.files, row.not_joined, row.cut_off) == (1, 1, 0)
    row.close()


def test_an_image_j_stack_with_one_directory_gives_all_its_images(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, SCANS, imagej=True, truncate=True, metadata={"axes": "TYX"})
    row = TiffRow(path)
    pages = [page.pixels for page in iter(row.page, None)]
    np.testing.assert_array_equal(pages, SCANS)
    row.close()
    path.write_bytes(path.read_bytes()[:-1])
    file = GrowingTiff(path)
    assert (len(list(iter(file.page, None))), file.is_cut_off) == (7, True)
    file.close()


@pytest.mark.parametrize("axes", ["TZYX", "TCYX"])
def test_image_j_stacks_with_alternating_images_are_refused(tmp_path: Path, axes: str) -> None:
    scans = SCANS.reshape(4, 2, *SCANS.shape[1:])
    tifffile.imwrite(tmp_path / "stack.tif", scans, imagej=True, metadata={"axes": axes})
    file = GrowingTiff(tmp_path / "stack.tif")
    with pytest.raises(StreamError, match=r"stack\.tif.*ImageJ stack with several"):
        file.page()
    file.close()


def test_a_classic_file_above_4_gb_is_named_as_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "scan_00001.tif"
    tifffile.imwrite(path, SCANS[:2], photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as reader:
        first, second = (page.offset for page in reader.pages)
    data = bytearray(path.read_bytes())
    count = struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, second + 2 + 12 * count, first)  # the offset wrapped around
    path.write_bytes(data)
    with path.open("r+b") as writer:
        writer.truncate(1 << 32)
    file = GrowingTiff(path)
    with pytest.raises(MovieFileError, match=r"a classic TIFF ends at 4 GB.*BigTIFF"):
        list(iter(file.page, None))
    file.close()


def test_files_of_one_page_each_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "image_001.tif", 1)
    written(tmp_path / "image_002.tif", 1)
    row = TiffRow(tmp_path / "image_001.tif")
    assert row.page() is not None
    with pytest.raises(MovieFileError, match=r"single page, and image_002\.tif lies beside it"):
        row.page()
    row.close()
