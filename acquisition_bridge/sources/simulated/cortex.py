"""Simulated V1: temporal filters, direction selectivity, energy, divisive gain control, rates.

Space-time receptive fields are built as by Adelson & Bergen 1985 (J. Opt. Soc. Am. A) from a
quadrature pair in space and a fast and a slow response in time; contrast gain control is
divisive as by Heeger 1992 (Vis. Neurosci.), with a local pool of root-mean-square contrast.
"""

import math

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.receptive_fields import F32, ReceptiveFields

_TEXTURE_PX = 256
_JUMP_CHANCE = 0.02


def natural_scenes(
    rng: np.random.Generator, frames: int, *, rows_px: int, cols_px: int
) -> NDArray[np.uint8]:
    """(frame, row, col) uint8 video: 1/f textures under a drifting gaze.

    Amplitude falls approximately as 1/f in space (Field 1987, J. Opt. Soc. Am. A); texture,
    contrast and mean luminance change every 2 s.
    """
    video = np.empty((frames, rows_px, cols_px), np.uint8)
    for first in range(0, frames, 60):
        texture = _pink_texture(rng, max(_TEXTURE_PX, 2 * rows_px, 2 * cols_px))
        contrast, mean = rng.uniform(25, 75), rng.uniform(70, 150)
        path = _gaze_path(rng, 60)
        for frame, (row, col) in enumerate(path[: frames - first], start=first):
            view = np.roll(texture, (-row, -col), (0, 1))[:rows_px, :cols_px]
            video[frame] = np.clip(mean + contrast * view, 0, 255)
    return video


def _pink_texture(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    # steeper than 1 because a screen pixel is a blurred sample of the scene
    texture: NDArray[np.float64] = np.fft.irfft2(
        np.fft.rfft2(rng.normal(size=(side, side))) / frequency**1.3, (side, side)
    )
    texture /= texture.std()
    return texture


def _gaze_path(rng: np.random.Generator, frames: int) -> NDArray[np.int64]:
    """(frame, 2) position in pixels: a smooth drift with few jumps."""
    speed = rng.normal(0, 0.5, 2) + rng.normal(0, 0.1, (frames, 2))
    jumps = (rng.random((frames, 1)) < _JUMP_CHANCE) * rng.normal(0, 15, (frames, 2))
    return np.cumsum(speed + jumps, 0).round().astype(np.int64)


_STAGES = 8
_FAST, _SLOW, _SLOWER = 1, 4, 7
_CONTRAST_TAU_S = 0.1
_SEMI_SATURATION = np.float32(0.5)
_SPONTANEOUS = 0.08


class Cortex:
    """Firing rates of all neurons in steps of `step_s`.

    The rate is `gain * max(0, z - threshold)^power + spontaneous`, with z the normalised drive in
    standard deviations over natural scenes. Before `calibrate`, drives are not standardised.
    """

    def __init__(
        self, rng: np.random.Generator, fields: ReceptiveFields, *, step_s: float, rate_hz: float
    ) -> None:
        neurons = len(fields.center_px)
        self._fields = fields
        self._blend = (1 - np.exp(-step_s / fields.stage_tau_s))[:, None].astype(np.float32)
        self._contrast_blend = np.float32(1 - math.exp(-step_s / _CONTRAST_TAU_S))
        self._stages = np.zeros((_STAGES, neurons, 2), np.float32)
        self._contrast = np.zeros(neurons, np.float32)
        self._normalisation = np.where(fields.is_blob, 0.4, 1.0).astype(np.float32)
        self._threshold = rng.uniform(0.0, 0.8, neurons).astype(np.float32)
        self._power = rng.uniform(1.0, 1.6, neurons).astype(np.float32)
        self._rate_hz = _lognormal(rng, neurons, mean=rate_hz, log_sd=0.5)
        self._center = np.zeros(neurons, np.float32)
        self._per_sd = np.ones(neurons, np.float32)
        self._gain = np.ones(neurons, np.float32)

    def normalised_drive(self, drive: F32, contrast: F32) -> F32:
        """Advance the filters by one step; (neuron,) response before the threshold.

        The response r is normalised as r / (0.5 + n c), with c the local contrast and n a constant
        of the cell type.
        """
        below = drive
        for stage in self._stages:
            stage += self._blend * (below - stage)
            below = stage
        self._contrast += self._contrast_blend * (contrast - self._contrast)
        return self._combined() / (_SEMI_SATURATION + self._normalisation * self._contrast)

    def rates_hz(self, drive: F32, contrast: F32) -> F32:
        """Advance by one step; (neuron,) firing rates in Hz of an animal at rest."""
        shape = self._shaped(self.normalised_drive(drive, contrast))
        return self._gain * shape + _SPONTANEOUS * self._rate_hz

    def calibrate(self, drives: F32) -> None:
        """Set each neuron's operating point from `drives`, (step, neuron), over natural scenes.

        Its mean rate over the same scenes is then the rate drawn for it.
        """
        self._center = drives.mean(0)
        self._per_sd = 1 / (drives.std(0) + np.float32(1e-6))
        shape = np.stack([self._shaped(drive) for drive in drives]).mean(0)
        self._gain = (1 - _SPONTANEOUS) * self._rate_hz / (shape + np.float32(1e-3))
        self._stages[:] = 0
        self._contrast[:] = 0

    def _combined(self) -> F32:
        """(neuron,) response: one of the space-time quadrature pair, or their energy."""
        fields, stages = self._fields, self._stages
        minus = fields.transience[:, None]
        early = stages[_FAST] - minus * stages[_SLOW]
        late = stages[_SLOW] - minus * stages[_SLOWER]
        first = early[:, 0] + fields.direction * late[:, 1]
        second = early[:, 1] - fields.direction * late[:, 0]
        energy: F32 = np.sqrt(first * first + second * second)
        return np.where(fields.is_complex, energy, first)

    def _shaped(self, drive: F32) -> F32:
        z = (drive - self._center) * self._per_sd - self._threshold
        positive: F32 = np.maximum(z, np.float32(1e-6)) ** self._power
        return positive


def _lognormal(rng: np.random.Generator, count: int, *, mean: float, log_sd: float) -> F32:
    return np.exp(rng.normal(math.log(mean) - log_sd**2 / 2, log_sd, count)).astype(np.float32)
