"""Video from innovations: the same as stepping through the autoregression frame by frame."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.prior import VideoPrior

FRAMES = 6


@pytest.fixture
def block(prior: VideoPrior) -> EstimatedFrames:
    return EstimatedFrames(prior, frames=FRAMES)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stepped(prior: VideoPrior, innovations: Tensor, past: Tensor) -> Tensor:
    """y[t] = a1 y[t-1] + a2 y[t-2] + innovation, written as it stands."""
    y = list(past)
    for innovation in innovations:
        first, second = prior.autoregression
        y.append(first * y[-1] + second * y[-2] + innovation)
    return torch.stack(y[2:])


@pytest.mark.parametrize("frames", [1, 2, FRAMES])
def test_coefficients_are_those_of_the_recursion(prior: VideoPrior, frames: int) -> None:
    block = EstimatedFrames(prior, frames=frames)
    u, past = normal(frames, 4, 5), normal(2, 4, 5, seed=1)
    expected = stepped(prior, u * prior.innovation_sd, past)
    torch.testing.assert_close(block.coefficients(u, past), expected)


def test_innovations_are_those_that_give_the_coefficients(prior: VideoPrior) -> None:
    block = EstimatedFrames(prior, frames=FRAMES)
    u, past = normal(FRAMES, 4, 5), torch.zeros(2, 4, 5)
    torch.testing.assert_close(block.innovations(block.coefficients(u, past)), u)


def test_without_innovations_history_decays_by_the_autoregression(
    prior: VideoPrior, block: EstimatedFrames
) -> None:
    past = torch.zeros(2, 4, 5)
    past[-1] = 10
    faded = block.coefficients(torch.zeros(FRAMES, 4, 5), past)
    assert faded[0, 0, 0] == pytest.approx(11)  # the slowest frequency: 1.1 times 10
    assert faded[1, 0, 0] == pytest.approx(1.1 * 11 - 0.2 * 10)


@settings(max_examples=10)
@given(cut=st.integers(1, FRAMES - 1))
def test_consecutive_blocks_give_the_same_video_as_one(cut: int) -> None:
    prior = VideoPrior(
        mean=torch.zeros(3, 3),
        power=torch.ones(3, 3),
        autoregression=torch.tensor([0.9, -0.2])[:, None, None].expand(2, 3, 3),
        innovation_sd=torch.full((3, 3), 0.5),
    )
    u, past = normal(FRAMES, 3, 3), normal(2, 3, 3, seed=1)
    whole = EstimatedFrames(prior, frames=FRAMES).coefficients(u, past)
    early = EstimatedFrames(prior, frames=cut).coefficients(u[:cut], past)
    known = torch.cat([past, early])[-2:]
    late = EstimatedFrames(prior, frames=FRAMES - cut).coefficients(u[cut:], known)
    torch.testing.assert_close(torch.cat([early, late]), whole)


def test_its_first_frame_is_as_uncertain_as_any_video(
    prior: VideoPrior, block: EstimatedFrames
) -> None:
    allowed = block.u_sd * prior.innovation_sd
    torch.testing.assert_close(allowed[0].square(), prior.power)
    assert (block.u_sd[1:] == 1).all()
