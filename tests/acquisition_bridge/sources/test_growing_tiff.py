"""Growing TIFFs: complete pages only, once each, across files, never in a cycle."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.growing_tiff import GrowingTiff, TiffRow
from rtdecode.schema.errors import StreamError

SCANS = np.random.default_rng(0).integers(0, 4000, (8, 6, 8)).astype(np.uint16)


def written(path: Path, pages: int, first: int = 0) -> None:
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for scan in SCANS[first : first + pages]:
            writer.write(scan, metadata=None, contiguous=False)


def test_the_next_file_is_opened_when_it_is_there(tmp_path: Path) -> None:
    row = TiffRow(tmp_path / "scan_00009.tif")
    assert row.page() is None
    written(tmp_path / "scan_00009.tif", 3)
    pages = [row.page() for _ in range(4)]
    assert pages[3] is None
    written(tmp_path / "scan_00010.tif", 2, first=3)
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
