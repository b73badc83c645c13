"""The solver reaches the video at which a score written anew is 0."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.optimize import root

from rtdecode.decode.likelihood import TAIL
from rtdecode.decode.noise import Noise, unshared
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Solver
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec

FRAMES, NEURONS = 6, 7
MakeLinear = Callable[..., Linear]


def answers(twin: Linear, *, frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """(frame, neuron) counts of Poisson neurons that saw a few grey bars."""
    rng = np.random.default_rng(seed)
    video = 110 + 50 * np.sign(rng.normal(size=(frames, 1, 8))) * np.ones((1, 6, 1))
    rate = twin(torch.tensor(video[None], dtype=torch.float32), torch.zeros(1, frames, 4))[0]
    return rng.poisson(rate.clamp_min(0.05)).astype(np.float32)


def inverted(
    twin: Linear,
    prior: VideoPrior,
    noise: Noise,
    recorded: np.ndarray,
    *,
    steps: int,
    measured: np.ndarray | None = None,
) -> tuple[np.ndarray, list[float]]:
    """Video of all frames at once, and the objective at each step."""
    frames = len(recorded)
    solver = Solver(twin, prior, noise, window_frames=frames, estimated_frames=frames)
    present = np.ones_like(recorded) if measured is None else measured
    observed = solver.observed(
        torch.from_numpy(recorded), torch.from_numpy(present), torch.zeros(frames, 4)
    )
    objectives = []
    for _ in range(steps):
        solver.improve(observed)
        objectives.append(solver.result(back=frames - 1)[1])
    return solver.result(back=frames - 1)[0], objectives


class Written:
    """The objective and its gradient in NumPy, in double precision, frame by frame."""

    def __init__(self, twin: Linear, prior: VideoPrior, noise: Noise, recorded: np.ndarray) -> None:
        self.spatial = twin.spatial.numpy().astype(float)
        self.taps = twin.temporal.numpy()[0].astype(float)
        self.bias, self.recorded = twin.bias.numpy().astype(float), recorded.astype(float)
        self.scale = twin.spec.luminance_mean, twin.spec.luminance_sd
        self.first, self.second = prior.autoregression.numpy().astype(float)
        self.sd = np.broadcast_to(prior.innovation_sd.numpy(), (len(recorded), 4, 5)).copy()
        self.sd[0] = np.sqrt(prior.power.numpy())
        self.mean = prior.mean.numpy().astype(float)
        self.dispersion = noise.dispersion.numpy().astype(float)
        self.likelihood_weight = float(noise.likelihood_weight)
        self.floor = 0.3 * self.dispersion

    def video(self, u: np.ndarray) -> np.ndarray:
        y = np.zeros((len(u) + 2, 6, 8))
        for t, innovation in enumerate(u * self.sd):
            y[t + 2, :4, :5] = innovation
            y[t + 2, :4, :5] += self.first * y[t + 1, :4, :5] + self.second * y[t, :4, :5]
        return idctn(y[2:], axes=(1, 2), norm="ortho") + self.mean

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """Quasi-score of u: its prior less J' of what is recorded; 0 at the estimate."""
        u = flat.reshape(-1, 4, 5)
        scaled = (self.video(u) - self.scale[0]) / self.scale[1]
        held = np.concatenate([scaled[:1], scaled[:1], scaled])
        moved = sum(tap * held[k : k + len(u)] for k, tap in enumerate(self.taps))
        rate = np.einsum("trc,nrc->tn", moved, self.spatial) + self.bias
        spread = np.sqrt(self.dispersion * (rate.clip(0) + self.floor))
        residual = (self.recorded - rate) / spread
        sixth_of_seven = np.sort(np.abs(residual), axis=1)[:, 5:6]
        noise_scale = np.maximum(1, sixth_of_seven / (1.2816 * 1.2))
        z = residual / noise_scale
        score = self.likelihood_weight * z / (1 + (z / TAIL) ** 4) / (spread * noise_scale)
        back = np.einsum("tn,nrc->trc", score, self.spatial)
        return (u - self._back(back)).ravel()

    def _back(self, back: np.ndarray) -> np.ndarray:
        held = np.zeros((len(back) + 2, 6, 8))
        for k, tap in enumerate(self.taps):
            held[k : k + len(back)] += tap * back
        held[2] += held[0] + held[1]
        y = dctn(held[2:], axes=(1, 2), norm="ortho")[:, :4, :5] / self.scale[1]
        for t in reversed(range(len(y))):
            if t + 1 < len(y):
                y[t] += self.first * y[t + 1]
            if t + 2 < len(y):
                y[t] += self.second * y[t + 2]
        return y * self.sd


def test_many_steps_reach_the_estimate_that_scipy_finds(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    recorded = answers(twin)
    written = Written(twin, prior, noise, recorded)
    found = root(written, np.zeros(FRAMES * 20), method="hybr", tol=1e-10)
    assert found.success
    best = written.video(found.x.reshape(-1, 4, 5))
    video, _ = inverted(twin, prior, noise, recorded, steps=400)
    np.testing.assert_allclose(video, best.clip(0, 255), atol=0.5)
    assert np.ptp(best) > 30  # far from the mean video, where it began


def test_the_objective_settles_below_where_it_began(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    _, objectives = inverted(twin, prior, noise, answers(twin), steps=40)
    assert objectives[-1] < objectives[0]
    assert np.ptp(objectives[-10:]) < 1e-3


def test_missing_neurons_are_left_out_and_not_treated_as_zero_activity(
    make_linear: MakeLinear, prior: VideoPrior, noise: Noise
) -> None:
    twin, fewer = make_linear(NEURONS), make_linear(NEURONS)
    kept = [0, 2, 3, 6]
    recorded, measured = answers(twin), np.zeros((FRAMES, NEURONS), np.float32)
    measured[:, kept] = 1
    without = Linear(TwinSpec("linear", 4, 6, 8, sizes={"taps": 3}, luminance_mean=110.0))
    without.load_state_dict(
        {
            name: value if name == "temporal" else value[kept]
            for name, value in fewer.state_dict().items()
        }
    )
    few = noise.of(torch.tensor(kept))
    # Each at its own step size, to the minimum.
    masked, _ = inverted(twin, prior, noise, recorded, steps=200, measured=measured)
    alone, _ = inverted(without, prior, few, recorded[:, kept].copy(), steps=200)
    silent, _ = inverted(twin, prior, noise, recorded * measured, steps=200)
    np.testing.assert_allclose(masked, alone, atol=0.3)
    assert np.abs(silent - alone).max() > 10


def test_without_neurons_the_estimate_is_the_mean(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    nothing = np.zeros((FRAMES, NEURONS), np.float32)
    video, _ = inverted(twin, prior, noise, nothing, steps=20, measured=nothing)
    np.testing.assert_allclose(video, prior.mean.expand(FRAMES, -1, -1), atol=1e-3)


@pytest.mark.parametrize("activity", [0.0, 1e-6, 1e3, 1e6])
def test_whatever_is_recorded_the_video_is_finite_and_on_the_screen(
    prior: VideoPrior, activity: float
) -> None:
    spec = TwinSpec("compact", 5, 8, 8, sizes={"hidden": 6, "features": 4, "filter_px": 5})
    compact = Compact(spec, generator=torch.Generator().manual_seed(0)).requires_grad_(False)
    screen = VideoPrior(
        torch.full((8, 8), 100.0), prior.power, prior.autoregression, prior.innovation_sd
    )
    noise = unshared(torch.ones(5), torch.tensor(1.0))
    solver = Solver(compact, screen, noise, window_frames=10, estimated_frames=6)
    recorded = torch.full((6, 5), activity)
    recorded[::2, ::2] = 0
    for _ in range(10):
        solver.improve(solver.observed(recorded, torch.ones(6, 5), torch.zeros(10, 4)))
        solver.advance(1)
    video, objective = solver.result(back=9)
    assert video.shape == (10, 8, 8)
    assert np.isfinite(video).all()
    assert video.min() >= 0
    assert video.max() <= 255
    assert np.isfinite(objective)


def test_a_twin_with_a_temporal_stride_is_compared_at_its_multiples_newest_included(
    prior: VideoPrior,
) -> None:
    spec = TwinSpec("compact", 3, 8, 8, sizes={"hidden": 4, "features": 2, "temporal_stride": 2})
    screen = VideoPrior(
        torch.full((8, 8), 100.0), prior.power, prior.autoregression, prior.innovation_sd
    )
    noise = unshared(torch.tensor([1.0, 2.0, 4.0]), torch.tensor(0.5))
    solver = Solver(
        Compact(spec).requires_grad_(False), screen, noise, window_frames=8, estimated_frames=5
    )
    recorded = torch.arange(5.0)[:, None].expand(5, 3)
    observed = solver.observed(recorded, torch.ones(5, 3), torch.zeros(8, 4))
    (seen,) = observed.by_twin
    assert seen.recorded[:, 0].tolist() == [0, 2, 4]
    # likelihood_weight times the stride, over each neuron's dispersion
    assert seen.weights.weight[0].tolist() == [1, 0.5, 0.25]


def test_the_likelihood_weight_of_the_config_replaces_that_of_the_noise(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    solver = Solver(twin, prior, noise, window_frames=6, estimated_frames=4, likelihood_weight=0.1)
    observed = solver.observed(torch.ones(4, 7), torch.ones(4, 7), torch.zeros(6, 4))
    (seen,) = observed.by_twin
    torch.testing.assert_close(seen.weights.weight, (0.1 / noise.dispersion).expand(4, -1))


def test_a_shift_of_the_horizon_keeps_the_video(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    solver = Solver(twin, prior, noise, window_frames=8, estimated_frames=5)
    recorded = torch.from_numpy(answers(twin, frames=5))
    solver.improve(solver.observed(recorded, torch.ones(5, 7), torch.zeros(8, 4)))
    before = solver.result(back=7)[0]
    solver.advance(2)
    np.testing.assert_allclose(solver.result(back=7)[0][:-2], before[2:], atol=1e-3)
    solver.reset()
    np.testing.assert_allclose(solver.result(back=7)[0], prior.mean.expand(8, -1, -1), atol=1e-4)


def test_past_estimates_are_corrected_by_new_activity(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    """However little the prior lets a frame differ from the one before."""
    nearly_still = replace(prior, innovation_sd=prior.innovation_sd / 10)
    solver = Solver(
        twin, nearly_still, noise, window_frames=7, estimated_frames=5, likelihood_weight=50.0
    )
    nothing = torch.zeros(7, 4)

    def activity(video: np.ndarray) -> torch.Tensor:
        return twin(torch.from_numpy(video)[None], nothing[None, : len(video)])[0]

    dark, bright = (np.full((5, 6, 8), level, np.float32) for level in (60, 160))
    for shown in (dark, bright):
        solver.advance(5)
        observed = solver.observed(activity(shown), torch.ones(5, 7), nothing)
        for _ in range(200):
            solver.improve(observed)
    found, sought = activity(solver.result(back=6)[0])[-1], activity(bright)[-1]
    assert (found - sought).norm() < 0.1 * (activity(dark)[-1] - sought).norm()


def test_a_forecast_is_the_video_of_a_horizon_that_moves_on_without_a_measurement(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    solver = Solver(twin, prior, noise, window_frames=FRAMES, estimated_frames=4)
    observed = solver.observed(
        torch.from_numpy(answers(twin))[-4:], torch.ones(4, NEURONS), torch.zeros(FRAMES, 4)
    )
    for _ in range(5):
        solver.improve(observed)
    forecast = solver.result(back=1, ahead=3)[0]
    solver.advance(3)
    np.testing.assert_allclose(forecast, solver.result(back=4)[0], atol=1e-3)
    assert np.abs(np.diff(forecast, axis=0)).max() > 1
