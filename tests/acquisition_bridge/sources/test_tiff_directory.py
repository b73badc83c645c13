"""Pages of growing TIFFs: as tifffile wrote them, None while incomplete, other formats named."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.tiff_directory import TiffPage, tiff_format, tiff_page
from rtdecode.schema.errors import StreamError

SCANS = np.random.default_rng(0).integers(0, 4000, (4, 12, 10)).astype(np.uint16)


def written(path: Path, scans: np.ndarray = SCANS, **options: Any) -> bytes:
    options = {"metadata": None, "photometric": "minisblack", "software": "rig"} | options
    tifffile.imwrite(path, scans, description="page", **options)
    return path.read_bytes()


def pages(data: bytes) -> list[TiffPage]:
    """Every complete page at the front of `data`."""

    def read_at(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    found: list[TiffPage] = []
    form = tiff_format(read_at)
    following = 0 if form is None else form.first_page
    while form is not None and following and len(found) < len(SCANS):
        page = tiff_page(read_at, form, following)
        if page is None:
            break
        found.append(page)
        following = page.next_page
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"rowsperstrip": 5},
        {"bigtiff": True, "byteorder": ">"},
        {"compression": "lzw", "rowsperstrip": 5},
        {"compression": "zlib", "predictor": True},
        {"compression": "zstd", "byteorder": ">", "predictor": True},
        {"compression": "packbits"},
    ],
    ids=str,
)
def test_pages_are_read_as_tifffile_wrote_them(tmp_path: Path, options: dict[str, Any]) -> None:
    found = pages(written(tmp_path / "m.tif", **options))
    np.testing.assert_array_equal([page.pixels for page in found], SCANS)
    assert (found[0].description, found[0].software) == ("page", "rig")
    assert found[-1].next_page == 0


def test_signed_counts_keep_their_sign(tmp_path: Path) -> None:
    scans = SCANS.astype(np.int16) - 2000
    found = pages(written(tmp_path / "m.tif", scans))
    assert found[0].pixels.dtype.name == "int16"
    np.testing.assert_array_equal(found[3].pixels, scans[3])


@given(share=st.floats(0, 1), big=st.booleans(), compression=st.sampled_from([None, "lzw", "zlib"]))
def test_what_is_there_of_a_growing_file_is_read(
    tmp_path_factory: pytest.TempPathFactory, share: float, big: bool, compression: str | None
) -> None:
    path = tmp_path_factory.mktemp("grow") / "m.tif"
    data = written(path, bigtiff=big, compression=compression)
    found = pages(data[: int(share * len(data))])
    for page, scan in zip(found, SCANS, strict=False):
        np.testing.assert_array_equal(page.pixels, scan)
    assert len(found) == 4 or share < 1


@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    compression=st.sampled_from([None, "lzw", "zlib", "zstd", "packbits"]),
)
def test_changed_bytes_are_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int]],
    compression: str | None,
) -> None:
    path = tmp_path_factory.mktemp("broken") / "m.tif"
    data = bytearray(written(path, compression=compression))
    for place, value in changes:
        data[place] = value
    with suppress(StreamError):
        pages(bytes(data))


@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    with suppress(StreamError):
        pages(b"II*\0" + data)


@pytest.mark.parametrize(
    ("scans", "options", "says"),
    [
        (SCANS, {"compression": "lzma"}, "without compression"),
        (SCANS.astype(np.float32), {}, "not 16-bit counts"),
        (SCANS.astype(np.uint8), {}, "not 16-bit counts"),
    ],
)
def test_what_no_microscope_writes_is_named(
    tmp_path: Path, scans: np.ndarray, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(StreamError, match=says):
        pages(written(tmp_path / "m.tif", scans, **options))


def test_what_is_no_tiff_is_named() -> None:
    with pytest.raises(StreamError, match="no TIFF"):
        pages(b"PNG, or so it seems")
