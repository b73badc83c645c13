"""Twelve successive values of the patch identify the frame."""

from collections import Counter
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.errors import PatchWordError
from rtdecode.schema.patch_code import PERIOD, STAGES, frame_number, is_white

CODED = [is_white(number, PatchCode.CODED) for number in range(PERIOD)]


@given(first=st.integers(0, 10**9), length=st.integers(STAGES, 40))
def test_successive_values_give_the_number_of_their_first_frame(first: int, length: int) -> None:
    values = [is_white(first + place, PatchCode.CODED) for place in range(length)]
    assert frame_number(values) == first % PERIOD


def test_each_word_but_black_alone_occurs_once_in_a_period() -> None:
    twice = CODED + CODED
    words = Counter(tuple(twice[first : first + STAGES]) for first in range(PERIOD))
    assert set(words.values()) == {1}
    assert len(words) == 2**STAGES - 1
    assert (False,) * STAGES not in words


def test_the_sequence_has_the_autocorrelation_of_noise() -> None:
    signs = np.where(CODED, 1, -1)
    products = [int(signs @ np.roll(signs, shift)) for shift in range(PERIOD)]
    assert products == [PERIOD] + [-1] * (PERIOD - 1)


def test_no_run_is_longer_than_twelve_frames() -> None:
    assert max(len(list(run)) for _, run in groupby(CODED + CODED)) == STAGES


@pytest.mark.parametrize(
    "values", [[], CODED[:11], [False] * 12, [*CODED[:12], not CODED[12]]], ids=len
)
def test_values_that_no_frames_have_are_refused(values: list[bool]) -> None:
    with pytest.raises(PatchWordError, match=r"at least 12 successive frames"):
        frame_number(values)
