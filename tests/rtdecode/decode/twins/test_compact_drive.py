"""The drive spelt out for inversion is the compact twin's own, and so is its gradient."""

import pytest
import torch

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.compact import Compact
from rtdecode.decode.twins.compact_drive import CompactDrive


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


@pytest.mark.parametrize(("rows_px", "cols_px"), [(12, 16), (9, 15), (11, 10)])
@pytest.mark.parametrize("wanted", [[19], [3, 11, 15, 19], list(range(20))])
def test_drive_and_gradient_are_those_of_the_twin(
    rows_px: int, cols_px: int, wanted: list[int]
) -> None:
    twin, generator = frozen_twin(rows_px, cols_px), torch.Generator().manual_seed(1)
    video = (torch.rand(20, rows_px, cols_px, generator=generator) * 255).requires_grad_()
    pull = torch.randn(len(wanted), 7, generator=generator)
    expected = twin.drive(video[None], wanted)[0]
    drive = CompactDrive(twin, frames_in=20, wanted=wanted)(video)
    torch.testing.assert_close(drive, expected, rtol=1e-4, atol=1e-4)
    (slope,) = torch.autograd.grad((drive * pull).sum(), video)
    (expected_slope,) = torch.autograd.grad((expected * pull).sum(), video)
    largest = float(expected_slope.abs().max())
    torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-4 * largest)


def test_without_a_gradient_the_drive_is_the_same() -> None:
    twin = frozen_twin(12, 16)
    video = torch.rand(20, 12, 16, generator=torch.Generator().manual_seed(2)) * 255
    drive = CompactDrive(twin, frames_in=20, wanted=[17, 19])
    torch.testing.assert_close(drive(video), drive(video.clone().requires_grad_()).detach())
