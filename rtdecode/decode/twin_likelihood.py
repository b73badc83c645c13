"""Likelihood of recorded activity by one twin in the estimated frames, for the solver.

Duties: predict the compared frames, weigh their measurements by the noise model of the twin, and
give the score with its derivative by the video. A solver has one for each twin of an ensemble. This
module must not depend on the solver, on clocks or on messages.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.compute import Kernels
from rtdecode.decode.gauss_newton import largest_eigenvalue
from rtdecode.decode.horizon import EstimatedFrames
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
from rtdecode.twins.twin import Twin

Coefficients = Float[Tensor, "estimated krow kcol"]


@dataclass(frozen=True, slots=True)
class ObservedByTwin:
    """Recorded activity, weights and prediction in the frames that a twin compares, oldest first.

    It is valid until the horizon is shifted.
    """

    recorded: Float[Tensor, "compared neuron"]
    weights: ObservationWeights
    predict: Prediction


class TwinLikelihood:
    """The likelihood of one twin with its noise model.

    Parameters
    ----------
    twin, noise
        Encoding model, eq. (1) of docs/decoder.md, and noise model, eqs. (3) and (4).
    block
        Estimated frames with their prior.
    history
        Frames of the horizon before the estimated ones.
    likelihood_weight
        λ; by default that of `noise`.
    kernels
        What predictions and scores are computed by.

    Notes
    -----
    With a twin of temporal stride n only every n-th frame is compared, at 1 / n of the cost.
    """

    def __init__(
        self,
        twin: Twin,
        noise: Noise,
        block: EstimatedFrames,
        *,
        history: int,
        likelihood_weight: float | None,
        kernels: Kernels,
    ) -> None:
        self._noise, self._products = noise, factor_products(noise)
        self._on_host = kernels is Kernels.LOOPS
        self._score = quasi_score_on_host if self._on_host else quasi_score
        self._likelihood_weight = (
            noise.likelihood_weight
            if likelihood_weight is None
            else torch.full_like(noise.likelihood_weight, likelihood_weight)
        )
        self._block, self._history, self._neurons = block, history, twin.spec.neurons
        self._predictor = predictor(
            twin, block.basis, history=history, estimated=block.frames, kernels=kernels
        )
        self._moved = history
        self._kept_weights: tuple[Tensor, ObservationWeights] | None = None
        self._mean_behaviour = torch.tensor(twin.spec.behaviour_mean, device=block.u_sd.device)

    @property
    def stride(self) -> int:
        """Frames from one compared frame to the next."""
        return self._predictor.stride

    def advance(self, frames: int) -> None:
        """Shift the horizon by `frames`."""
        self._moved += frames

    def reset(self) -> None:
        """All frames of the horizon are new."""
        self._moved = self._history

    def observed(
        self,
        recorded: Float[Tensor, "estimated neuron"],
        measured: Float[Tensor, "estimated neuron"],
        behaviour: Float[Tensor, "horizon channel"],
        *,
        old: Float[Tensor, "history krow kcol"],
    ) -> ObservedByTwin:
        """The compared frames, with their weights and their prediction; `old` is the history."""
        compared = slice((len(recorded) - 1) % self.stride, None, self.stride)
        predict = self._predictor.given(old, behaviour, moved=self._moved)
        self._moved = 0
        weights = self._weights_of(measured[compared])
        return ObservedByTwin(recorded[compared].contiguous(), weights, predict)

    def score(
        self, video: Coefficients, observed: ObservedByTwin
    ) -> tuple[QuasiScore, Coefficients]:
        """The score of eq. (5) at `video`, and its derivative by the coefficients of `video`."""
        predicted, adjoint = observed.predict.linearised(video)
        found = self._score(predicted, observed.recorded, observed.weights, floor=self._noise.floor)
        return found, adjoint(found.score)

    def largest_eigenvalue(self) -> Float[Tensor, ""]:
        """λ_max of eq. (7), with all neurons measured and the mean behaviour."""
        measured = self._block.u_sd.new_ones(1, self._neurons)
        return largest_eigenvalue(
            self._block,
            self._predictor,
            self._mean_behaviour.expand(self._history + self._block.frames, -1),
            history=self._history,
            weights=self._weights(measured),
            floor=self._noise.floor,
        )

    def _weights_of(self, measured: Float[Tensor, "compared neuron"]) -> ObservationWeights:
        """The weights; on the host those of the frame before while they are the same."""
        if self._kept_weights is not None and self._on_host:
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
            stride=self.stride,
            products=self._products,
        )
