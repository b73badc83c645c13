"""How far off the live decoder really is, on trials that the twin has not seen.

The posterior's standard deviation knows the noise of the neurons, but not that the twin is wrong
about them, nor that a clip has more contrast than the average one. Its pattern over the screen is
kept; its size, at each age of a frame, is made that of the errors on held-out trials.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME
from rtdecode.fit.methods import FittedTwin
from rtdecode.fit.trial import Trial
from rtdecode.fit.windows import inverted_windows
from rtdecode.schema.config.decode import DecodeConfig


def calibrated_sd(
    sd: Float[Tensor, "back row col"],
    fitted: FittedTwin,
    trials: Iterable[Trial],
    *,
    config: DecodeConfig | None = None,
) -> Float[Tensor, "back row col"]:
    """`sd`, at each age times what makes its mean square that of the errors on `trials`.

    Parameters
    ----------
    sd
        Of the posterior, in grey levels; `back` counts frames from the newest, 0.
    fitted, config
        What decodes; the usual config by default.
    trials
        None of which the twin was trained on. Those that are too short to say anything of the
        oldest frames say nothing; without any other, `sd` stays as it is.
    """
    squares, counted = np.zeros(len(sd)), 0
    for trial in trials:
        of_trial, windows = _squared_errors(fitted, config or DecodeConfig(), trial, ages=len(sd))
        squares, counted = squares + of_trial, counted + windows
    if not counted:
        return sd
    made = torch.from_numpy(squares / counted).to(sd)
    factor = (made / sd.square().mean((1, 2))).sqrt()
    return sd * factor[:, None, None]


def _squared_errors(
    fitted: FittedTwin, config: DecodeConfig, trial: Trial, *, ages: int
) -> tuple[NDArray[np.float64], int]:
    """(age,) sum over windows of the mean squared error of a frame, and how many windows."""
    squares, windows = np.zeros(ages), 0
    for newest, inverter in inverted_windows(fitted, config, trial):
        oldest = newest - ages + 1
        if oldest >= FIRST_SCORED_FRAME:
            video, _ = inverter.result(back=ages - 1)
            error = video - trial.truth[oldest : newest + 1]
            squares += np.square(error, dtype=np.float64).mean((1, 2))[::-1]
            windows += 1
    return squares, windows
