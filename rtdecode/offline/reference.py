"""The published offline reconstruction procedure, as a reference for comparison.

Bauer, Margrie & Clopath (eLife 2026, 10.7554/eLife.105081): gradient descent on the pixels of a
whole clip, from uniform grey, on the Poisson loss of windows of 32 frames at a stride of 8. The
gradient of each window is divided by its norm; the mean over windows is masked, clipped to +-1 and
smoothed by momentum (Adam without a second moment). Pixels are clamped to 0..255, and the final
video is blurred. Implemented from the paper's description.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rtdecode.decode.predictor import Predictor, predictor
from rtdecode.twins.basis import pixel_basis
from rtdecode.twins.poisson_loss import poisson_loss
from rtdecode.twins.twin import Twin, device_of

F32 = NDArray[np.float32]

ITERATIONS = 1000
_WINDOW_FRAMES = 32
_STRIDE_FRAMES = 8
_RATE = 1000.0
_WARM_UP = 10
_MOMENTUM = 0.9
_SECOND = 0.999
"""Only used in the bias correction of the learning rate, as there is no second moment."""
_GREY = 127.5
_BLUR = 0.5


def reference_video(
    twin: Twin,
    responses: F32,
    behaviour: F32,
    mask: NDArray[np.bool_],
    *,
    iterations: int = ITERATIONS,
    report: Callable[[int, F32], None] = lambda _done, _video: None,
    report_at: Sequence[int] = (),
) -> F32:
    """(frame, row, col) grey levels of one clip, by one twin.

    Parameters
    ----------
    twin
        The encoding model; an ensemble is computed twin by twin, and the videos are averaged.
    responses, behaviour
        (frame, neuron) and (frame, channel) of the whole clip; NaN where a neuron was not measured.
    mask
        (row, col) True for optimised pixels; the others stay grey.
    iterations
        Gradient steps.
    report
        Called with the number of steps and the blurred video after each step of `report_at`.
    """
    device = device_of(twin)
    recorded, state = (torch.from_numpy(array).to(device) for array in (responses, behaviour))
    free = torch.from_numpy(mask).to(device)
    basis, window = pixel_basis(*mask.shape, device=device), min(_WINDOW_FRAMES, len(responses))
    activity = predictor(twin, basis, history=0, estimated=window, stride=1)
    video = torch.full((len(responses), *mask.shape), _GREY, device=device)
    momentum = torch.zeros_like(video)
    for step in range(1, iterations + 1):
        gradient = _mean_gradient(activity, video, recorded, state) * free
        momentum = _MOMENTUM * momentum + (1 - _MOMENTUM) * gradient.clamp(-1, 1)
        video = (video - _rate(step) * momentum / (1 - _MOMENTUM**step)).clamp(0, 255)
        if step in report_at:
            report(step, _blurred(video))
    return _blurred(video)


def passes_per_frame(frames: int, *, iterations: int, twins: int = 1) -> float:
    """Forward and backward passes of a twin over a window, for each frame of a clip."""
    return iterations * twins * len(window_starts(frames)) / frames


def window_starts(frames: int) -> list[int]:
    """First frames of the windows: every eighth, and that of a window that ends with the clip."""
    last = max(0, frames - _WINDOW_FRAMES)
    return [*range(0, last, _STRIDE_FRAMES), last]


def _mean_gradient(
    activity: Predictor,
    video: Float[Tensor, "frame row col"],
    recorded: Float[Tensor, "frame neuron"],
    behaviour: Float[Tensor, "frame channel"],
) -> Float[Tensor, "frame row col"]:
    """Normalised gradient of each window, averaged over the windows that contain a frame."""
    no_history = video[:0]
    total, count = torch.zeros_like(video), video.new_zeros(len(video), 1, 1)
    for start in window_starts(len(video)):
        part = slice(start, start + _WINDOW_FRAMES)
        window = video[part].clone().requires_grad_(True)
        predicted = activity.given(no_history, behaviour[part])(window)
        loss = poisson_loss(predicted, recorded[part])
        (gradient,) = torch.autograd.grad(loss, window)
        total[part] += gradient / (gradient.norm() + 1e-12)
        count[part] += 1
    return total / count


def _rate(step: int) -> float:
    """Learning rate with its warm-up and the bias correction of Adam (Kingma & Ba 2015)."""
    corrected = (1 - _SECOND ** (step + 1)) ** 0.5 / (1 - _MOMENTUM ** (step + 1))
    return float(_RATE * min(1.0, step / _WARM_UP) * corrected)


def _blurred(video: Float[Tensor, "frame row col"]) -> F32:
    """Gaussian blur with an SD of half a frame and half a pixel."""
    return np.asarray(gaussian_filter(video.cpu().numpy(), _BLUR, mode="nearest"), np.float32)
