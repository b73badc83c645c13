"""The published fit of a screen mask, for `rtdecode fit mask --method published`.

It finds the part of the screen to which the population responds, as a transparency alpha (row, col)
that blends two clips: alpha x + (1 - alpha) x', where x was displayed and x' was not. Where neurons
have receptive fields, x' worsens the prediction f of the recorded activity r, so alpha grows there.
The procedure is that of Bauer, Margrie & Clopath (eLife 2026, 10.7554/eLife.105081): gradient
descent on mean((1 - mean(alpha)) f - r)^2, where the factor penalises a large mask; gradients have
unit norm, are clipped, averaged over frames and blurred; 1,000 steps of size 10 start near 0.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rtdecode.datasets.video_session import VALIDATION, Clips
from rtdecode.twins.twin import Twin, device_of, predict_tail

F32 = NDArray[np.float32]

_FRAMES = 8
_RATE = 10.0
_BLUR_PX = 5.0
_HIGHEST_START = 0.05


def fit_transparency(
    twin: Twin,
    data: Clips,
    *,
    steps: int,
    seed: int,
    report: Callable[[int], None] = lambda _step: None,
) -> F32:
    """(row, col) transparency without unit: near 0 outside receptive fields, 1 or more inside.

    Parameters
    ----------
    twin, data
        A trained twin, whose device computes, and the session on which it was trained; its
        validation clips are used.
    steps
        Gradient steps; the published procedure takes 1,000.
    seed
        Seed of the initial mask and of the choice of trials and frames.
    report
        Called with the number of steps done.
    """
    rng = np.random.default_rng(seed)
    shape = (data.rows_px, data.cols_px)
    alpha = (rng.random(shape) * _HIGHEST_START).astype(np.float32)
    for step in range(steps):
        gradient = _gradient(twin, data, alpha, rng)
        alpha -= _RATE * gaussian_filter(gradient, _BLUR_PX, mode="constant")
        report(step + 1)
    return alpha


def _gradient(twin: Twin, data: Clips, alpha: F32, rng: np.random.Generator) -> F32:
    """Gradient for one pair of trials: normalised over pixels and frames, then averaged."""
    trials = data.trials(VALIDATION)
    frames = twin.spec.history_frames + _FRAMES
    first, second = rng.choice(len(trials), 2, replace=len(trials) < 2)  # noqa: PLR2004
    start = int(rng.integers(0, min(map(data.frames, trials)) - frames + 1))
    own = data.segment(trials[first], first=start, frames=frames)
    other = data.segment(trials[second], first=start, frames=frames)
    arrays = (own.video, other.video, own.behaviour, own.responses[-_FRAMES:], alpha)
    shown, foreign, behaviour, recorded, flat = (
        torch.from_numpy(array).to(device_of(twin)) for array in arrays
    )
    mask = flat.expand(frames, -1, -1).clone().requires_grad_(True)
    blended = torch.lerp(foreign, shown, mask.clamp(0, 1))
    predicted = predict_tail(twin, blended[None], behaviour[None], frames=_FRAMES)[0]
    error = predicted * (1 - mask.mean()) - recorded
    # neurons that were not measured (NaN) do not contribute
    loss = torch.where(recorded.isfinite(), error, 0).square().mean()
    (gradient,) = torch.autograd.grad(loss, mask)
    return _mean_direction(gradient)


def _mean_direction(gradient: Tensor) -> F32:
    unit = gradient / (gradient.norm() + 1e-6)
    return np.asarray(unit.clamp(-1, 1).mean(0).cpu().numpy(), np.float32)
