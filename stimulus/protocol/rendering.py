"""Frames of a trial: pure functions of its values, the geometry, and a random generator."""

from collections.abc import Callable, Iterator
from itertools import islice, repeat

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rtdecode.schema.config.protocol import (
    Blank,
    GaussianNoise,
    Movie,
    SparseNoise,
    Still,
    Stimulus,
)
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.planned_trials import PlannedTrial, planned_frames
from stimulus.protocol.degrees import Geometry
from stimulus.protocol.gratings import grating_frames
from stimulus.protocol.noise import gaussian_noise_frames, sparse_noise_frames

Frame = NDArray[np.uint8]
Pictures = Callable[[Movie | Still], Iterator[Frame]]
"""Gives the (row, col) frames of a file or of an embedded clip, decoded lazily."""


def rendered(
    trial: PlannedTrial,
    *,
    rows_px: int,
    cols_px: int,
    frame_rate_hz: float,
    geometry: Geometry | None,
    rng: Generator,
    pictures: Pictures | None = None,
) -> NDArray[np.uint8]:
    """(frame, row, col) uint8 frames of a trial; see `trial_frames`."""
    frames = trial_frames(
        trial.stimulus,
        size_px=(rows_px, cols_px),
        frame_rate_hz=frame_rate_hz,
        geometry=geometry,
        rng=rng,
        pictures=pictures,
    )
    return np.stack(list(frames))


def trial_frames(
    stimulus: Stimulus,
    *,
    size_px: tuple[int, int],
    frame_rate_hz: float,
    geometry: Geometry | None,
    rng: Generator,
    pictures: Pictures | None = None,
) -> Iterator[Frame]:
    """(row, col) uint8 frames of a trial of `stimulus`, one by one; no frame is changed later.

    Parameters
    ----------
    geometry
        Visual angles of the pixels; needed for gratings and noise.
    rng
        Generator of the trial's noise; the same state gives the same frames.
    pictures
        Source of movies and stills.

    Raises
    ------
    SettingMissingError
        If the stimulus is in degrees, and there is no geometry.
    """
    count = planned_frames(stimulus, frame_rate_hz=frame_rate_hz)
    if isinstance(stimulus, Movie | Still):
        source = iter(()) if pictures is None else pictures(stimulus)
        if isinstance(stimulus, Still):
            return repeat(next(source), count or 1)
        return islice(source, count)
    number = count or 1
    if isinstance(stimulus, Blank):
        return repeat(np.full(size_px, stimulus.grey, np.uint8), number)
    if geometry is None:
        reason = "stimuli in degrees of visual angle need distance_cm and width_cm"
        raise SettingMissingError(setting="stimulus.monitor", reason=reason)
    rate = frame_rate_hz
    if isinstance(stimulus, GaussianNoise):
        return gaussian_noise_frames(stimulus, geometry, frames=number, frame_rate_hz=rate, rng=rng)
    if isinstance(stimulus, SparseNoise):
        return sparse_noise_frames(stimulus, geometry, frames=number, frame_rate_hz=rate, rng=rng)
    return grating_frames(stimulus, geometry, frames=number, frame_rate_hz=rate)
