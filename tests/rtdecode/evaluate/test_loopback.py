"""The delay of light that leaks into synthetic scans is the known one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.evaluate.loopback import line_trace, loopback_delay
from rtdecode.schema.errors import LeakAbsentError

BOOT_NS = 7_000_000_000_000
SECONDS = 20


def flashes(seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Flips at 30 Hz, and the luminance of flashes of random length."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 20, 400)
    luminance = np.repeat(np.arange(400) % 2 * 200.0 + 20, lengths)[: SECONDS * 30]
    flips_ns = BOOT_NS + np.cumsum(np.full(len(luminance), 1e9 / 30) + rng.normal(0, 1e5))
    return flips_ns.astype(np.int64), luminance


def scans(
    flips_ns: NDArray[np.int64],
    luminance: NDArray[np.float64],
    *,
    delay_ms: float,
    leak: float,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lines of 15 scans a second of 64 x 16 px, with structure, photon noise and a slow drift."""
    rng = np.random.default_rng(seed)
    start = np.arange(flips_ns[0] - 1e9, flips_ns[-1] + 1e9, 1e9 / 15).astype(np.int64)
    end = start + round(1e9 / 15)
    fine = start[:, None] + (end - start)[:, None] * (np.arange(64 * 8) + 0.5) / (64 * 8)
    frame = np.searchsorted(flips_ns + delay_ms * 1e6, fine) - 1
    light = np.where(frame >= 0, luminance[np.clip(frame, 0, len(luminance) - 1)], 0)
    lines = light.reshape(len(start), 64, 8).mean(-1)
    structure = rng.gamma(2.0, 20.0, (64, 16)) * np.linspace(1, 0.7, len(start))[:, None, None]
    photons = structure + leak * lines[..., None]
    pixels = photons + np.sqrt(photons) * rng.standard_normal(photons.shape)
    return line_trace(pixels.mean(-1), start, end)


@settings(max_examples=6)
@given(delay_ms=st.floats(0, 100), seed=st.integers(0, 1000))
def test_the_delay_of_a_weak_leak_is_found_within_a_line(delay_ms: float, seed: int) -> None:
    flips_ns, luminance = flashes(seed)
    lines = scans(flips_ns, luminance, delay_ms=delay_ms, leak=0.04, seed=seed)
    found = loopback_delay(*lines, flips_ns=flips_ns, luminance=luminance)
    assert found.delay_ms == pytest.approx(delay_ms, abs=1.5)
    assert found.line_ms == pytest.approx(1e3 / 15 / 64, rel=1e-3)
    assert found.z > 6


@pytest.mark.parametrize("seed", range(10))
def test_without_a_leak_no_delay_is_reported(seed: int) -> None:
    flips_ns, luminance = flashes(seed)
    lines = scans(flips_ns, luminance, delay_ms=20, leak=0.0, seed=seed)
    with pytest.raises(LeakAbsentError, match=r"not found in the scans.*close the shutter"):
        loopback_delay(*lines, flips_ns=flips_ns, luminance=luminance)


def test_a_constant_screen_is_refused() -> None:
    flips_ns, luminance = flashes(0)
    lines = scans(flips_ns, luminance, delay_ms=20, leak=0.1, seed=0)
    with pytest.raises(LeakAbsentError):
        loopback_delay(*lines, flips_ns=flips_ns, luminance=np.full_like(luminance, 9))


def test_lines_are_dated_by_their_row() -> None:
    pixels = np.arange(2 * 4 * 3).reshape(2, 4, 3)
    t_ns, level = line_trace(pixels.mean(-1), np.array([0, 800]), np.array([800, 1600]))
    assert t_ns.tolist() == [100, 300, 500, 700, 900, 1100, 1300, 1500]
    np.testing.assert_allclose(level, [-6] * 4 + [6] * 4)
