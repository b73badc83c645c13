"""Building blocks of DwiseNeuro's core: inverted residuals over space, then over time.

Names of parameters are those of the published checkpoints, with their `covn` spelt `conv`. Maps
are (stack, channel, frame, y, x); a stack is one sample of 16 frames.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_AXES = 3
_LONGEST_WAVE = 10_000.0


class Normalised(nn.Module):
    """Batch normalisation, followed by SiLU (x times its sigmoid) where `activated`."""

    def __init__(self, norm: nn.Module, *, activated: bool = True) -> None:
        super().__init__()
        self.bn = norm
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        normal: Tensor = self.bn(x)
        return functional.silu(normal) if self.activated else normal


class Excitation(nn.Module):
    """Squeeze-and-excitation: scales each channel by a gate computed from all channels' means."""

    def __init__(self, channels: int, *, squeezed: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv3d(channels, squeezed, 1)
        self.conv_expand = nn.Conv3d(squeezed, channels, 1)

    def forward(
        self, maps: Float[Tensor, "stack channel frame y x"]
    ) -> Float[Tensor, "stack channel frame y x"]:
        means = functional.silu(self.conv_reduce(maps.mean((2, 3, 4), keepdim=True)))
        return maps * torch.sigmoid(self.conv_expand(means))


class PositionalEncoding(nn.Module):
    """Adds sines and cosines of frame, row and column, a third of the channels each.

    Of an axis' C channels the first half is sin(p / 10000^(2 i / C)) at index p, i = 0 … C/2 − 1,
    the second half the cosine.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        share = 2 * -(-channels // (2 * _AXES))
        self.inv_freq: Tensor
        self.register_buffer(
            "inv_freq", 1 / _LONGEST_WAVE ** (torch.arange(0, share, 2).float() / share)
        )

    def forward(
        self, maps: Float[Tensor, "stack channel frame y x"]
    ) -> Float[Tensor, "stack channel frame y x"]:
        waves = []
        for axis, length in enumerate(maps.shape[2:]):
            angle = self.inv_freq[:, None] * torch.arange(length, device=maps.device)
            shape = [-1, *(length if other == axis else 1 for other in range(_AXES))]
            wave = torch.cat([angle.sin(), angle.cos()]).reshape(shape)
            waves.append(wave.expand(-1, *maps.shape[2:]))
        return maps + torch.cat(waves)[: self.channels].to(maps.dtype)


class InvertedResidual(nn.Module):
    """Widens, filters each channel in space and in time, gates, narrows; adds a shortcut.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the maps before and after.
    expansion
        Factor by which the channels are widened.
    squeezed
        Channels within the gate.
    space_px, taps
        Side of the spatial filters in px and length of the temporal ones in frames, both odd.
    stride
        Of the spatial filters, along both sides.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        expansion: int,
        squeezed: int,
        space_px: int,
        taps: int,
        stride: int,
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.stride, self.out_channels = stride, out_channels
        self.conv_pw = nn.Sequential(
            nn.Conv3d(in_channels, wide, 1, bias=False), Normalised(nn.BatchNorm3d(wide))
        )
        spatial = nn.Conv3d(
            wide,
            wide,
            (1, space_px, space_px),
            stride=(1, stride, stride),
            padding=(0, space_px // 2, space_px // 2),
            groups=wide,
            bias=False,
        )
        self.spat_conv_dw = nn.Sequential(spatial, Normalised(nn.BatchNorm3d(wide)))
        temporal = nn.Conv3d(
            wide, wide, (taps, 1, 1), padding=(taps // 2, 0, 0), groups=wide, bias=False
        )
        self.temp_conv_dw = nn.Sequential(temporal, Normalised(nn.BatchNorm3d(wide)))
        self.se = Excitation(wide, squeezed=squeezed)
        self.conv_pwl = nn.Sequential(
            nn.Conv3d(wide, out_channels, 1, bias=False),
            Normalised(nn.BatchNorm3d(out_channels), activated=False),
        )
        self.bn_sc = Normalised(nn.BatchNorm3d(out_channels), activated=False)

    def forward(
        self, maps: Float[Tensor, "stack channel frame y x"]
    ) -> Float[Tensor, "stack out frame y2 x2"]:
        wide = self.temp_conv_dw(self.spat_conv_dw(self.conv_pw(maps)))
        narrow: Tensor = self.conv_pwl(self.se(wide))
        # Nearest-neighbour interpolation at an integer stride takes each `stride`-th pixel.
        thinned = maps[..., :: self.stride, :: self.stride]
        shortcut: Tensor = self.bn_sc(repeated(thinned, self.out_channels))
        return narrow + shortcut


def repeated(
    maps: Float[Tensor, "stack channel *rest"], channels: int
) -> Float[Tensor, "stack out *rest"]:
    """The channels repeated in order until there are `channels` of them."""
    order = torch.arange(channels, device=maps.device) % maps.shape[1]
    return maps[:, order] if channels != maps.shape[1] else maps
