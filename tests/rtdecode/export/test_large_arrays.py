"""Rows that are written block by block are the rows that were put, in whatever order they came."""

from io import BytesIO

import h5py
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.export.large_arrays import BlockWriter, block_rows


@given(
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=60),
    block=st.integers(1, 50),
)
@settings(max_examples=30)
def test_rows_lie_where_they_were_put(rows: list[int], block: int) -> None:
    expected = np.full((41, 3), np.nan, np.float32)
    with h5py.File(BytesIO(), "w") as file:
        data = file.create_dataset(
            "x", expected.shape, np.float32, chunks=(block, 3), maxshape=(None, 3), fillvalue=np.nan
        )
        writer = BlockWriter(data)
        for number, row in enumerate(rows):
            writer.put(row, np.full(3, number))
            expected[row] = number
        writer.flush()
        np.testing.assert_array_equal(data[:], expected)


def test_a_block_has_about_a_megabyte() -> None:
    assert block_rows((36, 64), dtype=np.float32, rows=10_000) == 1_000_000 // (36 * 64 * 4)
    assert block_rows((36, 64), dtype=np.float32, rows=50) == 50
    assert block_rows((4000, 4000), dtype=np.float32, rows=50) == 1
