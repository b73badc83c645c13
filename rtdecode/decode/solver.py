"""Inversion of a twin in the prior's innovations, a few steps at a time."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.gauss_newton import largest_eigenvalue
from rtdecode.decode.horizon import (
    EstimatedFrames,
    SolverState,
    initial_state,
    shifted,
    with_newest_frame,
)
from rtdecode.decode.likelihood import (
    ObservationWeights,
    QuasiScore,
    factor_products,
    observation_weights,
    quasi_score,
)
from rtdecode.decode.noise import Noise
from rtdecode.decode.predictor import Predict, predictor
from rtdecode.decode.prior import VideoPrior
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]
_MOMENTUM = 0.6
_BLACK, _WHITE = 0.0, 255.0
_REJECTED_NEURON = 0.1
"""Mean robust weight over the compared frames below which a neuron counts as left out."""
_REJECTED_FRAME = 4.0
"""Noise scale above which a frame does: its weight is then below 1/16."""


@dataclass(frozen=True, slots=True)
class ObservedFrames:
    """What is known of the free frames whose activity is compared, oldest first.

    It stands until the window moves on.
    """

    recorded: Float[Tensor, "compared neuron"]
    weights: ObservationWeights
    predict: Predict


@dataclass(frozen=True, slots=True)
class Rejected:
    """What the last step gave next to no weight.

    neurons: (neuron,) True where activity was implausible in all compared frames together.
    frames: (free frame,) True where all neurons scattered far beyond the noise model, as in a scan
    with an artefact; oldest first.
    """

    neurons: NDArray[np.bool_]
    frames: NDArray[np.bool_]


class Solver:
    """Finds the video whose predicted activity explains the recorded one, under the prior.

    Only the newest `free_frames` of the window change; older ones have long been given out and
    serve as history of the twin's filters. Each step is a step with Nesterov's momentum along

        -u / u_sd^2 + J' score,        score as in `likelihood.quasi_score`.

    The step size is 1 over the largest eigenvalue of the Gauss-Newton matrix at a video drawn from
    the prior: nothing is tuned by hand. The score's derivative exceeds that of the Gauss-Newton
    matrix by a bounded factor only, whatever is recorded, so that this step is stable. It is the
    same in the first free frame, where the prior binds u less and longer steps would be stable: few
    steps a frame that are this small keep the past from being thrown away.

    A twin with a pace is compared at every pace-th frame, which costs that much less. `share` is
    what a result tells of the amplitude of each coefficient: all of it, unless it is given.
    """

    def __init__(
        self,
        twin: Twin,
        prior: VideoPrior,
        noise: Noise,
        *,
        window_frames: int,
        free_frames: int,
        likelihood_weight: float | None = None,
        share: Float[Tensor, "krow kcol"] | None = None,
    ) -> None:
        self._noise, self._products = noise, factor_products(noise)
        self._block = EstimatedFrames(prior, frames=free_frames)
        self._likelihood_weight = (
            noise.likelihood_weight
            if likelihood_weight is None
            else torch.full_like(noise.likelihood_weight, likelihood_weight)
        )
        self._history = window_frames - free_frames
        self._predictor = predictor(twin, prior.basis, history=self._history, free=free_frames)
        self._objective = prior.mean.new_zeros(())
        self._moved = 0
        self._share = torch.ones_like(prior.power) if share is None else share
        self._neurons = twin.spec.neurons
        self.reset()
        mean = torch.tensor(twin.spec.behaviour_mean, device=prior.mean.device)
        self._rate = 1 / largest_eigenvalue(
            self._block,
            self._predictor,
            mean.expand(window_frames, -1),
            history=self._history,
            weights=self._weights(torch.ones(1, twin.spec.neurons, device=prior.mean.device)),
            floor=noise.floor,
        )

    def observed(
        self,
        recorded: Float[Tensor, "free neuron"],
        measured: Float[Tensor, "free neuron"],
        behaviour: Float[Tensor, "window channel"],
    ) -> ObservedFrames:
        """Those of the free frames that are compared, with their weights."""
        every = self._predictor.every
        compared = slice((len(recorded) - 1) % every, None, every)
        predict = self._predictor.given(self._old, behaviour, moved=self._moved)
        self._moved = 0
        return ObservedFrames(recorded[compared], self._weights(measured[compared]), predict)

    def reset(self) -> None:
        """Begin again, with nothing seen yet."""
        self._state = initial_state(self._block, history=self._history)
        self._moved = self._history
        self._score: QuasiScore | None = None

    def advance(self, frames: int) -> None:
        """Move the window on by `frames`."""
        self._state = shifted(self._state, self._block, frames=frames)
        self._moved += frames

    def initialise_newest(self, coefficients: Float[Tensor, "krow kcol"]) -> None:
        """Let the newest frame start from `coefficients` instead of the prior's prediction."""
        self._state = with_newest_frame(self._state, self._block, coefficients)

    def improve(self, observed: ObservedFrames) -> None:
        """One step; its cost is one pass forward and one backward through the twin."""
        state = self._state
        ahead = (state.u + _MOMENTUM * state.velocity).requires_grad_()
        predicted = observed.predict(self._block.coefficients(ahead, state.past))
        score = quasi_score(
            predicted.detach(), observed.recorded, observed.weights, floor=self._noise.floor
        )
        (pulled,) = torch.autograd.grad(predicted, ahead, score.pull)
        whitened = ahead.detach() / self._block.u_sd
        gradient = whitened / self._block.u_sd - pulled
        velocity = _MOMENTUM * state.velocity - self._rate * gradient
        self._state = SolverState(state.u + velocity, velocity, state.past)
        self._objective = score.misfit + whitened.square().sum() / 2
        self._score = score

    @torch.no_grad()
    def result(self, *, back: int) -> tuple[F32, float]:
        """Video of the last `back` + 1 frames, and the objective.

        Here, after the last step, the host waits for the device.
        """
        state = self._state
        known = torch.cat([state.past, self._block.coefficients(state.u, state.past)])
        video = self._block.basis.video(self._share * known[-back - 1 :]).clamp(_BLACK, _WHITE)
        return video.cpu().numpy(), float(self._objective)

    @torch.no_grad()
    def rejected(self) -> Rejected:
        """What counted next to nothing in the last step; as `result`, it waits for the device."""
        free, every = self._block.frames, self._predictor.every
        if self._score is None:
            return Rejected(np.zeros(self._neurons, np.bool_), np.zeros(free, np.bool_))
        neurons = self._score.robust.mean(0) < _REJECTED_NEURON
        frames = (self._score.noise_scale[:, 0] > _REJECTED_FRAME).cpu().numpy()
        return Rejected(neurons.cpu().numpy(), np.repeat(frames, every)[-free:])

    @property
    def _old(self) -> Float[Tensor, "history krow kcol"]:
        past = self._state.past
        return past[len(past) - self._history :]

    def _weights(self, measured: Tensor) -> ObservationWeights:
        return observation_weights(
            self._noise,
            measured,
            likelihood_weight=self._likelihood_weight,
            every=self._predictor.every,
            products=self._products,
        )
