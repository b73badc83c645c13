"""The still twin: a published encoding model of single images, for reconstructing images.

One wide convolution, then depth-separable layers, each with batch normalisation and ELU; every
neuron reads the feature maps at one learned point (Lurz et al. 2020, "Generalization in
data-driven models of primary visual cortex", bioRxiv 10.1101/2020.10.05.326256; a baseline of
the Sensorium 2022 competition). Each frame is predicted from itself alone, and behaviour has no
influence. Weights are imported (`import_twin`), never trained here.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.twins.readout import bilinear_interpolation, corner_weights
from rtdecode.twins.twin import TwinSpec

DEFAULT_SIZES = {"channels": 64, "layers": 4, "first_px": 9, "later_px": 7}
"""Channels of each layer, number of layers, and side of the first and of later filters in px."""


class FrozenNorm(nn.BatchNorm2d):
    """Batch normalisation with the learned statistics, in training mode too.

    y = weight (x − running_mean) / √(running_var + eps) + bias. Written out because the backward
    pass of torch 2.13 on a CPU confuses the memory layout of the gradient of a single image.
    """

    def forward(
        self, input: Float[Tensor, "image channel y x"]
    ) -> Float[Tensor, "image channel y x"]:
        if self.running_mean is None or self.running_var is None:
            raise TypeError("a frozen norm needs its statistics")
        scale = self.weight / (self.running_var + self.eps).sqrt()
        shift = self.bias - self.running_mean * scale
        return input * scale[:, None, None] + shift[:, None, None]


class FirstLayer(nn.Module):
    """Convolution of the image without padding, batch normalisation and ELU."""

    def __init__(self, channels: int, *, filter_px: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, filter_px, bias=False)
        self.norm = FrozenNorm(channels)

    def forward(
        self, image: Float[Tensor, "image 1 row col"]
    ) -> Float[Tensor, "image channel y x"]:
        return functional.elu(self.norm(self.conv(image)))


class SeparableLayer(nn.Module):
    """Depth-separable convolution: mix channels, filter each alone, mix again; size is kept."""

    def __init__(self, channels: int, *, filter_px: int) -> None:
        super().__init__()
        self.mix_in = nn.Conv2d(channels, channels, 1, bias=False)
        self.filter = nn.Conv2d(
            channels, channels, filter_px, padding=filter_px // 2, groups=channels, bias=False
        )
        self.mix_out = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = FrozenNorm(channels)

    def forward(
        self, maps: Float[Tensor, "image channel y x"]
    ) -> Float[Tensor, "image channel y x"]:
        return functional.elu(self.norm(self.mix_out(self.filter(self.mix_in(maps)))))


class Still(nn.Module):
    """Predicts the activity of all neurons of one mouse from single frames.

    For a frame x and feature maps φ: f[n] = elu(bias[n] + Σ_c weights[n, c] φ_c(position[n])) + 1.
    Sizes that `spec.sizes` leaves out are those of `DEFAULT_SIZES`.
    """

    def __init__(self, spec: TwinSpec) -> None:
        super().__init__()
        self.spec = spec
        size = {**DEFAULT_SIZES, **spec.sizes}
        channels = size["channels"]
        later = (
            SeparableLayer(channels, filter_px=size["later_px"]) for _ in range(size["layers"] - 1)
        )
        self.core = nn.Sequential(FirstLayer(channels, filter_px=size["first_px"]), *later)
        self.map_rows = spec.rows_px - size["first_px"] + 1
        self.map_cols = spec.cols_px - size["first_px"] + 1
        self.position = nn.Parameter(torch.zeros(spec.neurons, 2))
        self.weights = nn.Parameter(torch.zeros(spec.neurons, channels))
        self.bias = nn.Parameter(torch.zeros(spec.neurons))

    def forward(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, above 0; `behaviour` has no influence."""
        read = self.at_positions(video.flatten(0, 1))
        drive = torch.bmm(read, self.weights[:, :, None])[:, :, 0] + self.bias[:, None]
        return (functional.elu(drive) + 1).T.reshape(*video.shape[:2], -1)

    def at_positions(
        self, images: Float[Tensor, "image row col"]
    ) -> Float[Tensor, "neuron image channel"]:
        """Feature maps of images in grey levels, interpolated at each neuron's position."""
        scaled = (images - self.spec.luminance_mean) / self.spec.luminance_sd
        maps = self.core(scaled[:, None]).permute(2, 3, 0, 1)
        corners, bilinear = corner_weights(self.position, rows=self.map_rows, cols=self.map_cols)
        by_site = maps.reshape(self.map_rows * self.map_cols, -1)
        read = bilinear_interpolation(corners, bilinear, by_site)
        return read.reshape(self.spec.neurons, len(images), -1)

    def receptive_centres_px(self) -> Float[Tensor, "neuron 2"]:
        """Centre (row, col) of each neuron's receptive field in px of the screen, from pixel 0."""
        at = (self.position.detach().clamp(-1, 1) + 1) / 2
        edge = (self.spec.rows_px - self.map_rows) / 2
        row = at[:, 1] * (self.map_rows - 1) + edge
        return torch.stack([row, at[:, 0] * (self.map_cols - 1) + edge], 1)
