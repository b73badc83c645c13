"""Counts are 16-bit little-endian with unchanged values."""

import numpy as np
import pytest

from acquisition_bridge.sources.contract import as_counts


@pytest.mark.parametrize(("given", "sent"), [("u1", "<u2"), (">u2", "<u2"), (">i2", "<i2")])
def test_values_stay_and_the_type_is_what_travels(given: str, sent: str) -> None:
    pixels = np.arange(12, dtype=given).reshape(3, 4)
    assert as_counts(pixels).dtype.str == sent
    np.testing.assert_array_equal(as_counts(pixels), pixels)
    assert as_counts(pixels[:, ::2]).flags.c_contiguous
