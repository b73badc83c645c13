"""Filters on coefficients equal the module's filters on the frames that these represent."""

import pytest
import torch

from rtdecode.twins.basis import Basis, cosine_basis
from rtdecode.twins.compact.filter_pass import FilterPass
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.twin import TwinSpec

ROWS, COLS, FRAMES = 9, 12, 20
BASIS = Basis(cosine_basis(ROWS, kept=4), cosine_basis(COLS, kept=6), torch.zeros(ROWS, COLS))


@pytest.fixture(scope="module")
def twin() -> Compact:
    spec = TwinSpec("compact", 3, rows_px=ROWS, cols_px=COLS, luminance_mean=0.0, luminance_sd=40.0)
    return Compact(spec, generator=torch.Generator().manual_seed(0)).requires_grad_(False)


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("history", [0, 7])
@pytest.mark.parametrize("wanted", [[19], [2, 9, 18]])
def test_filters_and_mixing_equal_the_linear_part_of_the_first_layer(
    twin: Compact, history: int, wanted: list[int]
) -> None:
    frames = 100 * normal(FRAMES, 4, 6)
    bank = FilterPass(twin, BASIS, history=history, free=FRAMES - history, wanted=wanted)
    sites = bank.forward(frames[history:], bank.history_term(frames[:history]), bank.buffers())
    expected = twin.mixed(BASIS.video(frames)[None], wanted)
    torch.testing.assert_close(sites @ twin.mix + twin.mix_bias, expected, rtol=1e-4, atol=1e-4)


def test_the_vjp_is_the_transpose_of_the_forward_pass(twin: Compact) -> None:
    bank = FilterPass(twin, BASIS, history=7, free=13, wanted=[12, 15, 19])
    free, no_history = normal(13, 4, 6), bank.history_term(torch.zeros(7, 4, 6))
    sites = bank.forward(free, no_history, bank.buffers())
    grad_sites, buffers = normal(*sites.shape, seed=2), bank.buffers()
    buffers.by_site.copy_(grad_sites)
    torch.testing.assert_close(
        (bank.vjp(buffers) * free).sum(),
        (grad_sites * sites).sum(),
        rtol=1e-4,
        atol=0,
    )
