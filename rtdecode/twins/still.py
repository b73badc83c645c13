"""The still twin: the published encoder of single images (Lurz et al. 2020, Sensorium 2022).

One wide convolution, then depth-separable layers, each with batch normalisation and ELU; every
neuron reads the feature maps at one learned point. It knows no time: each frame is predicted
from itself alone, and behaviour has no influence. Lurz et al. 2020, "Generalization in
data-driven models of primary visual cortex", bioRxiv 10.1101/2020.10.05.326256.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.twins.readout import corner_weights, looked_up
from rtdecode.twins.twin import TwinSpec

DEFAULT_SIZES = {"channels": 64, "layers": 4, "first_px": 9, "later_px": 7}


class FrozenNorm(nn.BatchNorm2d):
    """Batch normalisation by what was learned, always: this twin is imported, never trained here.

    Written out, as torch's own backward on a CPU (2.13) mistakes the layout of the gradient where
    there is a single image, and scatters it over the screen.
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
    """Convolution of the image without padding, normalised and bent."""

    def __init__(self, channels: int, *, filter_px: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, filter_px, bias=False)
        self.norm = FrozenNorm(channels)

    def forward(
        self, image: Float[Tensor, "image 1 row col"]
    ) -> Float[Tensor, "image channel y x"]:
        return functional.elu(self.norm(self.conv(image)))


class SeparableLayer(nn.Module):
    """Mixes channels, filters each one alone, mixes again; size is kept."""

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
    """Predicts all neurons of one mouse from single frames; `spec.sizes` as in `DEFAULT_SIZES`."""

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
        """Expected activity at each frame; `behaviour` has no influence."""
        seen = self.looked_at(video.flatten(0, 1))
        drive = torch.bmm(seen, self.weights[:, :, None])[:, :, 0] + self.bias[:, None]
        return (functional.elu(drive) + 1).T.reshape(*video.shape[:2], -1)

    def looked_at(
        self, images: Float[Tensor, "image row col"]
    ) -> Float[Tensor, "neuron image channel"]:
        """The feature maps of grey-level images at each neuron's point, bilinear."""
        scaled = (images - self.spec.luminance_mean) / self.spec.luminance_sd
        maps = self.core(scaled[:, None]).permute(2, 3, 0, 1)
        cells, weights = corner_weights(self.position, rows=self.map_rows, cols=self.map_cols)
        seen = looked_up(cells, weights, maps.reshape(self.map_rows * self.map_cols, -1))
        return seen.reshape(self.spec.neurons, len(images), -1)

    def receptive_centres_px(self) -> Float[Tensor, "neuron 2"]:
        """Centre (row, col) on the screen, in px, of what each neuron's point is computed from."""
        at = (self.position.detach().clamp(-1, 1) + 1) / 2
        edge = (self.spec.rows_px - self.map_rows) / 2
        row = at[:, 1] * (self.map_rows - 1) + edge
        return torch.stack([row, at[:, 0] * (self.map_cols - 1) + edge], 1)
