"""The activity strip shows group means over measured neurons only."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.view.packets import ActivityStrip


@given(neurons=st.integers(1, 3000), seed=st.integers(0, 9))
def test_a_column_has_a_value_for_each_group(neurons: int, seed: int) -> None:
    activity = np.random.default_rng(seed).gamma(1, 1, neurons).astype(np.float32)
    column = ActivityStrip().column(activity, np.ones(neurons, bool))
    assert column.size == min(96, neurons)
    assert column.max() == 255


def test_the_brightest_group_is_the_most_active_one() -> None:
    activity = np.zeros(960, np.float32)
    activity[300:310] = 5.0
    assert np.argmax(ActivityStrip().column(activity, np.ones(960, bool))) == 30


def test_neurons_without_a_measurement_do_not_count() -> None:
    activity = np.full(192, 1.0, np.float32)
    activity[0] = 1000.0
    valid = np.arange(192) != 0
    valid[2:4] = False
    column = ActivityStrip().column(activity, valid)
    assert column[0] == 255
    assert column[1] == 0


def test_no_neurons_are_an_empty_column() -> None:
    assert ActivityStrip().column(np.zeros(0, np.float32), np.zeros(0, bool)).size == 0
