"""One pass over the training trials: what a twin must know before its first step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.leakage import clip_hash
from rtdecode.fit.datasets.video_session import TRAIN, Stretch, VideoSession, stretches

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Moments over all training frames, and the hashes of the clips that were shown."""

    luminance_mean: float
    luminance_sd: float
    behaviour_mean: tuple[float, ...]
    behaviour_sd: tuple[float, ...]
    rate: F64
    """(neuron,) mean of the measured activity; 0 for a neuron that was never measured."""
    clip_hashes: tuple[str, ...]


class _Moments:
    """Mean and standard deviation of rows that come in pieces."""

    def __init__(self, columns: int) -> None:
        self._n = 0
        self._sum = np.zeros(columns)
        self._square = np.zeros(columns)

    def add(self, rows: NDArray[np.float32]) -> None:
        values = rows.astype(np.float64)
        self._n += len(values)
        self._sum += values.sum(0)
        self._square += np.square(values).sum(0)

    @property
    def mean(self) -> F64:
        return self._sum / self._n

    @property
    def sd(self) -> F64:
        """At least a thousandth, so that a channel that never moved can be divided by it."""
        return np.sqrt(np.maximum(self._square / self._n - self.mean**2, 1e-6))


def survey(data: VideoSession) -> Survey:
    """Read every training trial once; raises NonFiniteError for the first that has a hole."""
    light, behaviour = _Moments(1), _Moments(4)
    total, measured = np.zeros(data.neurons), np.zeros(data.neurons)
    hashes: list[str] = []
    for stretch in stretches(data, TRAIN):
        light.add(_pixels(stretch))
        behaviour.add(stretch.behaviour)
        total += np.nansum(stretch.responses, 0, dtype=np.float64)
        measured += stretch.measured.sum(0)
        hashes.append(clip_hash(stretch.video))
    return Survey(
        luminance_mean=float(light.mean[0]),
        luminance_sd=float(light.sd[0]),
        behaviour_mean=tuple(behaviour.mean.tolist()),
        behaviour_sd=tuple(behaviour.sd.tolist()),
        rate=total / np.maximum(measured, 1),
        clip_hashes=tuple(hashes),
    )


def _pixels(stretch: Stretch) -> NDArray[np.float32]:
    """Every fourth pixel of every fourth frame as rows; neighbours say nearly the same."""
    return stretch.video[::4, ::2, ::2].reshape(-1, 1)
