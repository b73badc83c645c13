"""How far off the live decoder really is, on trials that the twin has not seen.

The posterior's standard deviation knows the noise of the neurons, but not that the twin is wrong
about them, nor that a clip has more contrast than the average one. Its pattern over the screen is
kept; its size, at each age of a frame, is made that of the errors on held-out trials. These are
few, and clips differ in contrast by a factor of three: what is taken from them is the part of
their contrast that is not found, and contrast itself from the many training clips.
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
    """Root mean square of `videos`, (frame, row, col) grey levels, about `mean_frame`."""
    return float(np.sqrt(np.mean([np.mean(_squares(video - mean_frame)) for video in videos])))


def calibrated_sd(
    sd: Float[Tensor, "back row col"],
    fitted: FittedTwin,
    trials: Iterable[Trial],
    *,
    contrast: float,
    config: DecodeConfig | None = None,
) -> Float[Tensor, "back row col"]:
    """`sd`, at each age times what makes its mean square that of errors on videos of `contrast`.

    Parameters
    ----------
    sd
        Of the posterior, in grey levels; `back` counts frames from the newest, 0.
    fitted, config
        What decodes; the usual config by default.
    trials
        None of which the twin was trained on. Those that are too short to say anything of the
        oldest frames say nothing; without any other, `sd` stays as it is.
    contrast
        Of video at large, as `contrast_of` measures it about the prior's mean.
    """
    mean_frame = fitted.prior.mean.numpy()
    missed, shown = np.zeros(len(sd)), np.zeros(len(sd))
    for trial in trials:
        for error, frames in _windows(fitted, config or DecodeConfig(), trial, ages=len(sd)):
            missed += _squares(error).mean((1, 2))[::-1]
            shown += _squares(frames - mean_frame).mean((1, 2))[::-1]
    if not shown.all():
        return sd
    made = torch.from_numpy(contrast**2 * missed / shown).to(sd)
    factor = (made / sd.square().mean((1, 2))).sqrt()
    return sd * factor[:, None, None]


def _windows(
    fitted: FittedTwin, config: DecodeConfig, trial: Trial, *, ages: int
) -> Iterator[tuple[F32, F32]]:
    """Errors and truth of the newest `ages` frames, oldest first, of each scored window."""
    for newest, inverter in inverted_windows(fitted, config, trial):
        oldest = newest - ages + 1
        if oldest >= FIRST_SCORED_FRAME:
            truth = trial.truth[oldest : newest + 1]
            yield inverter.result(back=ages - 1)[0] - truth, truth


def _squares(differences: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(np.square(differences, dtype=np.float64))
