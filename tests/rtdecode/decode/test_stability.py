"""The estimate depends smoothly on what is recorded, and is never much worse than the prior's mean.

Each claim about errors is one about the mean over `SEEDS` sessions: its margin is three standard
errors of that mean on top of the stated bound.
"""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.noise import unshared
from rtdecode.decode.prior import VideoPrior
from rtdecode.offline.methods import FittedTwin, Online
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.twin import TwinSpec

FIXTURES = Path(__file__).parents[2] / "fixtures"
CONFIG = DecodeConfig(window_frames=12, estimated_frames=8, lag_frames=4, steps=3)
FRAMES, FIRST, SEEDS = 22, 8, 10
SCORED = slice(FIRST, FRAMES - CONFIG.lag_frames)
NOISE_SD = (0.5, 5.0, 20.0, 1e6)


def compact_mouse(prior: VideoPrior) -> FittedTwin:
    """60 neurons of an untrained compact twin with strong random weights."""
    spec = TwinSpec("compact", 60, 8, 8, sizes={"hidden": 8, "features": 4, "filter_px": 5})
    generator = torch.Generator().manual_seed(0)
    twin = Compact(spec, generator=generator).requires_grad_(False)
    twin.weights.mul_(6)
    twin.position.uniform_(-1, 1, generator=generator)
    screen = replace(prior, mean=torch.full((8, 8), 110.0))
    return FittedTwin(twin, screen, unshared(torch.full((60,), 0.3), torch.tensor(0.3)))


@pytest.fixture(params=["linear", "compact"])
def mouse(request: pytest.FixtureRequest, prior: VideoPrior) -> FittedTwin:
    if request.param == "compact":
        return compact_mouse(prior)
    fitted: FittedTwin = runpy.run_path(str(FIXTURES / "linear_mouse.py"))["linear_mouse"]()
    return fitted


def session(mouse: FittedTwin, *, noise_sd: float, seed: int) -> Trial:
    """Video drawn from the prior, and what the twin predicts of it plus noise.

    noise_sd: in standard deviations of the noise model.
    """
    generator = torch.Generator().manual_seed(seed)
    block = EstimatedFrames(mouse.prior, frames=FRAMES)
    u = torch.randn(block.u_sd.shape, generator=generator) * block.u_sd
    past = torch.zeros(block.order, *mouse.prior.power.shape)
    video = block.basis.video(block.coefficients(u, past)).clamp(0, 255)
    behaviour = torch.zeros(FRAMES, 4)
    activity = mouse.twin(video[None], behaviour[None])[0]
    spread = (mouse.noise.dispersion * (activity.clamp_min(0) + mouse.noise.floor)).sqrt()
    noise = torch.randn(activity.shape, generator=generator)
    recorded = (activity + noise_sd * spread * noise).numpy()
    measured = np.ones(recorded.shape, np.bool_)
    return Trial(0, recorded, measured, behaviour.numpy(), video.numpy(), frame_rate_hz=30.0)


def decoded(mouse: FittedTwin, trial: Trial) -> np.ndarray:
    return Online([mouse], CONFIG).video(trial)[SCORED]


def error(mouse: FittedTwin, trial: Trial) -> float:
    """Root mean square error over that of the prior's mean."""
    truth = trial.truth[SCORED]
    missed = np.square(decoded(mouse, trial) - truth).mean()
    return float(np.sqrt(missed / np.square(mouse.prior.mean.numpy() - truth).mean()))


def mean_and_margin(values: list[float]) -> tuple[float, float]:
    """Mean, and three standard errors of it."""
    return float(np.mean(values)), 3 * float(np.std(values, ddof=1)) / len(values) ** 0.5


@pytest.mark.parametrize("noise_sd", NOISE_SD)
def test_a_change_of_one_part_in_a_million_moves_no_pixel_by_a_tenth(
    mouse: FittedTwin, noise_sd: float
) -> None:
    for seed in range(2):
        trial = session(mouse, noise_sd=noise_sd, seed=seed)
        signs = np.random.default_rng(seed).choice([-1, 1], trial.responses.shape)
        changed = (trial.responses * (1 + 1e-6 * signs)).astype(np.float32)
        moved = decoded(mouse, trial) - decoded(mouse, replace(trial, responses=changed))
        assert np.abs(moved).max() < 0.1


@pytest.mark.parametrize("noise_sd", NOISE_SD)
def test_with_noise_of_any_size_the_error_is_little_above_that_of_the_priors_mean(
    mouse: FittedTwin, noise_sd: float
) -> None:
    errors = [error(mouse, session(mouse, noise_sd=noise_sd, seed=n)) for n in range(SEEDS)]
    mean, margin = mean_and_margin(errors)
    assert mean + margin < 1.25
    if noise_sd <= 1:
        assert mean + margin < 1


def test_neurons_that_are_stuck_cost_no_more_than_those_that_are_missing(
    mouse: FittedTwin,
) -> None:
    def worse(seed: int) -> float:
        trial = session(mouse, noise_sd=1.0, seed=seed)
        stuck, valid = trial.responses.copy(), trial.valid.copy()
        stuck[:, ::20], valid[:, ::20] = 1e5, False
        missing = error(mouse, replace(trial, valid=valid))
        return error(mouse, replace(trial, responses=stuck)) - missing

    mean, margin = mean_and_margin([worse(seed) for seed in range(SEEDS)])
    assert mean + margin < 0.05


def test_a_scan_with_an_artefact_costs_little(mouse: FittedTwin) -> None:
    def worse(seed: int) -> float:
        trial = session(mouse, noise_sd=1.0, seed=seed)
        hit = trial.responses.copy()
        hit[[10, 15]] += 30
        return error(mouse, replace(trial, responses=hit)) - error(mouse, trial)

    mean, margin = mean_and_margin([worse(seed) for seed in range(SEEDS)])
    assert mean + margin < 0.05


def test_each_estimate_is_the_same_for_one_thread_and_two(mouse: FittedTwin) -> None:
    trial = session(mouse, noise_sd=20.0, seed=0)
    one = decoded(mouse, trial)
    torch.set_num_threads(2)
    try:
        two = decoded(mouse, trial)
    finally:
        torch.set_num_threads(1)
    np.testing.assert_allclose(one, two, atol=0.1)
