"""Moments that are added up give the correlation of the videos themselves at every shift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.shift_moments import ShiftMoments, best_shift, r_at_shifts


@given(seed=st.integers(0, 99), missing=st.sets(st.integers(0, 19), max_size=8))
def test_summed_moments_are_numpys_correlation_at_every_shift(seed: int, missing: set[int]) -> None:
    shown, decoded = np.random.default_rng(seed).uniform(0, 255, (2, 20, 15))
    frames = [k for k in range(20) if k not in missing]
    moments = ShiftMoments(3)
    summed = sum(moments.add(k, shown=shown[k], decoded=decoded[k]) for k in frames)
    assert isinstance(summed, np.ndarray)
    for shift, r in zip(moments.shifts, r_at_shifts(summed), strict=True):
        both = [k for k in frames if k + shift in frames]
        if both:
            a, b = shown[both].ravel(), decoded[[k + shift for k in both]].ravel()
            assert r == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-4)
        else:
            assert np.isnan(r)


def test_the_peak_between_two_equal_shifts_lies_in_their_middle() -> None:
    r = np.array([0.1, 0.5, 0.5, 0.1])
    assert best_shift(r, np.array([-1, 0, 1, 2])) == pytest.approx(0.5)


def test_a_peak_at_the_edge_is_not_refined() -> None:
    assert best_shift(np.array([0.9, 0.5, 0.1]), np.array([-1, 0, 1])) == -1


def test_nothing_that_correlates_has_no_shift() -> None:
    assert np.isnan(best_shift(np.array([np.nan, -0.2, 0.0]), np.array([-1, 0, 1])))
