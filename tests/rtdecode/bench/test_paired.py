"""Paired differences: what clips share does not widen their interval."""

import numpy as np
import pytest

from rtdecode.bench.paired import (
    difference_over_mice,
    paired_difference,
    paired_ratio,
    ratio_over_mice,
)


def clips(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.9, count)


def test_a_constant_gain_is_known_exactly_although_clips_differ() -> None:
    theirs = clips(12, 0)
    gain = paired_difference(theirs + 0.05, theirs)
    assert gain["mean"] == pytest.approx(0.05)
    assert gain["ci95"] == pytest.approx([0.05, 0.05])
    assert paired_ratio(0.9 * theirs, theirs)["ci95"] == pytest.approx([0.9, 0.9])


def test_the_interval_is_that_of_the_mean_of_differences() -> None:
    rng = np.random.default_rng(1)
    theirs, difference = clips(400, 2), rng.normal(0.1, 0.2, 400)
    low, high = paired_difference(theirs + difference, theirs)["ci95"]
    error = difference.std() / np.sqrt(400)
    assert low == pytest.approx(difference.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(difference.mean() + 1.96 * error, abs=0.2 * error)


def test_mice_count_equally_and_their_number_limits_the_certainty() -> None:
    """Two mice of many equal clips: the interval reaches from one mouse to the other."""
    mice = [(clips(50, 3) + 0.1, clips(50, 3)), (clips(7, 4) + 0.3, clips(7, 4))]
    over = difference_over_mice(mice)
    assert over["mean"] == pytest.approx(0.2)
    assert over["ci95"] == pytest.approx([0.1, 0.3])
    shares = ratio_over_mice([(0.8 * clips(9, 5), clips(9, 5)), (clips(9, 6), clips(9, 6))])
    assert shares["mean"] == pytest.approx(0.9)


def test_clips_without_a_score_are_left_out_of_both() -> None:
    gain = paired_difference([0.5, np.nan, 0.7], [0.4, 0.1, 0.5])
    assert gain["mean"] == pytest.approx(0.15)


def test_other_numbers_of_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="3 clips of one method cannot be paired with 2"):
        paired_difference([0.1, 0.2, 0.3], [0.1, 0.2])
