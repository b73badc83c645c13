"""Frames are interpolated between two samples of each neuron, or are invalid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.calcium.resample import Resampler, ScanActivity

PHASE = np.array([0.0, 0.5, 1.0], np.float32)


def scan(number: int, *, period_s: float = 0.125, ramp: float = 1.0) -> ScanActivity:
    """Activity is `ramp` times the moment at which each neuron was seen, in seconds."""
    start, end = number * period_s, (number + 0.9) * period_s
    seen = start + PHASE * (end - start)
    return ScanActivity(
        number, round(start * 1e9), round(end * 1e9), (ramp * seen).astype(np.float32), PHASE > -1
    )


def test_a_ramp_comes_out_as_a_ramp_whatever_the_neurons_phase() -> None:
    resampler = Resampler(PHASE, frame_rate_hz=30)
    frames = [frame for n in range(20) for frame in resampler.frames(scan(n))]
    numbers = [frame for frame, *_ in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for frame, activity, valid in frames[8:]:
        assert valid.all()
        np.testing.assert_allclose(activity, frame / 30, atol=1e-4)


def test_frames_beside_a_lost_scan_are_invalid_and_all_there() -> None:
    resampler = Resampler(PHASE, frame_rate_hz=30)
    frames = [f for n in range(20) if n != 10 for f in resampler.frames(scan(n))]
    numbers = [frame for frame, *_ in frames]
    assert np.diff(numbers).tolist() == [1] * (len(numbers) - 1)
    first = {frame: bool(valid[0]) for frame, _, valid in frames}
    gap = [k for k in first if 9 * 0.125 < k / 30 < 11 * 0.125]
    assert not any(first[k] for k in gap)
    assert all(first[k] for k in first if k / 30 > 11.01 * 0.125)


@given(cut=st.integers(2, 18))
def test_later_scans_change_no_frame_that_is_out(cut: int) -> None:
    resamplers = [Resampler(PHASE, frame_rate_hz=30) for _ in "ab"]
    for n in range(20):
        frames = [
            list(resampler.frames(scan(n, ramp=ramp if n >= cut else 1.0)))
            for resampler, ramp in zip(resamplers, (1.0, 7.0), strict=True)
        ]
        if n < cut:
            for (k, a, v), (m, b, w) in zip(*frames, strict=True):
                assert k == m
                np.testing.assert_array_equal(a, b)
                np.testing.assert_array_equal(v, w)


def test_after_a_long_stop_the_frame_number_jumps() -> None:
    resampler = Resampler(PHASE, frame_rate_hz=30)
    before = [k for n in range(5) for k, *_ in resampler.frames(scan(n))]
    after = [k for n in range(1000, 1005) for k, *_ in resampler.frames(scan(n))]
    assert after[0] - before[-1] > 300
    assert len(after) < 20
