"""MAP solver: Nesterov steps on innovations of the estimated frames, for decoder and offline use.

Duties: hold the solution of one horizon, shift it when frames arrive, improve it step by step, and
return video and what was left out. Equations (5) to (7) of docs/decoder.md. This module must not
depend on clocks, messages or files.
"""

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
    quasi_score_on_host,
)
from rtdecode.decode.noise import Noise
from rtdecode.decode.predictor import Prediction, predictor
from rtdecode.decode.prior import VideoPrior
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]
_MOMENTUM = 0.6
_BLACK, _WHITE = 0.0, 255.0
_REJECTED_NEURON = 0.1
"""Mean diagonal of Ω over the compared frames below which a neuron is reported as left out."""
_REJECTED_FRAME = 4.0
"""Noise scale σ above which a frame is reported as left out: its weight is below 1/16."""


@dataclass(frozen=True, slots=True)
class ObservedFrames:
    """Recorded activity, weights and prediction in the compared frames, oldest first.

    carried: coefficients of the estimated frames that the history alone predicts. It is valid until
    the horizon is shifted.
    """

    recorded: Float[Tensor, "compared neuron"]
    weights: ObservationWeights
    predict: Prediction
    carried: Float[Tensor, "estimated krow kcol"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Measurements that had almost no weight in the last step.

    neurons: (neuron,) True where the mean robust weight over the compared frames was below 0.1.
    frames: (estimated frame,) True where residuals of all neurons were far larger than by the noise
    model, as in a scan with an artefact; oldest first.
    """

    neurons: NDArray[np.bool_]
    frames: NDArray[np.bool_]


class Solver:
    """Maximises the posterior of the video in one horizon, given recorded activity.

    Of the horizon the newest `estimated_frames` are estimated; the older ones have been given out
    and are the history that the twin's filters need. A step is, with Nesterov's momentum β = 0.6,

        gradient(u) = u / u_sd² - J' score,                                                (5), (6)
        v ← β v - η gradient(u + β v),    u ← u + v,    η = 1 / λ_max(I + J' W J),              (7)

    with the score of `likelihood.quasi_score`. λ_max is computed at a video drawn from the prior.
    The derivative of the score exceeds that of the Gauss-Newton matrix by a bounded factor only,
    whatever is recorded, so that this step size is stable. It is the same in the first estimated
    frame, where a larger step would be stable: as few small steps are taken for each frame, past
    estimates still constrain the solution.

    Parameters
    ----------
    twin, prior, noise
        Encoding model, video prior and noise model.
    window_frames
        Length of the horizon, history included.
    estimated_frames
        Number of its newest frames that are estimated.
    likelihood_weight
        λ; by default that of `noise`.
    shrinkage
        Output gain of each cosine coefficient (spectral shrinkage); by default 1.

    Notes
    -----
    With a twin of temporal stride n only every n-th frame is compared, at 1 / n of the cost.
    """

    def __init__(
        self,
        twin: Twin,
        prior: VideoPrior,
        noise: Noise,
        *,
        window_frames: int,
        estimated_frames: int,
        likelihood_weight: float | None = None,
        shrinkage: Float[Tensor, "krow kcol"] | None = None,
    ) -> None:
        self._noise, self._products = noise, factor_products(noise)
        self._score = quasi_score if noise.dispersion.is_cuda else quasi_score_on_host
        self._block = EstimatedFrames(prior, frames=estimated_frames)
        self._likelihood_weight = (
            noise.likelihood_weight
            if likelihood_weight is None
            else torch.full_like(noise.likelihood_weight, likelihood_weight)
        )
        self._history = window_frames - estimated_frames
        self._predictor = predictor(
            twin, prior.basis, history=self._history, estimated=estimated_frames
        )
        self._objective = prior.mean.new_zeros(())
        self._moved = 0
        self._kept_weights: tuple[Tensor, ObservationWeights] | None = None
        self._shrinkage = torch.ones_like(prior.power) if shrinkage is None else shrinkage
        self._neurons = twin.spec.neurons
        self.reset()
        mean = torch.tensor(twin.spec.behaviour_mean, device=prior.mean.device)
        # step size η of eq. (7)
        self._step_size = 1 / largest_eigenvalue(
            self._block,
            self._predictor,
            mean.expand(window_frames, -1),
            history=self._history,
            weights=self._weights(torch.ones(1, twin.spec.neurons, device=prior.mean.device)),
            floor=noise.floor,
        )

    def observed(
        self,
        recorded: Float[Tensor, "estimated neuron"],
        measured: Float[Tensor, "estimated neuron"],
        behaviour: Float[Tensor, "horizon channel"],
    ) -> ObservedFrames:
        """The estimated frames that are compared, with their weights and their prediction.

        `measured` is 1 where there is a measurement, else 0; `recorded` is in twin units.
        """
        stride = self._predictor.stride
        compared = slice((len(recorded) - 1) % stride, None, stride)
        predict = self._predictor.given(self._old, behaviour, moved=self._moved)
        self._moved = 0
        return ObservedFrames(
            recorded[compared].contiguous(),
            self._weights_of(measured[compared]),
            predict,
            self._block.carried(self._state.past),
        )

    def reset(self) -> None:
        """Return to the state before any measurement."""
        self._state = initial_state(self._block, history=self._history)
        self._moved = self._history
        self._likelihood: QuasiScore | None = None

    def advance(self, frames: int) -> None:
        """Shift the horizon by `frames`; new frames start from the prior's prediction."""
        self._state = shifted(self._state, self._block, frames=frames)
        self._moved += frames

    def initialise_newest(self, coefficients: Float[Tensor, "krow kcol"]) -> None:
        """Start the newest frame from `coefficients` instead of the prior's prediction."""
        self._state = with_newest_frame(self._state, self._block, coefficients)

    @torch.no_grad()
    def improve(self, observed: ObservedFrames) -> None:
        """One step of eq. (7), at the cost of one forward and one backward pass of the twin."""
        state, block = self._state, self._block
        ahead = torch.add(state.u, state.velocity, alpha=_MOMENTUM)
        video = block.responded(ahead, observed.carried)
        predicted, adjoint = observed.predict.linearised(video)
        likelihood = self._score(
            predicted, observed.recorded, observed.weights, floor=self._noise.floor
        )
        back = block.adjoint(adjoint(likelihood.score))  # J' score
        whitened = ahead / block.u_sd
        gradient = whitened / block.u_sd - back  # eq. (5)
        # v ← β v - η gradient, u ← u + v
        velocity = _MOMENTUM * state.velocity - self._step_size * gradient
        self._state = SolverState(state.u + velocity, velocity, state.past)
        self._objective = likelihood.misfit + whitened.square().sum() / 2
        self._likelihood = likelihood

    @torch.no_grad()
    def result(self, *, back: int, ahead: int = 0) -> tuple[F32, float]:
        """Video of the newest `back` + 1 frames, and the objective of eq. (6) at the last step.

        The video is (frame, row, col) in grey levels, followed by the prior's prediction of the
        next `ahead` frames, at most as many as are estimated. The call waits for the device.
        """
        state = self._state
        known = torch.cat([state.past, self._block.coefficients(state.u, state.past)])
        wanted = known[-back - 1 :]
        if ahead:
            # innovations of 0, which is their mean under the prior
            next_frames = self._block.coefficients(torch.zeros_like(state.u), known)
            wanted = torch.cat([wanted, next_frames[:ahead]])
        video = self._block.basis.video(self._shrinkage * wanted).clamp(_BLACK, _WHITE)
        return video.cpu().numpy(), float(self._objective)

    @torch.no_grad()
    def rejected(self) -> Rejected:
        """Neurons and frames that had almost no weight in the last step; waits for the device."""
        estimated, stride = self._block.frames, self._predictor.stride
        if self._likelihood is None:
            return Rejected(np.zeros(self._neurons, np.bool_), np.zeros(estimated, np.bool_))
        neurons = self._likelihood.robust.mean(0) < _REJECTED_NEURON
        frames = (self._likelihood.noise_scale[:, 0] > _REJECTED_FRAME).cpu().numpy()
        return Rejected(neurons.cpu().numpy(), np.repeat(frames, stride)[-estimated:])

    @property
    def _old(self) -> Float[Tensor, "history krow kcol"]:
        past = self._state.past
        return past[len(past) - self._history :]

    def _weights_of(self, measured: Float[Tensor, "compared neuron"]) -> ObservationWeights:
        """The weights; on the host those of the frame before while they are the same."""
        if self._kept_weights is not None and not measured.is_cuda:
            known, weights = self._kept_weights
            if torch.equal(known, measured):
                return weights
        weights = self._weights(measured)
        self._kept_weights = measured.clone(), weights
        return weights

    def _weights(self, measured: Tensor) -> ObservationWeights:
        return observation_weights(
            self._noise,
            measured,
            likelihood_weight=self._likelihood_weight,
            stride=self._predictor.stride,
            products=self._products,
        )
