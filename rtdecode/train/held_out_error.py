"""Calibration of the posterior standard deviation on held-out trials, for `rtdecode fit twin`.

The posterior accounts for the noise of the neurons, but not for errors of the twin or for clips
with more contrast than average. Its spatial pattern is kept, and its mean square at each age of a
frame is set to that of the reconstruction errors. Held-out clips are few and differ in contrast by
a factor of three, so the error is measured relative to their contrast and multiplied by the
contrast of the many training clips.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import inverted_windows
from rtdecode.schema.config.decode import DecodeConfig

F32 = NDArray[np.float32]


def contrast_of(videos: Iterable[NDArray[np.uint8] | F32], mean_frame: F32) -> float:
    """Root-mean-square deviation of `videos`, (frame, row, col) grey levels, from `mean_frame`."""
    return float(np.sqrt(np.mean([np.mean(_squares(video - mean_frame)) for video in videos])))


def calibrated_sd(
    sd: Float[Tensor, "back row col"],
    fitted: FittedTwin,
    trials: Iterable[Trial],
    *,
    contrast: float,
    config: DecodeConfig | None = None,
) -> Float[Tensor, "back row col"]:
    """`sd`, scaled at each age so that its mean square is contrast^2 sum(error^2) / sum(signal^2).

    Parameters
    ----------
    sd
        Posterior standard deviation in grey levels; `back` counts frames from the newest, 0.
    fitted, config
        Twin and decoder; the default config if None.
    trials
        Trials on which the twin was not trained. Trials that are too short to contain a full
        horizon are ignored; if none remains, `sd` is returned unchanged.
    contrast
        Contrast of typical video about the prior's mean, as `contrast_of` measures it.
    """
    mean_frame = fitted.prior.mean.numpy()
    error_power, signal_power = np.zeros(len(sd)), np.zeros(len(sd))
    for trial in trials:
        for error, frames in _windows(fitted, config or DecodeConfig(), trial, ages=len(sd)):
            error_power += _squares(error).mean((1, 2))[::-1]
            signal_power += _squares(frames - mean_frame).mean((1, 2))[::-1]
    if not signal_power.all():
        return sd
    expected = torch.from_numpy(contrast**2 * error_power / signal_power).to(sd)
    factor = (expected / sd.square().mean((1, 2))).sqrt()
    return sd * factor[:, None, None]


def _windows(
    fitted: FittedTwin, config: DecodeConfig, trial: Trial, *, ages: int
) -> Iterator[tuple[F32, F32]]:
    """Errors and ground truth of the newest `ages` frames, oldest first, of each scored window."""
    for newest, solver in inverted_windows(fitted, config, trial):
        oldest = newest - ages + 1
        if oldest >= FIRST_SCORED_FRAME:
            truth = trial.truth[oldest : newest + 1]
            yield solver.result(back=ages - 1)[0] - truth, truth


def _squares(differences: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(np.square(differences, dtype=np.float64))
