"""Dead-leaves images have the amplitude spectrum of natural images."""

import numpy as np
import pytest

from stimulus.pictures import dead_leaves


def test_a_picture_is_grey_levels_and_its_seed_decides() -> None:
    one, again, other = (dead_leaves(np.random.default_rng(seed), 96) for seed in (1, 1, 2))
    assert one.shape == (96, 96)
    assert 0 <= one.min() < one.max() <= 255
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5


def test_amplitude_falls_about_as_one_over_frequency() -> None:
    picture = dead_leaves(np.random.default_rng(5), 256)
    power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    octaves = [(low, 2 * low) for low in (1 / 128, 1 / 64, 1 / 32)]
    means = [power[(frequency >= a) & (frequency < b)].mean() for a, b in octaves]
    slope = np.polyfit(np.log([a for a, _ in octaves]), np.log(means), 1)[0]
    assert slope == pytest.approx(-2, abs=0.8)  # power, so twice the exponent of amplitude
