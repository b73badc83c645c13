"""Fluorescence becomes dF/F over a known baseline, and activity that is final after the lag."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.resample import ScanActivity
from rtdecode.schema.config.calcium import Activity, CalciumConfig

RATE_HZ, NEURONS = 15.0, 3
PLAIN = np.ones(NEURONS, np.float32)
CALIBRATION = Calibration(
    reference_counts=np.zeros((2, 2), np.float32),
    scan_rate_hz=RATE_HZ,
    baseline_counts=65 * PLAIN,
    neuropil_counts=50 * PLAIN,
    noise=0.02 * PLAIN,
    decay_tau_s=0.7 * PLAIN,
    activity_quantiles=np.zeros((NEURONS, 5), np.float32),
    activity_mean=PLAIN,
    activity_sd=PLAIN,
)
EVERYWHERE = np.ones(NEURONS, bool)
GLOW = 50 * PLAIN


def estimator(activity: Activity = Activity.OASIS, *, lag: int = 2) -> ActivityEstimator:
    config = CalciumConfig(
        activity=activity, deconvolution_lag_scans=lag, neuropil_weight=0.7, sparsity=0.0
    )
    return ActivityEstimator(config, calibration=CALIBRATION)


def run(reading: ActivityEstimator, trace: np.ndarray, *, first: int = 0) -> list[ScanActivity]:
    """What comes of (scan, neuron) dF/F."""
    return [
        done
        for scan, row in enumerate(trace.astype(np.float32), start=first)
        for done in reading.activities(row, EVERYWHERE, scan=scan, t_start_ns=scan, t_end_ns=scan)
    ]


def transient(at: int = 20, *, size: float = 0.6, scans: int = 60) -> np.ndarray:
    """(scan, neuron) dF/F of which neuron 1 fires once."""
    trace = np.zeros((scans, NEURONS))
    trace[at:, 1] = size * np.exp(-np.arange(scans - at) / (0.7 * RATE_HZ))
    return trace


def test_dff_is_the_change_over_resting_fluorescence_with_neuropil() -> None:
    # 65 of the cell and 0.7 * 50 of the neuropil are resting: 100 counts in all.
    dff = estimator().dff(np.array([65, 85, 55], np.float32), GLOW, EVERYWHERE)
    np.testing.assert_allclose(dff, [0, 0.2, -0.1], atol=1e-6)


def test_a_dark_cell_has_a_bounded_dff() -> None:
    dark = replace(CALIBRATION, baseline_counts=np.array([65, 65, -34.99], np.float32))
    reading = ActivityEstimator(CalciumConfig(neuropil_weight=0.7), calibration=dark)
    dff = reading.dff(np.array([65, 65, -24.99], np.float32), GLOW, EVERYWHERE)
    # 10 counts more than at rest, over 5 % of the median neuron's 100
    assert dff[2] == pytest.approx(2.0)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_a_scan_is_final_after_the_lag_and_comes_once(lag: int) -> None:
    done = run(estimator(lag=lag), transient())
    assert [one.scan for one in done] == list(range(60 - lag))
    assert [one.t_start_ns for one in done] == [one.scan for one in done]


def test_a_jump_is_activity_per_second_in_its_own_scan() -> None:
    for activity in (Activity.OASIS, Activity.EVENTS):
        done = run(estimator(activity), transient())
        table = np.array([one.activity for one in done])
        assert np.flatnonzero(table[:, 1] > 1e-3).tolist() == [20]
        assert table[20, 1] == pytest.approx(0.6 * RATE_HZ, rel=1e-3)
        assert not table[:, [0, 2]].any()


@pytest.mark.parametrize(("rate_hz", "rise_tau_s"), [(15.0, 0.0), (30.0, 0.04)])
def test_a_calibration_without_a_rise_has_that_of_the_config_where_scans_resolve_it(
    rate_hz: float, rise_tau_s: float
) -> None:
    old = replace(CALIBRATION, scan_rate_hz=rate_hz)
    new = replace(old, rise_tau_s=np.float32(rise_tau_s) * PLAIN)
    config = CalciumConfig(rise_tau_s=0.04)
    one, other = (run(ActivityEstimator(config, calibration=c), transient()) for c in (old, new))
    assert [done.activity.tolist() for done in one] == [done.activity.tolist() for done in other]


def test_dff_as_it_is_has_no_lag_and_no_unit() -> None:
    trace = transient() - 0.1
    done = run(estimator(Activity.DFF), trace)
    np.testing.assert_allclose([one.activity for one in done], trace, atol=1e-6)


@settings(max_examples=20)
@given(
    activity=st.sampled_from(Activity),
    cuts=st.sets(st.integers(1, 39), max_size=5),
    seed=st.integers(0, 5),
)
def test_any_cut_gives_the_same_and_the_future_changes_nothing(
    activity: Activity, cuts: set[int], seed: int
) -> None:
    trace = np.random.default_rng(seed).normal(0, 0.3, (40, NEURONS))
    whole = [one.activity.tolist() for one in run(estimator(activity), trace)]
    reading, edges = estimator(activity), [0, *sorted(cuts), 40]
    pieces = [run(reading, trace[a:b], first=a) for a, b in pairwise(edges)]
    assert [one.activity.tolist() for piece in pieces for one in piece] == whole
    cut = max(cuts, default=20)
    other = np.concatenate([trace[:cut], trace[cut:] + 5])
    known = len(run(estimator(activity), trace[:cut]))
    assert [one.activity.tolist() for one in run(estimator(activity), other)][:known] == whole[
        :known
    ]


def test_a_neuron_that_was_not_measured_is_invalid() -> None:
    reading, seen = estimator(lag=0), np.array([True, False, True])
    (done,) = reading.activities(PLAIN * 0, seen, scan=0, t_start_ns=0, t_end_ns=0)
    assert done.measured.tolist() == [True, False, True]
