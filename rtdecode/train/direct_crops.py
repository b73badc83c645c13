"""Crops of training trials for the direct decoder: linear estimates, conditions, and the video."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment, VideoSession
from rtdecode.offline.direct import HISTORY_FRAMES, DirectDecoder, Readin, conditions
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.errors import TooShortError
from rtdecode.train.direct_readin import CrossFit

F32 = NDArray[np.float32]

Crop = tuple[
    Float[Tensor, "batch frame bin row col"],
    Float[Tensor, "batch frame condition"],
    Float[Tensor, "batch frame rows cols"],
]
"""Linear estimates, conditions, and frames in units of the contrast about the mean frame."""


class EstimatedCrops:
    """Crops of the training trials of a session; those of a step depend on seed and step alone.

    Parameters
    ----------
    data
        A session with training trials.
    untrained
        The decoder whose network is to be trained.
    fit
        Its linear maps; each trial is estimated by those that were fitted to other trials.
    config
        Size of the crops, and the largest share of neurons that are left out of one.
    """

    def __init__(
        self, data: VideoSession, untrained: DirectDecoder, fit: CrossFit, config: DirectConfig
    ) -> None:
        self._data, self._decoder, self._fit, self._config = data, untrained, fit, config
        self._trials = data.trials(TRAIN)
        self._lag = untrained.lag_frames
        spare = min(map(data.frames, self._trials)) - self._lag - HISTORY_FRAMES
        self._frames = HISTORY_FRAMES + min(config.frames, spare)

    def batch(self, step: int) -> Crop:
        """The crops of a step, of different trials where there are enough."""
        rng = np.random.default_rng([self._config.seed, step])
        size, trials = self._config.batch, len(self._trials)
        places = rng.choice(trials, size, replace=trials < size)
        maps, condition, frames = zip(*(self._crop(int(k), rng) for k in places), strict=True)
        return tuple(torch.from_numpy(np.stack(kind)) for kind in (maps, condition, frames))  # type: ignore[return-value]

    def _crop(self, place: int, rng: np.random.Generator) -> tuple[F32, F32, F32]:
        number, decoder = self._trials[place], self._decoder
        latest = self._data.frames(number) - self._lag - self._frames
        first = int(rng.integers(0, latest + 1))
        cut = self._data.segment(number, first=first, frames=self._frames + self._lag)
        left_out = rng.random(decoder.neurons) < rng.random() * self._config.dropout
        responses = np.where(left_out, np.float32(np.nan), cut.responses)
        maps, condition = inputs(decoder, self._fit.of_training_trial(place), cut, responses)
        return maps, condition, decoder.normalised(cut.video[: self._frames])


def check_lengths(data: VideoSession, lag_frames: int) -> None:
    """Raise TooShortError for a trial without a frame that has its lag and all of its past."""
    needed = lag_frames + HISTORY_FRAMES + 1
    for number in (*data.trials(TRAIN), *data.trials(VALIDATION)):
        if data.frames(number) < needed:
            raise TooShortError(
                what=f"trial {number} of {data.folder}", frames=data.frames(number), needed=needed
            )


def inputs(decoder: DirectDecoder, readin: Readin, cut: Segment, responses: F32) -> tuple[F32, F32]:
    """Linear estimates and conditions of the frames whose lag has passed; `responses` of `cut`."""
    lag = decoder.lag_frames
    emitted = len(responses) - lag
    condition = conditions(responses, cut.behaviour, decoder.behaviour, lag)
    return readin.maps(responses, lag)[:emitted], condition[:emitted]
