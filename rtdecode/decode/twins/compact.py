"""The compact twin: causal, small, made to be inverted 30 times a second on a CPU.

Temporal filters (one matrix product over the window) come first, so that all further cost is
paid only for the frames whose prediction is wanted. Then a spatial filter bank, a mixing layer
that makes space-time inseparable subunits (half rectified as in simple cells, half squared as in
complex cells), divisive normalisation by the local contrast, a wide second layer, and a readout
that looks at one point of the maps for each neuron. Behaviour multiplies. A short causal kernel
after the last nonlinearity stands for calcium and scanning, which smear activity, not video.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.temporal import causal_basis_responses, toeplitz_filters

DEFAULT_SIZES = {
    "taps": 16,
    "streams": 2,
    "filters": 16,
    "filter_px": 9,
    "hidden": 48,
    "reach": 7,
    "features": 48,
    "response_taps": 8,
}


class Compact(nn.Module):
    """Predicts all neurons of one mouse; `spec.sizes` as in `DEFAULT_SIZES`."""

    def __init__(self, spec: TwinSpec, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.spec = spec
        size = {**DEFAULT_SIZES, **spec.sizes}
        self.response_taps = size["response_taps"]
        hidden, features = size["hidden"], size["features"]
        inputs = size["streams"] * size["filters"]

        def normal(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * scale)

        self.temporal = nn.Parameter(gamma_kernels(size["streams"], taps=size["taps"]))
        self.filters = normal(
            size["filters"], 1, *[size["filter_px"]] * 2, scale=1 / size["filter_px"]
        )
        self.mix = normal(hidden, inputs, 1, 1, scale=inputs**-0.5)
        self.mix_bias = nn.Parameter(torch.zeros(hidden))
        self.spread = normal(hidden, 1, *[size["reach"]] * 2, scale=1 / size["reach"])
        self.combine = normal(features, hidden, 1, 1, scale=hidden**-0.5)
        self.combine_bias = nn.Parameter(torch.zeros(features))
        self.log_contrast_gain = nn.Parameter(torch.tensor(-1.0))
        self.position = nn.Parameter(torch.zeros(spec.neurons, 2))
        self.weights = normal(spec.neurons, features + hidden, scale=0.3 * features**-0.5)
        self.bias = nn.Parameter(torch.zeros(spec.neurons))
        self.behaviour_gain = nn.Parameter(torch.zeros(len(spec.behaviour_channels), spec.neurons))
        self.response_kernel = nn.Parameter(decay_kernel(self.response_taps))
        self.register_buffer("behaviour_mean", torch.tensor(spec.behaviour_mean))
        self.register_buffer("behaviour_sd", torch.tensor(spec.behaviour_sd))

    def forward(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, in twin units."""
        return self._smeared(video, behaviour, frames=video.shape[1], rates=video.shape[1])

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
    ) -> Float[Tensor, "batch tail neuron"]:
        """The last `frames` frames of what `forward` gives, at their own cost only."""
        rates = min(video.shape[1], frames + self.response_taps - 1)
        return self._smeared(video, behaviour, frames=frames, rates=rates)

    def _smeared(self, video: Tensor, behaviour: Tensor, *, frames: int, rates: int) -> Tensor:
        rate = self.drive(video, frames=rates) * self.gain(behaviour[:, -rates:])
        kernel = self.response_kernel.abs()[None]
        return torch.matmul(toeplitz_filters(kernel, frames_in=rates, frames_out=frames)[0], rate)

    def gain(
        self, behaviour: Float[Tensor, "batch frame channel"]
    ) -> Float[Tensor, "batch frame neuron"]:
        """Factor, between exp(-2) and exp(2), by which behaviour changes each neuron's rate."""
        scaled = ((behaviour - self.behaviour_mean) / self.behaviour_sd).clamp(-4, 4)
        return torch.exp(2 * torch.tanh(scaled @ self.behaviour_gain / 2))

    def drive(
        self, video: Float[Tensor, "batch frame row col"], *, frames: int
    ) -> Float[Tensor, "batch tail neuron"]:
        """Visual drive, above 0, of the last `frames` frames."""
        maps = self.maps(video, frames=frames)
        seen = self.looked_at(maps).unflatten(0, (-1, frames))
        return F.elu(torch.einsum("btcn,nc->btn", seen, self.weights) + self.bias) + 1.0

    def maps(
        self, video: Float[Tensor, "batch frame row col"], *, frames: int
    ) -> Float[Tensor, "image feature y x"]:
        """Feature maps at half the screen's resolution."""
        scaled = (video - self.spec.luminance_mean) / self.spec.luminance_sd
        streams = causal_basis_responses(scaled, self.temporal, frames=frames).flatten(0, 1)
        images, count = streams.shape[:2]
        filtered = F.conv2d(
            streams.flatten(0, 1)[:, None],
            self.filters,
            stride=2,
            padding=self.filters.shape[-1] // 2,
        )
        joined = filtered.reshape(images, count * filtered.shape[1], *filtered.shape[2:])
        simple, complex_ = F.conv2d(joined, self.mix, self.mix_bias).chunk(2, 1)
        subunits = torch.cat([F.elu(simple), complex_.square() / (1 + complex_.abs())], 1)
        contrast = F.avg_pool2d(subunits.abs().mean(1, keepdim=True), 5, 1, 2)
        subunits = subunits / (1 + self.log_contrast_gain.exp() * contrast)
        spread = F.conv2d(
            subunits, self.spread, padding=self.spread.shape[-1] // 2, groups=self.spread.shape[0]
        )
        return torch.cat([subunits, F.elu(F.conv2d(spread, self.combine, self.combine_bias))], 1)

    def looked_at(
        self, maps: Float[Tensor, "image feature y x"]
    ) -> Float[Tensor, "image feature neuron"]:
        """The maps at each neuron's position, bilinear."""
        grid = self.position.clamp(-1, 1)[None, None].expand(len(maps), -1, -1, -1)
        return F.grid_sample(maps, grid, align_corners=True, padding_mode="border")[:, :, 0]


def gamma_kernels(streams: int, *, taps: int) -> Float[Tensor, "kernel tap"]:
    """Causal kernels to start from: one sustained, then transients that get slower; newest tap last."""
    age = torch.arange(taps, dtype=torch.float32).flip(0)
    kernels = []
    for stream in range(streams):
        pace = 1.5 + 0.7 * max(0, stream - 1)
        fast, slow = age.square() * torch.exp(-age / pace), age**3 * torch.exp(-age / (1.6 * pace))
        kernel = fast / fast.sum() - (0.8 * slow / slow.sum() if stream else 0)
        kernels.append(kernel / kernel.norm())
    return torch.stack(kernels)


def decay_kernel(taps: int) -> Float[Tensor, " tap"]:
    """A smear of about four frames to start from, summing to 1; newest tap last."""
    age = torch.arange(taps, dtype=torch.float32).flip(0)
    kernel = (age + 1) * torch.exp(-age / math.e)
    return kernel / kernel.sum()
