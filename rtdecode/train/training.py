"""Training of a twin on a recorded session: AdamW on the Poisson loss, resumable at any step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from rtdecode.datasets.video_session import TRAIN, VALIDATION, VideoSession
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import DivergedError
from rtdecode.schema.interfaces import Clock
from rtdecode.train.checkpoint import (
    Standing,
    Trainee,
    WeightAverage,
    copied,
    load_checkpoint,
    save_checkpoint,
)
from rtdecode.train.crops import Batch, Crops
from rtdecode.train.distributed import Machines
from rtdecode.train.validation import F64, single_trial_correlation
from rtdecode.twins.poisson_loss import poisson_loss
from rtdecode.twins.twin import TailTwin, Twin, predict_tail

_LANDING = 0.15
"""Fraction of the time limit over which the learning rate decreases to 0."""


def learning_rate_factor(
    step: int, *, steps: int, warm_up: int, elapsed_s: float = 0.0, limit_s: float | None = None
) -> float:
    """Factor, 0..1, of the learning rate at `step`.

    Linear over the first `warm_up` steps, then half a cosine to 0 at `steps` (Loshchilov & Hutter
    2017, arXiv:1608.03983). With a time limit, the factor also decreases linearly to 0 over the
    last 15 % of it, so that a run that ends early has finished its annealing.
    """
    rise = min(1.0, (step + 1) / max(1, warm_up))
    done = max(0.0, (step - warm_up) / max(1, steps - warm_up))
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done))) * _landing(elapsed_s, limit_s)


def _landing(elapsed_s: float, limit_s: float | None) -> float:
    if limit_s is None:
        return 1.0
    return min(1.0, max(0.0, (limit_s - elapsed_s) / (_LANDING * limit_s)))


_SAVE_EVERY_S = 20.0
_LARGEST_GRADIENT = 5.0
_UNDECAYED = ("position", "bias", "temporal", "response_kernel", "log_")
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a training run, as reported after each step."""

    step: int
    steps: int
    loss: float
    """Poisson loss, exponentially averaged over steps."""
    best_r: float
    elapsed_s: float
    eta_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Result of a training run; the twin itself holds the best averaged weights."""

    single_trial_r: F64
    """(neuron,) on validation trials, of all twins one after the other; NaN without variance."""
    standing: Standing
    warnings: tuple[str, ...] = ()
    """What the result should not be relied on for, in sentences."""


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A twin that is trained, with its session and the crops of that."""

    twin: Twin
    data: VideoSession
    crops: Crops
    stride: int

    @classmethod
    def of(cls, twin: nn.Module, data: VideoSession, config: TrainingConfig) -> "_Member":
        known = cast(Twin, twin)
        crops = Crops(
            data,
            TRAIN,
            batch=config.batch,
            frames=config.frames,
            history=known.spec.history_frames,
            seed=config.seed,
            cutmix=config.cutmix,
        )
        stride = twin.temporal_stride if isinstance(twin, TailTwin) else 1
        return cls(known, data, crops, stride)

    def loss(self, batch: Batch) -> Tensor:
        """Poisson loss of a batch of its crops."""
        frames, stride = batch.responses.shape[1], self.stride
        predicted = predict_tail(
            self.twin, batch.video, batch.behaviour, frames=frames, stride=stride
        )
        return poisson_loss(predicted, batch.responses[:, (frames - 1) % stride :: stride])


class Training:
    """One training run.

    Parameters
    ----------
    twin
        An `nn.Module` that implements the `Twin` protocol; receives the best averaged weights.
    data
        Session of which the training and validation trials are used.
    others
        Further twins with their sessions, trained together with the first: step k is taken on the
        twin with the number k modulo their number, and parameters that twins share are the same
        objects in each.
    config
        Steps, rates and seed.
    checkpoint
        File from which an interrupted run resumes; removed by `discard_checkpoint`.
    clock
        Measures elapsed time.
    machines
        Process group of a distributed run.
    limit_s
        Time in s at which the training ends; by default that of `config`.
    """

    def __init__(
        self,
        twin: nn.Module,
        data: VideoSession,
        config: TrainingConfig,
        *,
        checkpoint: Path,
        clock: Clock,
        machines: Machines,
        limit_s: float | None = None,
        others: Sequence[tuple[nn.Module, VideoSession]] = (),
    ) -> None:
        self._config, self._checkpoint = config, checkpoint
        of_config_s = None if config.max_minutes is None else 60 * config.max_minutes
        self._limit_s = of_config_s if limit_s is None else limit_s
        self._clock, self._machines = clock, machines
        self._device = next(twin.parameters()).device
        self._members = [_Member.of(*each, config) for each in ((twin, data), *others)]
        self._model = nn.ModuleList([twin, *(one for one, _ in others)]) if others else twin
        model = self._model
        average = WeightAverage(model, decay=config.average_decay)
        optimiser = torch.optim.AdamW(_groups(model, config), betas=(0.9, 0.99))
        self._trainee = Trainee(model, average, optimiser, copied(model.state_dict()), Standing())
        self._settings = {
            **{name: str(value) for name, value in config.model_dump().items()},
            "data": " ".join(str(member.data.folder.resolve()) for member in self._members),
            "twin": str(model.state_dict().keys()),
        }

    def run(self, report: Callable[[Progress], None]) -> Outcome:
        """Train to the end, and call `report` after every step.

        Unless the time limit ends the run, the result depends on data, config and number of
        machines alone, however often the run is interrupted.

        Raises
        ------
        DivergedError
            If a gradient is not finite.
        CheckpointError, UnreadableFileError
            If the checkpoint is of other settings or damaged.
        """
        if self._checkpoint.is_file():
            load_checkpoint(self._checkpoint, self._trainee, settings=self._settings)
        standing = self._trainee.standing
        begun_ns = self._clock.now_ns() - round(standing.elapsed_s * _NS_PER_S)
        saved_s = standing.elapsed_s
        while not self._is_over():
            self._descend()
            elapsed_s = (self._clock.now_ns() - begun_ns) / _NS_PER_S
            standing.elapsed_s = self._machines.of_leader(elapsed_s, self._device)
            if standing.step % self._config.validate_every == 0 or self._is_over():
                self._validate()
            if standing.elapsed_s - saved_s > _SAVE_EVERY_S and self._machines.leads:
                save_checkpoint(self._checkpoint, self._trainee, settings=self._settings)
                saved_s = standing.elapsed_s
            report(self._progress())
        return self._outcome()

    def _is_over(self) -> bool:
        standing, limit_s = self._trainee.standing, self._limit_s
        return (
            standing.step >= self._config.steps
            or standing.worse_since >= self._config.patience
            or (limit_s is not None and standing.elapsed_s >= limit_s)
        )

    def _descend(self) -> None:
        trainee, standing = self._trainee, self._trainee.standing
        rank, ranks = self._machines.rank, self._machines.ranks
        turn, number = divmod(standing.step, len(self._members))
        member = self._members[number]
        batch = member.crops.batch(turn, rank=rank, ranks=ranks).to(self._device)
        self._set_rate()
        trainee.optimiser.zero_grad(set_to_none=True)
        loss = member.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        trained = [p for p in self._model.parameters() if p.requires_grad]
        self._machines.average_gradients(trained)
        size = nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)
        if not torch.isfinite(size):
            raise DivergedError(step=standing.step)
        trainee.optimiser.step()
        trainee.average.add(self._model, standing.step)
        now = float(loss.detach())
        standing.loss = now if standing.step == 0 else 0.98 * standing.loss + 0.02 * now
        standing.step += 1

    def _set_rate(self) -> None:
        standing = self._trainee.standing
        factor = learning_rate_factor(
            standing.step,
            steps=self._config.steps,
            warm_up=self._config.warm_up_steps,
            elapsed_s=standing.elapsed_s,
            limit_s=self._limit_s,
        )
        for group in self._trainee.optimiser.param_groups:
            group["lr"] = self._config.learning_rate * group["share"] * factor

    def _validate(self) -> None:
        """Keep the averaged weights if they are the best so far; the leader decides for all."""
        trainee, standing = self._trainee, self._trainee.standing
        r = self._averaged_r() if self._machines.leads else 0.0
        r = self._machines.of_leader(r, self._device)
        if r > standing.best_r:
            standing.best_r, standing.best_step, standing.worse_since = r, standing.step, 0
            trainee.best.update(copied(trainee.average.state))
        else:
            standing.worse_since += 1

    def _averaged_r(self) -> float:
        """Mean over the twins of their single-trial r with averaged weights."""
        trained = copied(self._model.state_dict())
        self._model.load_state_dict(self._trainee.average.state)
        r = [float(np.nanmean(each)) for each in self._correlations()]
        self._model.load_state_dict(trained)
        return float(np.mean(r))

    def _correlations(self) -> list[F64]:
        return [
            single_trial_correlation(one.twin, one.data, tier=VALIDATION, device=self._device)
            for one in self._members
        ]

    def _outcome(self) -> Outcome:
        self._model.load_state_dict(self._trainee.best)
        self._model.requires_grad_(False)
        return Outcome(np.concatenate(self._correlations()), self._trainee.standing)

    def discard_checkpoint(self) -> None:
        """Remove the checkpoint, after the twin has been written."""
        self._checkpoint.unlink(missing_ok=True)

    def _progress(self) -> Progress:
        standing, steps = self._trainee.standing, self._config.steps
        eta_s = standing.elapsed_s / standing.step * (steps - standing.step)
        limit_s = self._limit_s
        if limit_s is not None:
            eta_s = min(eta_s, max(0.0, limit_s - standing.elapsed_s))
        return Progress(
            standing.step, steps, standing.loss, standing.best_r, standing.elapsed_s, eta_s
        )


def _groups(twin: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    """Parameter groups with and without weight decay; `share` multiplies the learning rate."""
    # the parameters of several twins have their number before the name
    named = [
        (name.lstrip("0123456789."), p) for name, p in twin.named_parameters() if p.requires_grad
    ]
    free = [p for name, p in named if name.startswith(_UNDECAYED)]
    decayed = [p for name, p in named if not name.startswith(_UNDECAYED)]
    groups: list[dict[str, object]] = [
        {"params": decayed, "weight_decay": config.weight_decay, "share": 1.0},
        {"params": free, "weight_decay": 0.0, "share": 0.5},
    ]
    return [{**group, "lr": config.learning_rate} for group in groups if group["params"]]
