"""Scanbox's memory-mapped file: inverted columns, frames marked as read, the end."""

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.scanbox_mmap import ScanboxDecoder, ScanboxLink, scanbox_mmap
from rtdecode.schema.config.acquisition import ScanboxMmapSource
from rtdecode.schema.errors import StreamError

PIXELS = np.random.default_rng(0).integers(0, 65536, (3, 5)).astype(np.uint16)


def frame(counter: int, pixels: np.ndarray = PIXELS, planes: int = 0) -> bytes:
    header = struct.pack("<16h", counter, *pixels.shape, 0, planes, *[0] * 11)
    return header + (65535 - pixels.T).astype("<u2").tobytes()


def test_pixels_are_turned_and_inverted_back() -> None:
    scan = next(iter(ScanboxDecoder().feed(frame(9))))
    np.testing.assert_array_equal(scan.pixels, PIXELS)
    assert (scan.counter, scan.plane) == (9, 0)


def test_the_plane_follows_from_the_period() -> None:
    scans = ScanboxDecoder().feed(b"".join(frame(n, planes=3) for n in range(5)))
    assert [scan.plane for scan in scans] == [0, 1, 2, 0, 1]


def test_planes_go_on_when_the_counter_wraps_and_begin_anew_when_it_does() -> None:
    counters = [*range(2**15 - 3, 2**15), *range(4), 0, 1]
    scans = ScanboxDecoder().feed(b"".join(frame(n, planes=3) for n in counters))
    assert [scan.plane for scan in scans] == [2, 0, 1, 2, 0, 1, 2, 0, 1]


@given(data=st.binary(max_size=200))
def test_any_bytes_are_scans_or_refused_by_name(data: bytes) -> None:
    with suppress(StreamError):
        list(ScanboxDecoder().feed(data))


def test_a_frame_is_read_once_and_marked(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "scanbox.mmap"
    path.write_bytes(frame(4) + bytes(100))
    link = ScanboxLink(path, clock=clock)
    assert link.read(clock.now_ns()) == frame(4)
    assert struct.unpack("<h", path.read_bytes()[:2]) == (-1,)
    assert link.read(clock.now_ns() + 10_000_000) == b""
    link.close()


def test_when_scanbox_stops_the_source_is_at_its_end(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "scanbox.mmap"
    path.write_bytes(struct.pack("<h", -2) + bytes(100))
    source = scanbox_mmap(ScanboxMmapSource(path=path), clock)
    assert source.measured_until(clock.now_ns()) == []
    assert source.ended
    source.close()


def test_an_image_larger_than_the_file_is_refused(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "scanbox.mmap"
    path.write_bytes(struct.pack("<16h", 1, 512, 796, *[0] * 13) + bytes(100))
    link = ScanboxLink(path, clock=clock)
    with pytest.raises(StreamError, match="512 lines x 796 columns"):
        link.read(clock.now_ns())
    link.close()


@pytest.mark.shared
def test_the_size_of_a_real_recording_fits(shared_folder: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    path = shared_folder / "data" / "vendor" / "Scanbox" / "sample.mat"
    info = scipy_io.loadmat(path, squeeze_me=True, struct_as_record=False)["info"]
    pixels = np.zeros(tuple(map(int, info.sz)), np.uint16)
    scan = next(iter(ScanboxDecoder().feed(frame(0, pixels))))
    assert scan.pixels.shape == (512, 796)
