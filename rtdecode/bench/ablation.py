"""Ablations of the online method: variants of which each lacks one part."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Solver
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import advance_one_frame, inverted_windows
from rtdecode.schema.config.decode import DecodeConfig

F32 = NDArray[np.float32]


def without_prior(fitted: FittedTwin) -> FittedTwin:
    """`fitted` with a white prior: mean and contrast of video, no correlation in space or time."""
    prior = fitted.prior
    power = torch.full_like(prior.power, float(prior.power.mean()))
    mean = torch.full_like(prior.mean, float(prior.mean.mean()))
    white = VideoPrior(mean, power, torch.zeros_like(prior.autoregression), power.sqrt())
    return replace(fitted, prior=white)


def cold_start(fitted: FittedTwin, config: DecodeConfig) -> "ByWindows":
    """No warm start: each horizon is solved from the prior's mean."""
    return ByWindows(fitted, config, begin=Solver.reset)


def without_prediction(fitted: FittedTwin, config: DecodeConfig) -> "ByWindows":
    """Each new frame starts at the prior's mean instead of the prior's prediction."""
    mean_frame = torch.zeros_like(fitted.prior.power)

    def begin(solver: Solver) -> None:
        advance_one_frame(solver)
        solver.initialise_newest(mean_frame)

    return ByWindows(fitted, config, begin=begin)


@dataclass(frozen=True, slots=True, eq=False)
class ByWindows:
    """The online method with another preparation of each horizon.

    begin: prepares the solver for the next horizon; the live decoder uses `advance_one_frame`.
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
        for newest, solver in inverted_windows(self.fitted, self.config, trial, begin=self.begin):
            if newest >= lag:
                video[newest - lag] = solver.result(back=lag)[0][0]
        return video
