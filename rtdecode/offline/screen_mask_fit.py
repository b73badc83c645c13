"""Where on the screen the population sees: a transparency that is learnt by gradient descent.

The video of one trial is laid over that of another through the mask. Where neurons look, the
foreign video spoils the twin's prediction of the recorded activity, so the mask grows there;
elsewhere nothing holds it up. The procedure of Bauer, Margrie & Clopath (eLife 2026,
10.7554/eLife.105081): mean squared error of the predictions shrunk by the mask's mean,
gradients of unit norm, clipped, averaged over frames and blurred, a thousand steps of size 10
from near 0.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rtdecode.datasets.video_session import VALIDATION, Clips
from rtdecode.schema.errors import EmptyMaskError
from rtdecode.twins.twin import Twin, predict_tail

F32 = NDArray[np.float32]

SCORED_FROM = 1.0
"""Pixels are scored where the transparency reaches this."""
TRAINED_FROM = 0.5
"""Pixels move in the reference procedure where the transparency reaches this."""
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
    """(row, col) transparency, about 0 where nobody looks, 1 and more where many do.

    Parameters
    ----------
    twin, data
        A trained twin and the session it was trained on; its validation clips are used.
    steps
        Gradient steps; the published procedure takes 1,000.
    seed
        Chooses start, trials and frames.
    report
        Told the number of steps done.
    """
    rng = np.random.default_rng(seed)
    shape = (data.rows_px, data.cols_px)
    alpha = (rng.random(shape) * _HIGHEST_START).astype(np.float32)
    for step in range(steps):
        gradient = _gradient(twin, data, alpha, rng)
        alpha -= _RATE * gaussian_filter(gradient, _BLUR_PX, mode="constant")
        report(step + 1)
    return alpha


def save_mask(alpha: F32, path: Path, *, scored_from: float = SCORED_FROM) -> NDArray[np.bool_]:
    """Write the pixels to score to `path` and the transparency beside it; gives the former.

    Raises
    ------
    EmptyMaskError
        If no pixel is transparent enough to be scored.
    """
    scored = alpha >= scored_from
    if not scored.any():
        raise EmptyMaskError(highest=float(alpha.max()), needed=scored_from)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, scored)
    np.save(path.with_name(f"{path.stem}_transparency.npy"), alpha)
    return np.asarray(scored, np.bool_)


def _gradient(twin: Twin, data: Clips, alpha: F32, rng: np.random.Generator) -> F32:
    """Of one pair of trials: of unit norm over pixels and frames, then averaged over frames."""
    trials = data.trials(VALIDATION)
    frames = twin.spec.history_frames + _FRAMES
    first, second = rng.choice(len(trials), 2, replace=len(trials) < 2)  # noqa: PLR2004
    start = int(rng.integers(0, min(map(data.frames, trials)) - frames + 1))
    own = data.segment(trials[first], first=start, frames=frames)
    foreign = torch.from_numpy(data.segment(trials[second], first=start, frames=frames).video)
    mask = torch.from_numpy(alpha).expand(frames, -1, -1).clone().requires_grad_(True)
    shown = torch.lerp(foreign, torch.from_numpy(own.video), mask.clamp(0, 1))
    recorded = torch.from_numpy(own.responses[-_FRAMES:])
    behaviour = torch.from_numpy(own.behaviour)[None]
    predicted = predict_tail(twin, shown[None], behaviour, frames=_FRAMES)[0]
    error = predicted * (1 - mask.mean()) - recorded
    # a neuron that was not measured neither fits nor misses
    loss = torch.where(recorded.isfinite(), error, 0).square().mean()
    (gradient,) = torch.autograd.grad(loss, mask)
    return _mean_direction(gradient)


def _mean_direction(gradient: Tensor) -> F32:
    unit = gradient / (gradient.norm() + 1e-6)
    return np.asarray(unit.clamp(-1, 1).mean(0).numpy(), np.float32)
