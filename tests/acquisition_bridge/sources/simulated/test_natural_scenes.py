"""Scenes of natural statistics."""

import numpy as np

from acquisition_bridge.sources.simulated.cortex import natural_scenes

VIDEO = natural_scenes(np.random.default_rng(0), 240, rows_px=36, cols_px=64)


def test_power_falls_about_as_one_over_frequency_squared() -> None:
    power = (np.abs(np.fft.rfft(VIDEO - VIDEO.mean((1, 2), keepdims=True), axis=2)) ** 2).mean(
        (0, 1)
    )
    slope = np.polyfit(np.log(np.arange(2, 20)), np.log(power[2:20]), 1)[0]
    assert -3.0 < slope < -1.0


def test_neighbouring_frames_are_alike_and_scenes_are_not() -> None:
    flat = VIDEO.reshape(240, -1).astype(float)
    following = [np.corrcoef(flat[k], flat[k + 1])[0, 1] for k in range(59)]
    assert np.median(following) > 0.75
    assert abs(np.corrcoef(flat[10], flat[70])[0, 1]) < 0.7


def test_any_number_of_frames_can_be_had() -> None:
    assert natural_scenes(np.random.default_rng(0), 7, rows_px=12, cols_px=16).shape == (7, 12, 16)
