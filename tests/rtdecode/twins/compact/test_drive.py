"""The hand-written drive and its gradient equal those of the compact twin's module."""

from collections.abc import Callable

import pytest
import torch

from rtdecode.twins.basis import Basis, cosine_basis, pixel_basis
from rtdecode.twins.compact.drive import CompactDrive
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.twin import TwinSpec


def frozen_twin(rows_px: int, cols_px: int) -> Compact:
    generator = torch.Generator().manual_seed(0)
    spec = TwinSpec("compact", 7, rows_px=rows_px, cols_px=cols_px)
    twin = Compact(spec, generator=generator)
    with torch.no_grad():
        twin.position.uniform_(-1, 1, generator=generator)
        twin.mix_bias.normal_(generator=generator)
        twin.combine_bias.normal_(generator=generator)
        twin.bias.normal_(generator=generator)
    return twin.requires_grad_(requires_grad=False)


def some_basis(rows_px: int, cols_px: int) -> Basis:
    generator = torch.Generator().manual_seed(3)
    mean = 255 * torch.rand(rows_px, cols_px, generator=generator)
    return Basis(cosine_basis(rows_px, kept=5), cosine_basis(cols_px, kept=8), mean)


@pytest.mark.parametrize(("rows_px", "cols_px"), [(12, 16), (9, 15), (11, 10)])
@pytest.mark.parametrize("history", [0, 9])
@pytest.mark.parametrize("wanted", [[19], [3, 11, 15, 19], list(range(20))])
@pytest.mark.parametrize("make_basis", [some_basis, pixel_basis])
def test_drive_and_gradient_equal_those_of_the_module(
    rows_px: int,
    cols_px: int,
    history: int,
    wanted: list[int],
    make_basis: Callable[[int, int], Basis],
) -> None:
    twin, basis = frozen_twin(rows_px, cols_px), make_basis(rows_px, cols_px)
    generator = torch.Generator().manual_seed(1)
    shape = (20, len(basis.down), len(basis.across))
    old, free = (50 * torch.randn(shape, generator=generator)).split([history, 20 - history])
    free.requires_grad_()
    grad_drive = torch.randn(len(wanted), 7, generator=generator)
    expected = twin.drive(basis.video(torch.cat([old, free]))[None], wanted)[0]
    drive_of = CompactDrive(twin, basis, history=history, free=20 - history, wanted=wanted)
    drive = drive_of(free, drive_of.history_term(old))
    torch.testing.assert_close(drive, expected, rtol=1e-4, atol=1e-4)
    (slope,) = torch.autograd.grad((drive * grad_drive).sum(), free)
    (expected_slope,) = torch.autograd.grad((expected * grad_drive).sum(), free)
    largest = float(expected_slope.abs().max())
    torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-4 * largest)
