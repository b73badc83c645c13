"""Building blocks of the core, each against its definition."""

import math

import pytest
import torch
from torch import Tensor, nn

from rtdecode.twins.dwiseneuro.blocks import (
    Excitation,
    InvertedResidual,
    Normalised,
    PositionalEncoding,
    repeated,
)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [6, 7, 64])
def test_positions_are_encoded_in_sines_and_cosines_of_each_axis(channels: int) -> None:
    """Written out: a third of the channels an axis, half of them sines, half of them cosines."""
    frames, rows, cols = 3, 4, 5
    encoded = PositionalEncoding(channels)(torch.zeros(1, channels, frames, rows, cols))[0]
    share = 2 * math.ceil(channels / 6)
    for channel in range(channels):
        axis, place = divmod(channel, share)
        half = share // 2
        frequency = 10_000 ** (-2 * (place % half) / share)
        wave = math.sin if place < half else math.cos
        for t, y, x in ((0, 0, 0), (2, 1, 4), (1, 3, 2)):
            expected = wave((t, y, x)[axis] * frequency)
            assert float(encoded[channel, t, y, x]) == pytest.approx(expected, abs=1e-6)


def test_an_encoding_is_added() -> None:
    maps = normal(2, 6, 3, 4, 5)
    encode = PositionalEncoding(6)
    torch.testing.assert_close(encode(maps) - maps, encode(0 * maps), rtol=0, atol=1e-6)


def test_channels_are_repeated_until_there_are_enough() -> None:
    maps = torch.tensor([[[1.0], [2.0], [3.0]]])
    assert repeated(maps, 7)[0, :, 0].tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert repeated(maps, 2)[0, :, 0].tolist() == [1, 2]
    assert repeated(maps, 3) is maps


def test_normalised_is_a_batch_norm_and_then_silu_or_not() -> None:
    norm = nn.BatchNorm1d(3).eval()
    norm.running_mean, norm.running_var = torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 4, 4])
    x = torch.tensor([[[3.0], [2.0], [1.0]]])
    straight = Normalised(norm, activated=False).eval()(x)
    torch.testing.assert_close(straight[0, :, 0], torch.tensor([1.0, 0, -1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        Normalised(norm).eval()(x), straight * torch.sigmoid(straight), atol=1e-6, rtol=0
    )


def test_a_gate_scales_each_channel_by_a_function_of_all_means() -> None:
    gate = Excitation(2, squeezed=1)
    gate.conv_reduce.weight.data[:] = 1.0
    gate.conv_expand.weight.data[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1, 1)
    for bias in (gate.conv_reduce.bias, gate.conv_expand.bias):
        assert bias is not None
        bias.data.zero_()
    maps = normal(1, 2, 3, 4, 4) + 1
    both = float(maps[:, 0].mean() + maps[:, 1].mean())
    silu = both / (1 + math.exp(-both))
    factors = [1 / (1 + math.exp(-silu)), 1 / (1 + math.exp(silu))]
    expected = maps * torch.tensor(factors).reshape(1, 2, 1, 1, 1)
    torch.testing.assert_close(gate(maps), expected)


def block(*, into: int = 4, out: int = 6, stride: int = 1) -> InvertedResidual:
    made = InvertedResidual(
        into, out, expansion=2, squeezed=2, space_px=3, taps=3, stride=stride
    ).eval()
    for parameter in made.parameters():
        parameter.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return made


def test_a_block_whose_last_norm_is_0_is_its_shortcut() -> None:
    made = block(stride=2)
    last = made.conv_pwl[1].bn
    last.weight.data.zero_()
    last.bias.data.zero_()
    maps = normal(1, 4, 3, 6, 8)
    expected = made.bn_sc(repeated(maps[..., ::2, ::2], 6))
    torch.testing.assert_close(made(maps), expected)


@pytest.mark.parametrize(("rows", "stride", "expected"), [(8, 2, 4), (7, 2, 4), (7, 1, 7)])
def test_a_stride_halves_rows_and_columns_and_not_frames(
    rows: int, stride: int, expected: int
) -> None:
    assert block(stride=stride)(normal(1, 4, 5, rows, rows)).shape == (1, 6, 5, expected, expected)


def test_each_neighbourhood_is_three_frames_and_three_pixels() -> None:
    """The gate, which depends on means over all pixels, is left out here."""
    made = block(out=4)
    made.se = nn.Identity()
    maps = normal(1, 4, 9, 9, 9).requires_grad_()
    (gradient,) = torch.autograd.grad(made(maps)[0, :, 4, 4, 4].square().sum(), maps)
    touched = gradient.abs().sum((0, 1)) > 0
    assert touched.sum() == 27
    assert touched[3:6, 3:6, 3:6].all()
