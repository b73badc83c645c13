"""The twin with which a training starts."""

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
    """Every fourth pixel of every fourth frame as rows; neighbours say nearly the same."""
    return segment.video[::4, ::2, ::2].reshape(-1, 1)


F32 = NDArray[np.float32]

CELL_PX = 3
_DELAY_FRAMES = 3
_SMOOTH_FRAMES = 4
_PICTURES = 3
_BLUR_CELLS = 1.6
_SHRINKAGE = 1.0
"""Of the mean variance. Natural pictures are smooth: less shrinkage puts a neuron of four far off
(measured on a simulated mouse: median error 2.4 px with 1, 3.9 px with 0.03)."""


def receptive_field_centers(data: VideoSession) -> F32:
    """(neuron, 2) column and row of each neuron's centre in px, from the training trials."""
    gram, cross = _sums(data)
    gram[np.diag_indices_from(gram)] += _SHRINKAGE * np.trace(gram) / len(gram)
    weights = cho_solve(cho_factor(gram, overwrite_a=True), cross, overwrite_b=True)
    rows, cols = data.rows_px // CELL_PX, data.cols_px // CELL_PX
    energy = np.square(weights.T.reshape(data.neurons, _PICTURES, rows, cols)).sum(1)
    blurred = gaussian_filter(energy, (0, _BLUR_CELLS, _BLUR_CELLS), mode="constant")
    peak = blurred.reshape(data.neurons, -1).argmax(1)
    y, x = np.divmod(peak, cols)
    return ((np.column_stack([x, y]) + 0.5) * CELL_PX - 0.5).astype(np.float32)


def _sums(data: VideoSession) -> tuple[F64, F64]:
    """Sums of products of pictures with pictures and with activity, each trial about its mean."""
    size = _PICTURES * (data.rows_px // CELL_PX) * (data.cols_px // CELL_PX)
    gram, cross = np.zeros((size, size)), np.zeros((size, data.neurons))
    for segment in segments(data, TRAIN):
        seen = coarse_pictures(segment.video)[:-_DELAY_FRAMES:2]
        activity = _about_its_mean(segment.responses[_DELAY_FRAMES::2])
        seen = seen - seen.mean(0)
        gram += seen.T @ seen
        cross += seen.T @ activity
    return gram, cross


def coarse_pictures(video: F32) -> F32:
    """(frame, picture x cell): light, change of light and contrast in cells of `CELL_PX` pixels.

    Smoothed over the last frames, and without each frame's mean, which all neurons share.
    """
    change = np.abs(np.diff(video, axis=0, prepend=video[:1]))
    light = _cells(video)
    contrast = np.sqrt(np.maximum(_cells(np.square(video)) - np.square(light), 0))
    pictures = np.stack([light, _cells(change), contrast], 1)
    pictures -= pictures.mean((2, 3), keepdims=True)
    pictures /= pictures.std((0, 2, 3), keepdims=True) + 1e-3
    smooth = uniform_filter1d(pictures, _SMOOTH_FRAMES, axis=0, origin=_SMOOTH_FRAMES // 2 - 1)
    return np.asarray(smooth.reshape(len(video), -1), np.float32)


def _about_its_mean(activity: F32) -> F32:
    """(frame, neuron) each neuron about the mean of what was measured; 0 elsewhere."""
    measured = np.isfinite(activity)
    mean = np.nansum(activity, 0) / np.maximum(measured.sum(0), 1)
    return np.where(measured, activity - mean, 0).astype(np.float32)


def _cells(video: F32) -> F32:
    """Means over cells of `CELL_PX` x `CELL_PX` pixels; what is left at the edges is not used."""
    frames, rows, cols = video.shape
    r, c = rows // CELL_PX, cols // CELL_PX
    kept = video[:, : r * CELL_PX, : c * CELL_PX]
    return np.asarray(kept.reshape(frames, r, CELL_PX, c, CELL_PX).mean((2, 4)))


_CELL_PX = 2.0
_OFF_CENTRE_PX = 0.5
"""The compact twin's maps have a cell for two pixels; cell 0 lies between pixels 0 and 1."""
_READOUT = ("position", "weights", "bias", "behaviour_gain")
_QUIETEST = 1e-3


def fresh_compact(
    spec: TwinSpec, found: Survey, centers_px: NDArray[np.float32], *, seed: int
) -> Compact:
    """A compact twin with random weights whose neurons look where they should and fire on average.

    Parameters
    ----------
    spec
        As `spec_from_survey` makes it.
    found
        Of the training trials.
    centers_px
        (neuron, 2) column and row of each receptive field's centre.
    seed
        Of the random weights.
    """
    twin = Compact(spec, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        twin.position.copy_(_positions(spec, centers_px))
        twin.scale.copy_(torch.from_numpy(found.rate).clamp(min=_QUIETEST))
    return twin


def with_core(core: Compact, fresh: Compact) -> Compact:
    """`fresh` with everything that does not belong to single neurons taken from `core`, and frozen.

    The response kernel stays free: it is the rig's indicator and scan rate, not the cortex.
    """
    own = {*_READOUT, "response_kernel", "scale", "behaviour_mean", "behaviour_sd"}
    kept = {name: value for name, value in core.state_dict().items() if name not in own}
    fresh.load_state_dict(kept, strict=False)
    for name, parameter in fresh.named_parameters():
        parameter.requires_grad_(name in own)
    return fresh


def _positions(spec: TwinSpec, centers_px: NDArray[np.float32]) -> torch.Tensor:
    cells = torch.tensor([(spec.cols_px + 1) // 2, (spec.rows_px + 1) // 2])
    cell = (torch.from_numpy(centers_px) - _OFF_CENTRE_PX) / _CELL_PX
    return (cell / (cells - 1) * 2 - 1).clamp(-1, 1)
