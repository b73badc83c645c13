"""PrairieView's samples: offset, samples per pixel, channels, reversed lines, partial scans."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.prairie import PrairieDecoder, prairie_raw
from rtdecode.schema.config.acquisition import PrairieRawSource
from rtdecode.schema.errors import SettingMissingError

CONFIG = PrairieRawSource(
    rows_px=2, cols_px=3, samples_per_pixel=2, channels=2, channel=1, resonant=True
)


def decoded(data: bytes, config: PrairieRawSource = CONFIG) -> np.ndarray:
    return np.array([scan.pixels for scan in PrairieDecoder(config).feed(data)])


def test_one_scan_by_hand() -> None:
    # each pixel: two samples of two channels; channel 1 holds 8192 + value and 8192 + value + 2
    values = np.array([[10, 20, 30], [60, 50, 40]])
    samples = np.zeros((2, 3, 2, 2), "<u2")
    samples[..., 0, 1], samples[..., 1, 1] = 8192 + values, 8192 + values + 2
    # the second line was scanned backwards
    np.testing.assert_array_equal(decoded(samples.tobytes()), [[[11, 21, 31], [41, 51, 61]]])


def test_values_below_the_offset_and_beyond_16_bits_are_kept_in_range() -> None:
    config = PrairieRawSource(rows_px=1, cols_px=3)
    data = np.array([8000, 8192, 65535], "<u2").tobytes()
    np.testing.assert_array_equal(decoded(data, config), [[[-192, 0, 32767]]])


STREAM = np.random.default_rng(0).integers(0, 16384, 4 * 24).astype("<u2").tobytes()


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_any_cut_gives_the_same_scans(cuts: list[int]) -> None:
    decoder, scans = PrairieDecoder(CONFIG), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for first, end in pairwise(edges):
        scans += decoder.feed(STREAM[first:end])
    np.testing.assert_array_equal([scan.pixels for scan in scans], decoded(STREAM))
    assert [scan.counter for scan in scans] == [0, 1, 2, 3]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_samples(data: bytes) -> None:
    assert len(decoded(data)) == len(data) // 48


def test_a_channel_that_is_not_streamed_is_named(clock: Any) -> None:
    with pytest.raises(SettingMissingError, match="channel below 1"):
        prairie_raw(PrairieRawSource(rows_px=2, cols_px=3, channel=1), clock)
