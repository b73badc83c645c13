"""Neurons that are stuck are left out after a while, and come back after they have recovered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.decode.stuck_neurons import (
    RECOVERY_SCANS,
    SILENT_SCANS,
    STUCK_SCANS,
    StuckNeurons,
    usable,
)

NEURONS = 10


def varying(scans: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=(scans, NEURONS)).astype(np.float32)


def left_out(activity: np.ndarray) -> np.ndarray:
    stuck_neurons, measured = StuckNeurons(neurons=NEURONS), np.ones(NEURONS, np.bool_)
    return np.array([stuck_neurons.update(scan, measured) for scan in activity])


@given(value=st.floats(-1e6, 1e6, width=32).filter(lambda value: value != 0))
def test_a_constant_neuron_is_left_out_and_the_others_are_not(value: float) -> None:
    activity = varying(30)
    activity[5:, 3] = value
    out = left_out(activity)
    assert not np.delete(out, 3, axis=1).any()
    assert np.flatnonzero(out[:, 3]).tolist() == list(range(4 + STUCK_SCANS, 30))


def test_it_comes_back_after_it_has_varied_for_a_while() -> None:
    activity = varying(60)
    activity[:20, 3] = 7
    out = left_out(activity)[:, 3]
    assert out[STUCK_SCANS - 1 : 19 + RECOVERY_SCANS].all()
    assert not out[19 + RECOVERY_SCANS :].any()


def test_silence_is_left_out_only_after_a_minute_of_scans() -> None:
    activity = varying(SILENT_SCANS + 1)
    activity[:, 3] = 0
    out = left_out(activity)[:, 3]
    assert np.flatnonzero(out).tolist() == [SILENT_SCANS - 1, SILENT_SCANS]


def test_where_all_neurons_stand_still_none_is_left_out() -> None:
    assert not left_out(np.ones((40, NEURONS), np.float32)).any()


def test_a_saturated_neuron_is_left_out_also_where_many_others_are_silent() -> None:
    activity = varying(SILENT_SCANS + 20)
    activity[:, :5], activity[:, 7] = 0, 9
    out = left_out(activity)
    assert out[STUCK_SCANS - 1 :, 7].all()
    assert not np.delete(out, 7, axis=1).any()


def test_values_at_the_limit_of_float32_are_compared_without_a_warning() -> None:
    activity = varying(20)
    activity[:, 3] = 3e38 * (-1) ** np.arange(20)
    assert not left_out(activity).any()


def test_scans_without_a_measurement_do_not_count() -> None:
    stuck_neurons, activity = StuckNeurons(neurons=NEURONS), varying(40)
    activity[:, 3] = 5
    measured = np.ones(NEURONS, np.bool_)
    for scan in activity:
        out = stuck_neurons.update(scan, measured & (np.arange(NEURONS) != 3))
    assert not out.any()


@pytest.mark.parametrize("value", [5.0, np.nan, np.inf])
def test_of_a_whole_trial_the_stuck_scans_are_not_usable(value: float) -> None:
    activity = varying(40)
    activity[10:30, 3] = value
    kept = usable(activity, np.ones(activity.shape, np.bool_))
    assert not kept[10:30, 3].any()
    assert kept[:10].all()
    assert np.delete(kept, 3, axis=1).all()
