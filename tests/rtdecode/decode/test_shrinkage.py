"""What is coarse goes out whole, of what is fine a half, and the window itself keeps all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from rtdecode.decode.noise import Noise
from rtdecode.decode.prior import EDGE_CYCLES_PER_PX, FINE_GAIN, VideoPrior, spectral_shrinkage
from rtdecode.decode.solver import Solver
from rtdecode.twins.linear import Linear


def screen(rows_px: int, cols_px: int, *, kept: tuple[int, int]) -> VideoPrior:
    power = torch.ones(kept)
    return VideoPrior(torch.zeros(rows_px, cols_px), power, torch.zeros(1, *kept), power)


def test_a_uniform_frame_is_shown_as_it_is_and_the_finest_pattern_at_the_fine_share() -> None:
    gain = spectral_shrinkage(screen(36, 64, kept=(18, 32)))
    assert gain[0, 0] == 1
    assert float(gain[-1, -1]) == pytest.approx(FINE_GAIN, abs=1e-3)


def test_the_share_falls_with_spatial_frequency_alone() -> None:
    gain = spectral_shrinkage(screen(64, 64, kept=(32, 32)))
    torch.testing.assert_close(gain, gain.T)
    assert (gain.diff(dim=1) <= 0).all()
    # a pattern of 3 periods on 50 px, 0.06 cycles/px, is coarse; one of 12 periods is not
    across = spectral_shrinkage(screen(50, 50, kept=(25, 25)))[0]
    assert float(across[6]) == pytest.approx(1, abs=5e-3)
    assert float(across[24]) == pytest.approx(FINE_GAIN, abs=5e-3)


def test_half_of_what_can_be_lost_is_lost_at_the_edge() -> None:
    cols_px = round(6 / EDGE_CYCLES_PER_PX)
    gain = spectral_shrinkage(screen(10, cols_px, kept=(1, 13)))
    assert float(gain[0, 12]) == pytest.approx((1 + FINE_GAIN) / 2)


def test_output_is_shrunk_and_the_horizon_keeps_the_whole_amplitude(
    twin: Linear, prior: VideoPrior, noise: Noise
) -> None:
    grey = replace(prior, mean=torch.full_like(prior.mean, 120.0))
    gain = torch.linspace(0, 1, prior.power.numel()).reshape_as(prior.power)
    videos = []
    for shown in (None, gain):
        solver = Solver(twin, grey, noise, window_frames=6, estimated_frames=4, shrinkage=shown)
        for activity in (11.0, 13.0):
            recorded = torch.full((4, 7), activity)
            solver.improve(solver.observed(recorded, torch.ones(4, 7), torch.zeros(6, 4)))
            solver.advance(1)
        videos.append(solver.result(back=5)[0] - 120)
    whole, shared = (dctn(video, axes=(1, 2), norm="ortho")[:, :4, :5] for video in videos)
    assert np.abs(whole).max() > 1
    np.testing.assert_allclose(shared, gain.numpy() * whole, atol=1e-3)
