"""The posterior's standard deviation is that of dense linear algebra, and travels with the twin."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rtdecode.decode import posterior
from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.noise import Noise
from rtdecode.decode.posterior import (
    POSTERIOR_FILE,
    Presented,
    load_posterior_sd,
    posterior_sd,
    save_posterior_sd,
    smoothed_sd,
    variance_reduction,
)
from rtdecode.decode.prior import VideoPrior
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.twins.linear import Linear

FRAMES, NEURONS = 9, 7
TOGETHER = torch.tensor([[3.0, 0], [2, 1], [0, 2], [1, 1], [1, 0], [1, 0], [1, 0]])
MakeLinear = Callable[..., Linear]


@pytest.fixture
def steady(make_linear: MakeLinear) -> Linear:
    """Neurons whose activity, and with it their noise, hardly changes with the video."""
    return make_linear(NEURONS, level=200.0)


def densely(twin: Linear, prior: VideoPrior, noise: Noise) -> Tensor:
    """(back, row, col) from the inverse of the whole precision matrix."""
    block = EstimatedFrames(prior, frames=FRAMES)
    scale = torch.ones(FRAMES, *prior.power.shape)
    scale[0] = prior.power.sqrt() / prior.innovation_sd
    past = torch.zeros(block.order, *prior.power.shape)

    def video(u: Tensor) -> Tensor:
        return block.basis.video(block.coefficients(u * scale, past))

    def activity(u: Tensor) -> Tensor:
        return twin(video(u)[None], torch.zeros(1, FRAMES, 4))[0]

    at = torch.zeros_like(scale)
    seen = torch.autograd.functional.jacobian(activity, at).reshape(FRAMES * NEURONS, -1)
    shown = torch.autograd.functional.jacobian(video, at).reshape(-1, at.numel())
    spread = ((activity(at) + noise.floor) * noise.dispersion / noise.likelihood_weight).sqrt()
    correlation = torch.eye(NEURONS) + noise.shared @ noise.shared.T
    covariance = torch.block_diag(*(correlation * torch.outer(sd, sd) for sd in spread))
    precision = (torch.eye(at.numel()) + seen.T @ torch.linalg.solve(covariance, seen)).double()
    shown = shown.double()
    variance = (shown @ torch.linalg.inv(precision) * shown).sum(1)
    return variance.reshape(FRAMES, *prior.mean.shape).sqrt().flip(0).float()


@pytest.mark.parametrize("shared", [torch.zeros(NEURONS, 0), TOGETHER])
def test_it_is_that_of_the_whole_matrix(
    steady: Linear, prior: VideoPrior, noise: Noise, shared: Tensor
) -> None:
    clear = replace(noise, dispersion=noise.dispersion / 100, shared=shared)
    sd = posterior_sd(steady, prior, clear, window_frames=FRAMES, draws=800)
    expected = densely(steady, prior, clear)[: len(sd)]
    assert len(sd) == 6
    torch.testing.assert_close(sd, expected, rtol=0.15, atol=0)
    torch.testing.assert_close(sd.mean((1, 2)), expected.mean((1, 2)), rtol=0.03, atol=0)


def test_with_very_large_noise_the_posterior_is_the_prior(
    steady: Linear, prior: VideoPrior, noise: Noise
) -> None:
    very_noisy = replace(noise, dispersion=noise.dispersion * 1e6)
    sd = posterior_sd(steady, prior, very_noisy, window_frames=FRAMES, draws=800)
    down, across = prior.basis.down.square(), prior.basis.across.square()
    of_the_prior = (down.T @ prior.power @ across).sqrt()
    torch.testing.assert_close(sd.mean(0), of_the_prior, rtol=0.15, atol=0)


def test_the_newest_frame_is_the_least_certain(
    steady: Linear, prior: VideoPrior, noise: Noise
) -> None:
    clear = replace(noise, dispersion=noise.dispersion / 100)
    sd = posterior_sd(steady, prior, clear, window_frames=FRAMES, draws=400).mean((1, 2))
    assert sd[0] > 1.05 * sd[3]


def test_smoothing_takes_away_what_is_chance_and_leaves_what_is_not() -> None:
    rows = torch.linspace(20, 40, 36)[:, None].expand(24, 36, 64)
    by_chance = 1 + 0.13 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    smooth = smoothed_sd(rows * by_chance)
    off = (smooth / rows - 1).square().mean().sqrt()
    assert off < 0.05
    torch.testing.assert_close(smoothed_sd(rows)[:, 2:-2], rows[:, 2:-2], rtol=0.01, atol=0)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load_posterior_sd(tmp_path, shape=(6, 8)) is None
    sd = 50 * torch.rand(4, 6, 8, generator=torch.Generator().manual_seed(0))
    save_posterior_sd(sd, tmp_path / "twin")
    loaded = load_posterior_sd(tmp_path / "twin", shape=(6, 8))
    assert loaded is not None
    torch.testing.assert_close(loaded, sd, rtol=1e-3, atol=1e-3)


def test_that_of_another_screen_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    save_posterior_sd(torch.ones(4, 6, 8), tmp_path)
    with pytest.raises(UnreadableFileError, match=r"\(frames, 36, 64\), got \(4, 6, 8\)"):
        load_posterior_sd(tmp_path, shape=(36, 64))
    (tmp_path / POSTERIOR_FILE).write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match="posterior"):
        load_posterior_sd(tmp_path, shape=(36, 64))


def presented(prior: VideoPrior, *, measured: Tensor) -> Presented:
    """A window in which the mean frame is displayed."""
    return Presented(prior.mean.expand(FRAMES, -1, -1), torch.zeros(FRAMES, 4), measured)


def test_the_reduction_of_the_variance_is_that_of_the_whole_matrix(
    steady: Linear, prior: VideoPrior, noise: Noise
) -> None:
    clear = replace(noise, dispersion=noise.dispersion / 100)
    window = presented(prior, measured=torch.ones(NEURONS))
    found = variance_reduction(steady, prior, clear, [window, window], draws=40)
    down, across = prior.basis.down.square(), prior.basis.across.square()
    before = down.T @ prior.power @ across
    after = densely(steady, prior, clear).square().mean(0)
    expected = 1 - after / before
    torch.testing.assert_close(found, expected, rtol=0, atol=0.3)
    torch.testing.assert_close(found.mean(), expected.mean(), rtol=0, atol=0.15)


def test_neurons_that_were_not_measured_reduce_no_variance(
    steady: Linear, prior: VideoPrior, noise: Noise
) -> None:
    window = presented(prior, measured=torch.zeros(NEURONS))
    found = variance_reduction(steady, prior, noise, [window], draws=1)
    torch.testing.assert_close(found, torch.zeros(6, 8), rtol=0, atol=1e-5)


def test_frames_at_the_ends_of_a_window_can_be_left_out(
    steady: Linear, prior: VideoPrior, noise: Noise
) -> None:
    """The newest frames have least activity after them, so that without them more is removed."""
    clear = replace(noise, dispersion=noise.dispersion / 100)
    window = presented(prior, measured=torch.ones(NEURONS))
    whole, inner = (
        variance_reduction(steady, prior, clear, [window], draws=40, spared=spared)
        for spared in ((0, 0), (2, 3))
    )
    assert inner.mean() > whole.mean()


def test_draws_are_made_on_the_device_of_the_prior(
    steady: Linear, prior: VideoPrior, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors of the meta device have no values: they raise where they meet one of the host.

    Conjugate gradients, which compare a residual with its limit, are left out.
    """
    meta = torch.device("meta")
    window = presented(prior, measured=torch.ones(NEURONS))
    model = steady.to(meta), prior.to(meta), replace(noise, shared=TOGETHER).to(meta)
    monkeypatch.setattr(posterior, "_conjugate_gradients", lambda times, right: times(right))
    assert variance_reduction(*model, [window], draws=2).device == meta
    assert posterior_sd(*model, window_frames=FRAMES, draws=4).device == meta
