"""The online method with one of its parts taken out, to see what the part is worth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Solver
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import inverted_windows, moved_on
from rtdecode.schema.config.decode import DecodeConfig

F32 = NDArray[np.float32]


def without_prior(fitted: FittedTwin) -> FittedTwin:
    """The same twin with a prior that knows no more than the mean and the contrast of video.

    All spatial frequencies are alike and no frame tells anything of the next one.
    """
    prior = fitted.prior
    power = torch.full_like(prior.power, float(prior.power.mean()))
    mean = torch.full_like(prior.mean, float(prior.mean.mean()))
    forgetful = VideoPrior(mean, power, torch.zeros_like(prior.autoregression), power.sqrt())
    return replace(fitted, prior=forgetful)


def cold_start(fitted: FittedTwin, config: DecodeConfig) -> "ByWindows":
    """Each window is inverted from the mean video, as if none had come before it."""
    return ByWindows(fitted, config, begin=Solver.reset)


def without_prediction(fitted: FittedTwin, config: DecodeConfig) -> "ByWindows":
    """Each new frame starts from the mean video, not from what the prior predicts of it."""
    mean_video = torch.zeros_like(fitted.prior.power)

    def begin(inverter: Solver) -> None:
        moved_on(inverter)
        inverter.initialise_newest(mean_video)

    return ByWindows(fitted, config, begin=begin)


@dataclass(frozen=True, slots=True, eq=False)
class ByWindows:
    """The live decoder's inverter, frame by frame, with something else between two windows.

    begin: makes the inverter ready for the next window; the live decoder's way is `moved_on`.
    """

    fitted: FittedTwin
    config: DecodeConfig
    begin: Callable[[Solver], None]

    @property
    def lag_frames(self) -> int | None:
        return self.config.lag_frames

    @property
    def steps(self) -> int:
        return self.config.steps

    def passes_per_frame(self, frames: int) -> float:
        return float(self.config.steps)

    def video(self, trial: Trial) -> F32:
        video, lag = np.full(trial.truth.shape, np.nan, np.float32), self.config.lag_frames
        for newest, inverter in inverted_windows(self.fitted, self.config, trial, begin=self.begin):
            if newest >= lag:
                video[newest - lag] = inverter.result(back=lag)[0][0]
        return video
