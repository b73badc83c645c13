"""Training of the network of a direct decoder: AdamW on the error of the pixels."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from rtdecode.datasets.video_session import VALIDATION, VideoSession, segments
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, pearson_r
from rtdecode.offline.direct import DirectDecoder
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.errors import DivergedError
from rtdecode.train.checkpoint import State, WeightAverage, copied
from rtdecode.train.direct_crops import Crop, EstimatedCrops, inputs
from rtdecode.train.direct_readin import CrossFit
from rtdecode.train.training import learning_rate_factor

F32 = NDArray[np.float32]

_LARGEST_GRADIENT = 1.0
_FLOOR = 0.1
"""Least variance of a crop, in units of the squared contrast, by which its error is divided."""
_LOSS_FRAMES = 20
"""Frames at the beginning of a crop whose estimates lack part of the past."""


@dataclass(slots=True, eq=False)
class DirectOutcome:
    """A trained decoder, and how it was found."""

    decoder: DirectDecoder
    penalty: float
    """Of the linear maps, in units of the mean variance of a feature."""
    validation_r: list[tuple[int, float]] = field(default_factory=list)
    """Mean correlation on validation trials by step; step 0 is the linear estimate."""
    elapsed_s: float = 0.0
    r_by_chance: list[float] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> tuple[int, float]:
        """The step whose weights were kept, and its correlation."""
        return max(self.validation_r, key=lambda pair: pair[1])


@dataclass(frozen=True, slots=True)
class DirectProgress:
    """Progress of the training of the network, after each step."""

    step: int
    steps: int
    loss: float
    best_r: float
    eta_s: float


class NetworkTraining:
    """Training of the network of a decoder, behind its cross-fitted linear maps.

    Parameters
    ----------
    data, fit, config
        Session, linear maps, and sizes, steps and rates.
    outcome
        Holds the decoder, whose device computes; gets the correlation of each validation.
    elapsed_s
        Time in s since the fit began.
    """

    def __init__(
        self,
        data: VideoSession,
        fit: CrossFit,
        outcome: DirectOutcome,
        config: DirectConfig,
        *,
        elapsed_s: Callable[[], float],
    ) -> None:
        self._outcome, self._config, self._elapsed_s = outcome, config, elapsed_s
        self._decoder, self._network = outcome.decoder, outcome.decoder.network
        self._crops = EstimatedCrops(data, outcome.decoder, fit, config)
        self._validation = Validation(outcome.decoder, data)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), weight_decay=config.weight_decay, betas=(0.9, 0.99)
        )
        self._average = WeightAverage(self._network, decay=config.average_decay)
        self._limit_s = None if config.max_minutes is None else 60 * config.max_minutes

    def run(self, report: Callable[[DirectProgress], None]) -> None:
        """Train to the end, and keep the averaged weights of the best validation.

        Unless the time limit ends the run, the result depends on session and config alone.
        """
        begun_s, steps = self._elapsed_s(), self._config.steps
        best, step, over = copied(self._network.state_dict()), 0, False
        self._outcome.validation_r.append((0, self._validation.r()))
        while not over:
            self._set_rate(step)
            loss = _descend(self._decoder, self._crops.batch(step), self._optimiser, step)
            self._average.add(self._network, step)
            step += 1
            over = step >= steps or self._is_late()
            if over or step % self._config.validate_every == 0:
                best = self._validated(step, best)
                over = over or self._is_settled()
            eta_s = (self._elapsed_s() - begun_s) / step * (steps - step)
            report(DirectProgress(step, steps, loss, self._outcome.best[1], eta_s))
        self._network.load_state_dict(best)
        self._network.eval().requires_grad_(requires_grad=False)

    def _is_late(self) -> bool:
        return self._limit_s is not None and self._elapsed_s() >= self._limit_s

    def _is_settled(self) -> bool:
        """Whether the last validations, as many as the patience, brought no improvement."""
        since = [step for step, _ in self._outcome.validation_r if step > self._outcome.best[0]]
        return len(since) >= self._config.patience

    def _set_rate(self, step: int) -> None:
        factor = learning_rate_factor(
            step,
            steps=self._config.steps,
            warm_up=self._config.warm_up_steps,
            elapsed_s=self._elapsed_s(),
            limit_s=self._limit_s,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = self._config.learning_rate * factor

    def _validated(self, step: int, best: State) -> State:
        """The better of `best` and the averaged weights of `step`, on validation trials."""
        trained = copied(self._network.state_dict())
        self._network.load_state_dict(self._average.state)
        self._outcome.validation_r.append((step, self._validation.r()))
        self._network.load_state_dict(trained)
        return copied(self._average.state) if self._outcome.best[0] == step else best


def _descend(
    decoder: DirectDecoder, crop: Crop, optimiser: torch.optim.Optimizer, step: int
) -> float:
    """One gradient step; the loss of the crop before it."""
    optimiser.zero_grad(set_to_none=True)
    loss = crop_loss(decoder, crop)
    loss.backward()  # type: ignore[no-untyped-call]
    size = nn.utils.clip_grad_norm_(decoder.network.parameters(), _LARGEST_GRADIENT)
    if not torch.isfinite(size):
        raise DivergedError(step=step)
    optimiser.step()
    return float(loss.detach())


def crop_loss(decoder: DirectDecoder, crop: Crop) -> Float[Tensor, ""]:
    """Share of the variance of each crop that remains, mean over crops; on the decoder's device."""
    maps, condition, frames = (one.to(decoder.device) for one in crop)
    error = (decoder.refined(maps, condition) - frames)[:, _LOSS_FRAMES:].square().mean((1, 2, 3))
    return (error / (frames.var((1, 2, 3)) + _FLOOR)).mean()


class Validation:
    """Mean correlation on the validation trials, whose linear estimates are computed once."""

    def __init__(self, decoder: DirectDecoder, data: VideoSession) -> None:
        self._decoder = decoder
        self._trials: list[tuple[Tensor, Tensor, F32]] = []
        for cut in segments(data, VALIDATION):
            maps, condition = inputs(decoder, decoder.readin, cut, cut.responses)
            displayed = cut.video[FIRST_SCORED_FRAME : len(maps)]
            self._trials.append((torch.from_numpy(maps), torch.from_numpy(condition), displayed))

    @torch.no_grad()
    def r(self) -> float:
        """With the present weights."""
        of_trial = []
        for maps, condition, displayed in self._trials:
            decoded = self._decoder.grey_levels(maps, condition)[FIRST_SCORED_FRAME:]
            of_trial.append(pearson_r(displayed, decoded))
        return float(np.mean(of_trial))
