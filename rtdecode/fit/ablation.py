"""The online method with one of its parts taken out, to see what the part is worth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.inverter import Inverter
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.shrinkage import shown_share
from rtdecode.fit.methods import FittedTwin
from rtdecode.fit.trial import Trial
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
    return ByWindows(fitted, config, begin=Inverter.forget)


def without_guess(fitted: FittedTwin, config: DecodeConfig) -> "ByWindows":
    """Each new frame starts from the mean video, not from what the prior predicts of it."""
    return ByWindows(fitted, config, begin=_move_on_to_the_mean)


def _move_on_to_the_mean(inverter: Inverter) -> None:
    inverter.advance(1)
    inverter.begin_newest(torch.zeros_like(inverter.prior.power))


@dataclass(frozen=True, slots=True, eq=False)
class ByWindows:
    """The live decoder's inverter, frame by frame, with something else between two windows.

    begin: makes the inverter ready for the next window; the live decoder's way is `advance(1)`.
    """

    fitted: FittedTwin
    config: DecodeConfig
    begin: Callable[[Inverter], None]

    @property
    def lag_frames(self) -> int | None:
        return self.config.lag_frames

    @property
    def steps(self) -> int:
        return self.config.steps

    def passes_per_frame(self, frames: int) -> float:
        return float(self.config.steps)

    def video(self, trial: Trial) -> F32:
        video = np.full(trial.truth.shape, np.nan, np.float32)
        window, free, lag = (
            self.config.window_frames,
            self.config.free_frames_used,
            self.config.lag_frames,
        )
        inverter = Inverter(
            self.fitted.twin,
            self.fitted.prior,
            self.fitted.noise,
            window_frames=window,
            free_frames=free,
            tau=self.config.tau,
            share=shown_share(self.fitted.prior),
        )
        # Before its first frame the window holds nothing that was measured, as it does live.
        responses, valid = (
            np.pad(array, ((window - 1, 0), (0, 0))) for array in (trial.responses, trial.valid)
        )
        behaviour = np.pad(trial.behaviour, ((window - 1, 0), (0, 0)), mode="edge")
        for newest in range(len(video)):
            self.begin(inverter)
            end = newest + window
            seen = inverter.observed(
                torch.from_numpy(responses[end - free : end]),
                torch.from_numpy(valid[end - free : end].astype(np.float32)),
                torch.from_numpy(behaviour[end - window : end]),
            )
            for _ in range(self.config.steps):
                inverter.improve(seen)
            if newest >= lag:
                video[newest - lag] = inverter.result(back=lag)[0][0]
        return video
