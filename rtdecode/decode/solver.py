"""MAP solver: Nesterov steps on innovations of the estimated frames, for decoder and offline use.

Duties: hold the solution of one horizon, shift it when frames arrive, improve it step by step, and
return video and what was left out. Equations (5) to (7) of docs/decoder.md. This module must not
depend on clocks, messages or files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.compute import Kernels, kernels_of, on_host
from rtdecode.decode.horizon import (
    EstimatedFrames,
    initial_state,
    shifted,
    with_newest_frame,
)
from rtdecode.decode.likelihood import QuasiScore
from rtdecode.decode.noise import Noise
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.twin_likelihood import ObservedByTwin, TwinLikelihood
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]
_BLACK, _WHITE = 0.0, 255.0
_REJECTED_NEURON = 0.1
"""Mean diagonal of Ω over the compared frames below which a neuron is reported as left out."""
_REJECTED_FRAME = 4.0
"""Noise scale σ above which a frame is reported as left out: its weight is below 1/16."""


@dataclass(frozen=True, slots=True)
class ObservedFrames:
    """What is recorded in the horizon, as each twin that is inverted compares it.

    carried: coefficients of the estimated frames that the history alone predicts. It is valid until
    the horizon is shifted.
    """

    by_twin: tuple[ObservedByTwin, ...]
    carried: Float[Tensor, "estimated krow kcol"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Measurements that had almost no weight in the last step.

    neurons: (neuron,) True where the mean robust weight over the compared frames was below 0.1.
    frames: (estimated frame,) True where residuals of all neurons were far larger than by the noise
    model, as in a scan with an artefact; oldest first. With several twins both are means over them.
    """

    neurons: NDArray[np.bool_]
    frames: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The solution as it is, on the host.

    video: (frame, row, col) in grey levels. objective: that of eq. (6) at the last step. rejected:
    what had almost no weight in it.
    """

    video: F32
    objective: float
    rejected: Rejected


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
        Encoding model, video prior and noise model, all on the device that computes.
    window_frames
        Length of the horizon, history included.
    estimated_frames
        Number of its newest frames that are estimated.
    likelihood_weight
        λ; by default that of `noise`.
    shrinkage
        Output gain of each cosine coefficient (spectral shrinkage); by default 1.
    others
        Further twins of the same neurons with their noise models, eq. (8): the likelihoods of all
        are averaged.
    kernels
        What a step is computed by; by default compiled loops on the host, and torch elsewhere.
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
        others: Sequence[tuple[Twin, Noise]] = (),
        kernels: Kernels | None = None,
    ) -> None:
        kernels = kernels or kernels_of(prior.mean.device)
        self._block = EstimatedFrames(prior, frames=estimated_frames, kernels=kernels)
        self._history = window_frames - estimated_frames
        self._likelihoods = [
            TwinLikelihood(
                one,
                of_one,
                self._block,
                history=self._history,
                likelihood_weight=likelihood_weight,
                kernels=kernels,
            )
            for one, of_one in [(twin, noise), *others]
        ]
        self._objective = prior.mean.new_zeros(())
        self._shrinkage = torch.ones_like(prior.power) if shrinkage is None else shrinkage
        self._neurons = twin.spec.neurons
        self.reset()
        # η of eq. (7) for the first 1, 2, … twins: λ_max of a mean is at most the mean of λ_max
        largest = torch.stack([one.largest_eigenvalue() for one in self._likelihoods]).cumsum(0)
        self._step_sizes = [count / total for count, total in enumerate(largest, start=1)]

    def observed(
        self,
        recorded: Float[Tensor, "estimated neuron"],
        measured: Float[Tensor, "estimated neuron"],
        behaviour: Float[Tensor, "horizon channel"],
        *,
        members: int | None = None,
    ) -> ObservedFrames:
        """What is recorded, as the first `members` twins compare it; by default as all do.

        `measured` is 1 where there is a measurement, else 0; `recorded` is in twin units.
        """
        past = self._state.past
        old = past[len(past) - self._history :]
        by_twin = tuple(
            one.observed(recorded, measured, behaviour, old=old)
            for one in self._likelihoods[:members]
        )
        return ObservedFrames(by_twin, self._block.carried(past))

    def reset(self) -> None:
        """Return to the state before any measurement."""
        self._state = initial_state(self._block, history=self._history)
        for one in self._likelihoods:
            one.reset()
        self._scores: list[QuasiScore] = []

    def advance(self, frames: int) -> None:
        """Shift the horizon by `frames`; new frames start from the prior's prediction."""
        self._state = shifted(self._state, self._block, frames=frames)
        for one in self._likelihoods:
            one.advance(frames)

    def initialise_newest(self, coefficients: Float[Tensor, "krow kcol"]) -> None:
        """Start the newest frame from `coefficients` instead of the prior's prediction."""
        self._state = with_newest_frame(self._state, self._block, coefficients)

    @torch.no_grad()
    def improve(self, observed: ObservedFrames) -> None:
        """One step of eq. (7), at the cost of one forward and one backward pass of each twin."""
        state, block = self._state, self._block
        ahead = block.extrapolated(state)
        video = block.responded(ahead, observed.carried)
        pairs = zip(self._likelihoods, observed.by_twin, strict=False)  # the first members alone
        found = [one.score(video, seen) for one, seen in pairs]
        back = block.adjoint(_mean([back for _, back in found]))  # J' score
        step_size = self._step_sizes[len(found) - 1]
        self._state, prior_term = block.moved(state, ahead, back, step_size=step_size)
        self._scores = [score for score, _ in found]
        self._objective = _mean([score.misfit for score in self._scores]) + prior_term

    def result(self, *, back: int, ahead: int = 0) -> tuple[F32, float]:
        """Video of the newest `back` + 1 frames, and the objective of eq. (6) at the last step.

        The video is (frame, row, col) in grey levels, followed by the prior's prediction of the
        next `ahead` frames, at most as many as are estimated. The call waits for the device.
        """
        video, objective = on_host(self._video(back=back, ahead=ahead), self._objective)
        return video, float(objective)

    @torch.no_grad()
    def estimate(self, *, back: int, ahead: int = 0) -> Estimate:
        """As `result`, with what was left out; the call waits for the device once."""
        rejection = []
        if self._scores:
            frames = [
                score.noise_scale[:, 0].repeat_interleave(one.stride)[-self._block.frames :]
                for one, score in zip(self._likelihoods, self._scores, strict=False)
            ]
            rejection = [_mean([score.robust.mean(0) for score in self._scores]), _mean(frames)]
        video, objective, *found = on_host(
            self._video(back=back, ahead=ahead), self._objective, *rejection
        )
        rejected = Rejected(np.zeros(self._neurons, np.bool_), np.zeros(self._block.frames, bool))
        if found:
            rejected = Rejected(found[0] < _REJECTED_NEURON, found[1] > _REJECTED_FRAME)
        return Estimate(video, float(objective), rejected)

    @torch.no_grad()
    def _video(self, *, back: int, ahead: int) -> Float[Tensor, "frame row col"]:
        state = self._state
        known = torch.cat([state.past, self._block.coefficients(state.u, state.past)])
        wanted = known[-back - 1 :]
        if ahead:
            # innovations of 0, which is their mean under the prior
            next_frames = self._block.coefficients(torch.zeros_like(state.u), known)
            wanted = torch.cat([wanted, next_frames[:ahead]])
        return self._block.basis.video(self._shrinkage * wanted).clamp(_BLACK, _WHITE)


def _mean(values: Sequence[Tensor]) -> Tensor:
    """Mean over twins; of one twin its own value."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values) if len(values) > 1 else total
