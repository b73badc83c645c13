"""ScanImage's stream: independent of cuts, invalid bytes refused, planes and flyback assigned."""

import json
import struct
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.intake import DecodedScan
from acquisition_bridge.sources.scanimage_tcp import ScanImageDecoder
from rtdecode.schema.errors import StreamError

RNG = np.random.default_rng(0)


def message(code: int, body: bytes | dict[str, Any] = b"") -> bytes:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    return struct.pack("<qq", code, len(data)) + data


def frame(number: int, pixels: np.ndarray | None = None, **header: Any) -> bytes:
    pixels = np.full((3, 5), number, np.int16) if pixels is None else pixels
    rows, cols = pixels.shape
    said = {"frame_number": number, "frame_width": cols, "frame_height": rows} | header
    return message(20, said) + message(30, pixels.T.astype("<i2").tobytes())


def decoded(data: bytes) -> list[DecodedScan]:
    return list(ScanImageDecoder().feed(data))


def test_pixels_are_turned_from_columns_to_rows() -> None:
    pixels = RNG.integers(-3000, 3000, (3, 5)).astype(np.int16)
    scan = decoded(frame(4, pixels, last_frame_time_stamp=1.25))[0]
    np.testing.assert_array_equal(scan.pixels, pixels)
    assert (scan.counter, scan.t_source_ns) == (3, 1_250_000_000)


STREAM = (
    message(10, {"acquisition_mode": "grab", "stack_num_slices": 1})
    + b"".join(frame(n, RNG.integers(-99, 99, (3, 5)).astype(np.int16)) for n in (1, 2, 3))
    + message(40)
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_scans(cuts: list[int]) -> None:
    decoder, scans = ScanImageDecoder(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for first, end in pairwise(edges):
        scans += decoder.feed(STREAM[first:end])
    for one, other in zip(scans, decoded(STREAM), strict=True):
        assert one.counter == other.counter
        np.testing.assert_array_equal(one.pixels, other.pixels)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_scans_or_refused_by_name(data: bytes) -> None:
    with suppress(StreamError):
        decoded(data)


@given(place=st.integers(0, len(STREAM) - 1), value=st.integers(0, 255))
def test_a_changed_byte_never_does_worse(place: int, value: int) -> None:
    with suppress(StreamError):
        decoded(STREAM[:place] + bytes([value]) + STREAM[place + 1 :])


def test_planes_are_assigned_and_flyback_is_left_out() -> None:
    said = {"stack_num_slices": 3, "stack_num_frames_per_slice": 1}
    begin = message(10, said | {"stack_num_frames_per_volume": 4, "acquisition_mode": "grab"})
    scans = decoded(begin + b"".join(frame(n) for n in range(1, 9)))
    assert [scan.plane for scan in scans] == [0, 1, 2, 0, 1, 2]
    assert [scan.counter for scan in scans] == list(range(6))
    assert [scan.counter_restarted for scan in scans] == [True] + [False] * 5


def test_frames_after_the_end_are_left_out_until_the_next_beginning() -> None:
    data = frame(1) + message(40) + frame(2) + message(10, {}) + frame(1)
    scans = decoded(data)
    assert [(scan.counter, scan.counter_restarted) for scan in scans] == [(0, False), (0, True)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (message(11), "code 11"),
        (struct.pack("<qq", 30, 1 << 40), "code 30"),
        (struct.pack("<qq", 20, -1), "-1 bytes"),
        (message(30, b"12"), "without a frame header"),
        (message(20, b"{nonsense"), "no JSON"),
        (message(20, b"[1]"), "not a map"),
        (message(20, {"frame_number": 1}) + message(30, b""), "frame_height"),
        (frame(1, frame_width=6), "6"),
        (frame(0), "frame_number is 0"),
        (frame(1, timestamp="noon"), "noon"),
        (message(10, {"channels_data_type": "double"}), "double"),
    ],
)
def test_what_cannot_be_is_named(data: bytes, says: str) -> None:
    with pytest.raises(StreamError, match=says):
        decoded(data)
