"""The online method with one of its parts taken out, to see what the part is worth."""

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


@dataclass(frozen=True, slots=True, eq=False)
class ColdStart:
    """Each window is inverted from the mean video, as if none had come before it."""

    fitted: FittedTwin
    config: DecodeConfig

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
        window, free = self.config.window_frames, self.config.free_frames_used
        inverter = Inverter(
            self.fitted.twin,
            self.fitted.prior,
            self.fitted.noise,
            window_frames=window,
            free_frames=free,
            tau=self.config.tau,
            share=shown_share(self.fitted.prior),
        )
        for end in range(window, len(video) + 1):
            inverter.forget()
            seen = inverter.observed(
                torch.from_numpy(trial.responses[end - free : end]),
                torch.from_numpy(trial.valid[end - free : end].astype(np.float32)),
                torch.from_numpy(trial.behaviour[end - window : end]),
            )
            for _ in range(self.config.steps):
                inverter.improve(seen)
            lag = self.config.lag_frames
            video[end - 1 - lag] = inverter.result(back=lag)[0][0]
        return video
