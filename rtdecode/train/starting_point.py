"""Initialisation of a compact twin from the training data, for `rtdecode fit twin`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter, uniform_filter1d

from rtdecode.datasets.video_session import TRAIN, Segment, VideoSession, segments
from rtdecode.evaluate.leakage import clip_hash
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.twin import TwinSpec

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Moments over all training frames, and hashes of the training clips."""

    luminance_mean: float
    luminance_sd: float
    behaviour_mean: tuple[float, ...]
    behaviour_sd: tuple[float, ...]
    rate: F64
    """(neuron,) mean measured activity; 0 for a neuron that was never measured."""
    clip_hashes: tuple[str, ...]


class _Moments:
    """Mean and standard deviation, accumulated over batches of rows."""

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
        """(column,) at least 0.001, so that constant channels can be normalised."""
        return np.sqrt(np.maximum(self._square / self._n - self.mean**2, 1e-6))


def survey(data: VideoSession) -> Survey:
    """Read every training trial once; NonFiniteError if a required value is missing."""
    light, behaviour = _Moments(1), _Moments(4)
    total, measured = np.zeros(data.neurons), np.zeros(data.neurons)
    hashes: list[str] = []
    for segment in segments(data, TRAIN):
        light.add(_pixels(segment))
        behaviour.add(segment.behaviour)
        total += np.nansum(segment.responses, 0, dtype=np.float64)
        measured += segment.measured.sum(0)
        hashes.append(clip_hash(segment.video))
    return Survey(
        luminance_mean=float(light.mean[0]),
        luminance_sd=float(light.sd[0]),
        behaviour_mean=tuple(behaviour.mean.tolist()),
        behaviour_sd=tuple(behaviour.sd.tolist()),
        rate=total / np.maximum(measured, 1),
        clip_hashes=tuple(hashes),
    )


def _pixels(segment: Segment) -> NDArray[np.float32]:
    """Pixels of every fourth frame at half resolution as rows; neighbours are redundant."""
    return segment.video[::4, ::2, ::2].reshape(-1, 1)


F32 = NDArray[np.float32]

CELL_PX = 3
_DELAY_FRAMES = 3
_SMOOTH_FRAMES = 4
_MAPS = 3
_BLUR_CELLS = 1.6
_SHRINKAGE = 1.0
"""Ridge penalty relative to the mean variance.

Natural scenes are smooth, so weak penalties misplace a quarter of the neurons (simulated mouse:
median error 2.4 px with 1, 3.9 px with 0.03).
"""


def receptive_field_centers(data: VideoSession) -> F32:
    """(neuron, 2) column and row of each receptive field's centre in px, from training trials.

    Ridge regression w = (X'X + penalty I)^-1 X'r of activity r on coarse maps X of the video; the
    centre is the maximum of the blurred energy of w.
    """
    gram, cross = _sums(data)
    gram[np.diag_indices_from(gram)] += _SHRINKAGE * np.trace(gram) / len(gram)
    weights = cho_solve(cho_factor(gram, overwrite_a=True), cross, overwrite_b=True)
    rows, cols = data.rows_px // CELL_PX, data.cols_px // CELL_PX
    energy = np.square(weights.T.reshape(data.neurons, _MAPS, rows, cols)).sum(1)
    blurred = gaussian_filter(energy, (0, _BLUR_CELLS, _BLUR_CELLS), mode="constant")
    peak = blurred.reshape(data.neurons, -1).argmax(1)
    y, x = np.divmod(peak, cols)
    return ((np.column_stack([x, y]) + 0.5) * CELL_PX - 0.5).astype(np.float32)


def _sums(data: VideoSession) -> tuple[F64, F64]:
    """X'X and X'r, with X and r centred in each trial."""
    size = _MAPS * (data.rows_px // CELL_PX) * (data.cols_px // CELL_PX)
    gram, cross = np.zeros((size, size)), np.zeros((size, data.neurons))
    for segment in segments(data, TRAIN):
        maps = coarse_maps(segment.video)[:-_DELAY_FRAMES:2]
        activity = _about_its_mean(segment.responses[_DELAY_FRAMES::2])
        maps = maps - maps.mean(0)
        gram += maps.T @ maps
        cross += maps.T @ activity
    return gram, cross


def coarse_maps(video: F32) -> F32:
    """(frame, map x cell): luminance, its change and contrast in cells of `CELL_PX` pixels.

    Averaged over the last frames; the mean of each frame, to which all neurons respond, is removed.
    """
    change = np.abs(np.diff(video, axis=0, prepend=video[:1]))
    light = _cells(video)
    contrast = np.sqrt(np.maximum(_cells(np.square(video)) - np.square(light), 0))
    maps = np.stack([light, _cells(change), contrast], 1)
    maps -= maps.mean((2, 3), keepdims=True)
    maps /= maps.std((0, 2, 3), keepdims=True) + 1e-3
    smooth = uniform_filter1d(maps, _SMOOTH_FRAMES, axis=0, origin=_SMOOTH_FRAMES // 2 - 1)
    return np.asarray(smooth.reshape(len(video), -1), np.float32)


def _about_its_mean(activity: F32) -> F32:
    """(frame, neuron) activity minus the mean of measured values; 0 where not measured."""
    measured = np.isfinite(activity)
    mean = np.nansum(activity, 0) / np.maximum(measured.sum(0), 1)
    return np.where(measured, activity - mean, 0).astype(np.float32)


def _cells(video: F32) -> F32:
    """Means over cells of `CELL_PX` x `CELL_PX` pixels; incomplete cells are left out."""
    frames, rows, cols = video.shape
    r, c = rows // CELL_PX, cols // CELL_PX
    kept = video[:, : r * CELL_PX, : c * CELL_PX]
    return np.asarray(kept.reshape(frames, r, CELL_PX, c, CELL_PX).mean((2, 4)))


_CELL_PX = 2.0
_OFF_CENTRE_PX = 0.5
"""A cell of the compact twin's feature maps covers two pixels; cell 0 is centred at 0.5."""
_READOUT = ("position", "weights", "bias", "behaviour_gain")
_LEAST_RATE = 1e-3


def fresh_compact(
    spec: TwinSpec, found: Survey, centers_px: NDArray[np.float32], *, seed: int
) -> Compact:
    """A compact twin with random weights, receptive fields in place, and mean rates of the data.

    Parameters
    ----------
    spec
        Sizes and normalisation of the twin.
    found
        Moments of the training trials.
    centers_px
        (neuron, 2) column and row of each receptive field's centre.
    seed
        Seed of the random weights.
    """
    twin = Compact(spec, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        twin.position.copy_(_positions(spec, centers_px))
        twin.scale.copy_(torch.from_numpy(found.rate).clamp(min=_LEAST_RATE))
    return twin


_OWN = {*_READOUT, "response_kernel", "scale", "behaviour_mean", "behaviour_sd"}
"""What no other twin shares.

The response kernel is among it: it reflects indicator and scan rate of the rig, not the cortex.
"""


def with_core(core: Compact, fresh: Compact) -> Compact:
    """`fresh` with all parameters shared between neurons copied from `core` and frozen."""
    kept = {name: value for name, value in core.state_dict().items() if name not in _OWN}
    fresh.load_state_dict(kept, strict=False)
    for name, parameter in fresh.named_parameters():
        parameter.requires_grad_(name in _OWN)
    return fresh


def share_core(twins: Sequence[Compact]) -> None:
    """Give all twins the core of the first: its parameters themselves, not copies of them.

    The core is all that is shared between neurons, without the response kernel.
    """
    for name, parameter in twins[0].named_parameters():
        if name not in _OWN:
            for other in twins[1:]:
                setattr(other, name, parameter)


def _positions(spec: TwinSpec, centers_px: NDArray[np.float32]) -> torch.Tensor:
    cells = torch.tensor([(spec.cols_px + 1) // 2, (spec.rows_px + 1) // 2])
    cell = (torch.from_numpy(centers_px) - _OFF_CENTRE_PX) / _CELL_PX
    return (cell / (cells - 1) * 2 - 1).clamp(-1, 1)
