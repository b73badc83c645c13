"""Where each neuron looks, by a linear fit: the place from which a twin's readout starts.

A readout that starts in the middle of the screen would have to walk to its place by gradient,
which takes most of a short training. Three coarse pictures of each frame (light, change of light,
contrast) are regressed onto activity; the place where a neuron's weights have most energy is its
receptive field's centre to within two or three pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter, uniform_filter1d

from rtdecode.fit.datasets.video_session import TRAIN, VideoSession, stretches

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

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
    for stretch in stretches(data, TRAIN):
        seen = coarse_pictures(stretch.video)[:-_DELAY_FRAMES:2]
        activity = _about_its_mean(stretch.responses[_DELAY_FRAMES::2])
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
