"""Headerless files: scans by position, files of another size refused."""

from pathlib import Path

import numpy as np
import pytest

from acquisition_bridge.sources.movie_files import HeaderlessFile
from rtdecode.schema.errors import UnreadableFileError

SCANS = np.random.default_rng(0).integers(0, 65536, (5, 6, 4)).astype("<u2")


def test_scans_are_read_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "m.raw"
    SCANS.tofile(path)
    movie = HeaderlessFile(path, rows_px=6, cols_px=4, dtype="uint16")
    assert movie.shape == (5, 6, 4)
    for number in (4, 0, 2):
        np.testing.assert_array_equal(movie.scan(number), SCANS[number])
    movie.close()


@pytest.mark.parametrize("size", [0, 1, 47, 49, 5 * 48 - 1])
def test_a_part_of_a_scan_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m.raw"
    path.write_bytes(bytes(size))
    with pytest.raises(UnreadableFileError, match=rf"48 bytes each, got {size} bytes"):
        HeaderlessFile(path, rows_px=6, cols_px=4)


def test_without_the_size_of_a_scan_it_says_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "m.raw"
    SCANS.tofile(path)
    with pytest.raises(UnreadableFileError, match="rows_px and cols_px"):
        HeaderlessFile(path, rows_px=None, cols_px=4)
