"""The light delay of a synthetic trace is the known one; other traces are refused in a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.evaluate.photodiode import (
    PatchFlips,
    Trace,
    TraceClock,
    light_delay,
)
from rtdecode.evaluate.trace_edges import TwoLevels
from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.errors import (
    TraceClippedError,
    TraceFlatError,
    TraceRateError,
    TraceTooShortError,
    TraceUnmatchedError,
)
from rtdecode.schema.patch_code import is_white

FRAME_NS = 1e9 / 30
BOOT_NS = 5_000_000_000_000


def flips(*, frames: int = 600, code: PatchCode = PatchCode.CODED, first: int = 0) -> PatchFlips:
    """Frames at 30 Hz with a jitter of 0.2 ms, and one that stays three times as long."""
    rng = np.random.default_rng(4)
    lasts = np.full(frames, FRAME_NS)
    lasts[frames // 3] *= 3
    t_ns = BOOT_NS + np.cumsum(lasts) + rng.normal(0, 0.2e6, frames)
    white = np.array([is_white(number, code) for number in range(first, first + frames)])
    return PatchFlips(t_ns.astype(np.int64), white)


def photodiode(
    shown: PatchFlips,
    *,
    delay_ms: float = 0.0,
    jitter_ms: float = 0.0,
    rate_hz: float = 2000.0,
    noise: float = 0.02,
    drift: float = 0.0,
    rise_ms: float = 0.0,
    seed: int = 0,
) -> Trace:
    """A trace from 1 s before the first flip to 1 s after the last one."""
    rng = np.random.default_rng(seed)
    t_ns = np.arange(shown.t_ns[0] - 1e9, shown.t_ns[-1] + 1e9, 1e9 / rate_hz)
    light_ns = shown.t_ns + delay_ms * 1e6 + rng.normal(0, jitter_ms * 1e6, len(shown.t_ns))
    frame = np.searchsorted(light_ns, t_ns) - 1
    level = np.where(frame >= 0, shown.white[np.maximum(frame, 0)], False).astype(float)
    if rise_ms:
        length = max(1, round(rise_ms * rate_hz / 1e3))
        level = np.convolve(level, np.ones(length) / length)[: len(level)]
    level += drift * (t_ns - t_ns[0]) / (t_ns[-1] - t_ns[0]) + rng.normal(0, noise, len(t_ns))
    return Trace(t_ns.astype(np.int64), level, TraceClock.HOST)


@settings(max_examples=25)
@given(
    delay_ms=st.floats(-4, 300),
    jitter_ms=st.floats(0, 1.5),
    rate_hz=st.sampled_from([500.0, 2000.0, 10_000.0]),
    noise=st.floats(0, 0.06),
    drift=st.floats(-2, 2),
    seed=st.integers(0, 99),
)
def test_a_known_delay_and_its_spread_are_found(  # noqa: PLR0917 - hypothesis passes names
    delay_ms: float, jitter_ms: float, rate_hz: float, noise: float, drift: float, seed: int
) -> None:
    shown = flips()
    trace = photodiode(
        shown,
        delay_ms=delay_ms,
        jitter_ms=jitter_ms,
        rate_hz=rate_hz,
        noise=noise,
        drift=drift,
        seed=seed,
    )
    found = light_delay(trace, shown)
    # an edge between two samples is uniformly distributed there; about 300 edges are averaged
    sampled_ms = 1e3 / rate_hz / np.sqrt(12)
    spread_ms = np.hypot(jitter_ms, sampled_ms)
    assert found.median_ms == pytest.approx(
        delay_ms, abs=0.02 + 6 * 1.25 * spread_ms / np.sqrt(300)
    )
    assert found.sd_ms == pytest.approx(spread_ms, abs=0.05 + 0.25 * spread_ms)
    assert (found.edges_missing, found.frames_differing) == (0, 0)
    assert found.frames_matched == 599
    assert found.drift_ppm == 0


def test_the_95th_percentile_and_rise_and_fall_are_those_of_the_edges() -> None:
    shown = flips()
    found = light_delay(photodiode(shown, delay_ms=20, jitter_ms=1.0, rate_hz=10_000), shown)
    assert found.p95_ms == pytest.approx(20 + 1.645, abs=0.3)
    # a moving average of 4 ms passes the middle 2 ms late, both ways
    slow = light_delay(photodiode(shown, delay_ms=20, rise_ms=4.0, rate_hz=10_000), shown)
    assert (slow.rise_ms, slow.fall_ms) == (pytest.approx(22, abs=0.1), pytest.approx(22, abs=0.1))


@settings(max_examples=15)
@given(
    delay_ms=st.floats(0, 100),
    offset_s=st.floats(-1000, 1000),
    ppm=st.floats(-80, 80),
    seed=st.integers(0, 99),
)
def test_on_a_clock_of_its_own_spread_and_drift_are_found_and_no_delay(
    delay_ms: float, offset_s: float, ppm: float, seed: int
) -> None:
    shown = flips(frames=3000, first=500)
    host = photodiode(shown, delay_ms=delay_ms, jitter_ms=0.8, seed=seed)
    own_ns = (host.t_ns - host.t_ns[0]) * (1 + ppm / 1e6) + offset_s * 1e9
    found = light_delay(replace(host, t_ns=own_ns.astype(np.int64), clock=TraceClock.OWN), shown)
    assert (found.clock, found.edges_missing, found.frames_differing) == (TraceClock.OWN, 0, 0)
    assert found.median_ms == pytest.approx(0, abs=0.1)
    assert found.sd_ms == pytest.approx(np.hypot(0.8, 0.144), rel=0.15)
    assert found.drift_ppm == pytest.approx(ppm, abs=3)


@given(delay_ms=st.floats(0, 60))
@settings(max_examples=10)
def test_an_alternating_patch_gives_delays_below_two_frames(delay_ms: float) -> None:
    shown = flips(code=PatchCode.ALTERNATE)
    found = light_delay(photodiode(shown, delay_ms=delay_ms), shown)
    assert found.median_ms == pytest.approx(delay_ms, abs=0.1)


def test_frames_that_were_not_displayed_are_missing() -> None:
    shown = flips()
    absent = np.r_[np.full(300, False), np.full(40, True), np.full(260, False)]
    seen = PatchFlips(shown.t_ns[~absent], shown.white[~absent])
    found = light_delay(photodiode(seen, delay_ms=8), shown)
    assert found.median_ms == pytest.approx(8, abs=0.1)
    assert 15 < found.edges_missing < 30
    assert 10 < found.frames_differing < 30


def test_a_short_trace_is_refused() -> None:
    shown = flips()
    whole = photodiode(shown)
    short = Trace(whole.t_ns[:3000], whole.level[:3000], whole.clock)
    with pytest.raises(TraceTooShortError, match=r"expected at least 20: record at least 10 s"):
        light_delay(short, shown)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_trace_without_edges_is_refused(level: float) -> None:
    shown = flips()
    whole = photodiode(shown)
    dark = level + np.random.default_rng(0).normal(0, 0.01, len(whole.t_ns))
    for values in (dark, np.zeros_like(dark)):
        with pytest.raises(TraceFlatError, match=r"no edges.*stimulus\.patch\.corner"):
            light_delay(replace(whole, level=values), shown)


def test_a_clipped_trace_is_refused() -> None:
    shown = flips()
    whole = photodiode(shown, noise=0.03, rise_ms=5.0)
    with pytest.raises(TraceClippedError, match=r"clipped: 9\d %.*lower the gain|clipped: 100 %"):
        light_delay(replace(whole, level=np.minimum(whole.level, 0.7)), shown)


def test_a_digital_trace_is_not_taken_for_a_clipped_one() -> None:
    shown = flips()
    whole = photodiode(shown, delay_ms=9)
    digital = replace(whole, level=(whole.level > 0.5).astype(float))
    assert light_delay(digital, shown).median_ms == pytest.approx(9, abs=0.1)


@pytest.mark.parametrize("factor", [0.5, 1.1, 2.0])
def test_a_wrong_sampling_rate_is_refused(factor: float) -> None:
    shown = flips()
    host = photodiode(shown)
    own_ns = ((host.t_ns - host.t_ns[0]) * factor).astype(np.int64)
    with pytest.raises(TraceRateError, match=r"frames last 33\.3\d ms: give its sampling rate"):
        light_delay(Trace(own_ns, host.level, TraceClock.OWN), shown)


def test_a_trace_with_less_than_three_samples_a_frame_is_refused() -> None:
    shown = flips()
    with pytest.raises(TraceRateError, match="intervals of 20 ms"):
        light_delay(photodiode(shown, rate_hz=50.0), shown)


def test_the_trace_of_another_session_is_refused() -> None:
    shown, other = flips(), flips(first=2000)
    with pytest.raises(TraceUnmatchedError, match=r"CLOCK_MONOTONIC of this host"):
        light_delay(photodiode(other), shown)
    own = replace(photodiode(other), clock=TraceClock.OWN)
    with pytest.raises(TraceUnmatchedError, match=r"check --rate-hz"):
        light_delay(own, shown)
    later = photodiode(shown)
    with pytest.raises(TraceUnmatchedError, match=r"0 of \d+ changes"):
        light_delay(replace(later, t_ns=later.t_ns + 10**12), shown)


def test_an_edge_is_dated_between_its_samples() -> None:
    period = np.r_[np.zeros(10), 0.25, np.ones(9), np.ones(10), 0.6, np.zeros(9)]
    level: NDArray[np.float64] = np.tile(period, 30)
    t_ns = np.arange(len(level)) * 1_000_000
    edges = TwoLevels(t_ns, level, frame_ns=20e6).edges()
    # 0.5 lies a third of the way from 0.25 to 1, and a sixth from 0.6 to 0
    assert edges.rising[:2].tolist() == [True, False]
    np.testing.assert_allclose(edges.t_ns[:2] / 1e6, [10 + 1 / 3, 30 + 1 / 6])
