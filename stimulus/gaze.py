"""Random gaze paths for clips: drift, saccades, pursuit, head turns and slow approach."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GazePath:
    """Centre and magnification of the view in each frame."""

    center_px: F64
    """(frame, 2) row and column in screen pixels, relative to the start."""
    zoom: F64
    """(frame,) factor on the width of the view, around 1."""


def gaze_path(rng: Generator, frames: int, *, rate_hz: float) -> GazePath:
    """A random path of the view over a scene, with the kinds of motion of natural video.

    Its components are slow drift in every frame (so that no frame repeats), pursuit at up to 25
    screen pixels per second, 0.5 saccades per second, 0.15 head turns per second of a third of
    the screen or more, and slow approach and retreat.

    Parameters
    ----------
    frames
        Length of the path.
    rate_hz
        Frame rate in Hz.
    """
    # the order of these calls determines the random numbers, and with them all clips
    velocity = (
        _drift(rng, frames, rate_hz)
        + _pursuit(rng, frames, rate_hz)
        + _head_turns(rng, frames, rate_hz)
    )
    return GazePath(
        np.cumsum(velocity, axis=0) / rate_hz + _saccades(rng, frames, rate_hz),
        _zoom(rng, frames, rate_hz),
    )


def _drift(rng: Generator, frames: int, rate_hz: float) -> F64:
    """(frame, 2) velocity in px/s: a first-order autoregression, time constant 0.5 s, SD 3 px/s.

    v[t] = a v[t-1] + sqrt(1 - a²) e[t] with a = exp(-1 / (0.5 s · rate)).
    """
    kept = np.exp(-2.0 / rate_hz)
    velocity = np.empty((frames, 2))
    velocity[0] = rng.normal(0, 3.0, 2)
    for frame in range(1, frames):
        velocity[frame] = kept * velocity[frame - 1] + np.sqrt(1 - kept**2) * rng.normal(0, 3.0, 2)
    return velocity


def _pursuit(rng: Generator, frames: int, rate_hz: float) -> F64:
    """(frame, 2) velocity in px/s: constant for a second or two, mostly horizontal."""
    velocity, frame = np.zeros((frames, 2)), 0
    while frame < frames:
        length = int(rng.uniform(0.7, 2.5) * rate_hz)
        angle, speed = rng.normal(0, 0.5) + np.pi * rng.integers(2), rng.uniform(0, 25)
        velocity[frame : frame + length] = speed * np.array([np.sin(angle), np.cos(angle)])
        frame += length
    return _smoothed(velocity, round(0.2 * rate_hz))


def _head_turns(rng: Generator, frames: int, rate_hz: float) -> F64:
    """(frame, 2) velocity in px/s: raised-cosine pulses of 0.4 to 0.9 s, 20 to 60 px each."""
    velocity = np.zeros((frames, 2))
    for _ in range(rng.poisson(0.15 * frames / rate_hz)):
        length, start = int(rng.uniform(0.4, 0.9) * rate_hz), rng.integers(frames)
        turn = rng.uniform(20, 60) * rng.choice([-1, 1]) * np.array([0.2 * rng.normal(), 1.0])
        pulse = np.hanning(length + 2)[1:-1, None] * turn * 2 * rate_hz / (length + 1)
        velocity[start : start + length] += pulse[: frames - start]
    return velocity


def _saccades(rng: Generator, frames: int, rate_hz: float) -> F64:
    """(frame, 2) offset in px: jumps over two frames, 8 px on average."""
    jumps = np.zeros((frames, 2))
    for start in rng.integers(frames, size=rng.poisson(0.5 * frames / rate_hz)):
        angle = rng.uniform(0, 2 * np.pi)
        jumps[start : start + 2] += (
            0.5 * (3 + rng.exponential(5)) * np.array([np.sin(angle), np.cos(angle)])
        )
    return np.asarray(jumps.cumsum(0))


def _zoom(rng: Generator, frames: int, rate_hz: float) -> F64:
    """(frame,) factor between 0.7 and 1.42: the exponential of a sinusoid of 4 to 12 s period."""
    seconds = np.arange(frames) / rate_hz
    depth, period_s, phase = rng.uniform(0, 0.35), rng.uniform(4, 12), rng.uniform(0, 2 * np.pi)
    return np.asarray(np.exp(depth * np.sin(2 * np.pi * seconds / period_s + phase)))


def _smoothed(velocity: F64, width: int) -> F64:
    window = np.hanning(max(width, 1) + 2)[1:-1]
    window /= window.sum()
    padded = np.pad(velocity, [(len(window) // 2, (len(window) - 1) // 2), (0, 0)], mode="edge")
    return np.stack([np.convolve(axis, window, mode="valid") for axis in padded.T], axis=1)
