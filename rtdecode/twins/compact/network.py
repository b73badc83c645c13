"""The compact twin: causal, small, made to be inverted 30 times a second on a CPU.

Everything heavy is a matrix product. Temporal filters come first, so that all further cost is
paid only for the frames whose prediction is wanted; then all products of a few row and column
filters, which a mixing layer joins to subunits of any orientation and direction of motion (half
of them rectified as in simple cells, half squared as in complex cells); division by the local
contrast; a second layer on coarser maps; and a readout that looks at one point of the maps for
each neuron. Behaviour multiplies. A causal kernel after the last nonlinearity stands for calcium
and scanning, which smear activity, not video; its taps lie `pace` frames apart, so that every
`pace`-th frame can be predicted alone, at a fraction of the cost.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.twins.compact.filters import (
    blur_matrix,
    decay_kernel,
    gamma_kernels,
    hermite_filters,
    steered_mix,
    strided_filters,
)
from rtdecode.twins.readout import causal_filters, corner_weights, looked_up, newest_frames
from rtdecode.twins.twin import TwinSpec

DEFAULT_SIZES = {
    "taps": 16,
    "streams": 2,
    "orders": 4,
    "filter_px": 11,
    "hidden": 48,
    "features": 32,
    "response_taps": 5,
    "pace": 2,
}


class Compact(nn.Module):
    """Predicts all neurons of one mouse; `spec.sizes` as in `DEFAULT_SIZES`."""

    def __init__(self, spec: TwinSpec, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.spec = spec
        size = {**DEFAULT_SIZES, **spec.sizes}
        self.pace, orders, streams = size["pace"], size["orders"], size["streams"]
        hidden, features, neurons = size["hidden"], size["features"], spec.neurons
        self.rows, self.cols = (spec.rows_px + 1) // 2, (spec.cols_px + 1) // 2

        def normal(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * scale)

        self.temporal = nn.Parameter(gamma_kernels(streams, taps=size["taps"]))
        self.row_filters = nn.Parameter(hermite_filters(orders, taps=size["filter_px"]))
        self.col_filters = nn.Parameter(hermite_filters(orders, taps=size["filter_px"]))
        self.mix = nn.Parameter(steered_mix(streams, orders, hidden=hidden))
        self.mix_bias = nn.Parameter(torch.zeros(hidden))
        self.log_contrast_gain = nn.Parameter(torch.tensor(-1.0))
        self.combine = normal(features, hidden, 3, 3, scale=(9 * hidden) ** -0.5)
        self.combine_bias = nn.Parameter(torch.zeros(features))
        self.position = nn.Parameter(torch.zeros(neurons, 2))
        self.weights = normal(neurons, hidden + features, scale=0.3 * hidden**-0.5)
        self.bias = nn.Parameter(torch.zeros(neurons))
        self.behaviour_gain = nn.Parameter(torch.zeros(len(spec.behaviour_channels), neurons))
        self.response_kernel = nn.Parameter(decay_kernel(size["response_taps"]))
        self.scale: Tensor
        self.behaviour_mean: Tensor
        self.behaviour_sd: Tensor
        self.register_buffer("scale", torch.ones(neurons))
        self.register_buffer("behaviour_mean", torch.tensor(spec.behaviour_mean))
        self.register_buffer("behaviour_sd", torch.tensor(spec.behaviour_sd))

    def forward(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, in twin units."""
        return self.tail(video, behaviour, video.shape[1])

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
        *,
        every: int = 1,
    ) -> Float[Tensor, "batch tail neuron"]:
        """Expected activity at each `every`-th of the last `frames` frames, the newest included.

        The cost is that of the frames given. `every` must divide the twin's pace.
        """
        total, count = video.shape[1], -(-frames // every)
        reach = (len(self.response_kernel) - 1) * self.pace // every
        rated = newest_frames(total, count=count + reach, every=every)
        rate = self.drive(video, rated) * self.gain(behaviour[:, rated])
        wanted = newest_frames(len(rated), count=count, every=1)
        smear = causal_filters(
            self.response_kernel.abs()[None],
            frames_in=len(rated),
            wanted=torch.tensor(wanted, device=video.device),
            spacing=self.pace // every,
        )
        return smear[0] @ rate * self.scale

    def gain(
        self, behaviour: Float[Tensor, "batch frame channel"]
    ) -> Float[Tensor, "batch frame neuron"]:
        """Factor, between exp(-2) and exp(2), by which behaviour changes each neuron's rate."""
        scaled = ((behaviour - self.behaviour_mean) / self.behaviour_sd).clamp(-4, 4)
        return torch.exp(2 * torch.tanh(scaled @ self.behaviour_gain / 2))

    def drive(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "batch tail neuron"]:
        """Visual drive at the `wanted` frames, above 0, about 1 on average."""
        fine = self.subunits(video, wanted)
        seen = torch.cat([self.looked_at(fine), self.looked_at(self.second_layer(fine))], 2)
        drive = torch.bmm(seen, self.weights[:, :, None])[:, :, 0] + self.bias[:, None]
        return (functional.elu(drive) + 1).T.reshape(len(video), len(wanted), -1)

    def subunits(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "y x image hidden"]:
        """First layer at half the screen's resolution, divided by the local contrast."""
        mixed = self.mixed(video, wanted)
        simple, squared = mixed.chunk(2, 1)
        bent = torch.cat([functional.elu(simple), squared.square() / (1 + squared.abs())], 1)
        bent = bent.reshape(self.rows, self.cols, -1, bent.shape[1])
        contrast = bent.abs().mean(3)
        down, across = blur_matrix(self.rows).to(bent), blur_matrix(self.cols).to(bent)
        spread = (down @ contrast.flatten(1)).reshape_as(contrast)
        local = torch.einsum("qj,pji->pqi", across, spread)
        return bent / (1 + self.log_contrast_gain.exp() * local)[..., None]

    def mixed(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "site hidden"]:
        """Linear part of the first layer; sites are ordered (y, x, image)."""
        scaled = (video - self.spec.luminance_mean) / self.spec.luminance_sd
        batch, total, rows, cols = scaled.shape
        at = torch.tensor(wanted, device=video.device)
        filters = causal_filters(self.temporal, frames_in=total, wanted=at)
        streams, orders = len(filters), len(self.row_filters)
        moved = filters.flatten(0, 1) @ scaled.flatten(2)
        moved = moved.reshape(batch, streams, len(wanted), rows, cols).permute(3, 0, 2, 1, 4)
        down = strided_filters(self.row_filters, size=rows).flatten(0, 1)
        across = strided_filters(self.col_filters, size=cols).flatten(0, 1)
        bank = (down @ moved.reshape(rows, -1)).reshape(-1, cols) @ across.T
        bank = bank.reshape(orders, self.rows, -1, streams, orders, self.cols)
        sites = bank.permute(1, 5, 2, 0, 3, 4).flatten(3).flatten(0, 2)
        return torch.addmm(self.mix_bias, sites, self.mix)

    def second_layer(
        self, fine: Float[Tensor, "y x image hidden"]
    ) -> Float[Tensor, "y2 x2 image feature"]:
        """Second layer, on maps of half the first one's resolution."""
        even = fine[: self.rows // 2 * 2, : self.cols // 2 * 2]
        paired = even[0::2] + even[1::2]
        pooled = (paired[:, 0::2] + paired[:, 1::2]).permute(2, 3, 0, 1) / 4
        image = pooled.contiguous(memory_format=torch.channels_last)
        coarse = functional.conv2d(image, self.combine, self.combine_bias, padding=1)
        return functional.elu(coarse).permute(2, 3, 0, 1)

    def looked_at(
        self, maps: Float[Tensor, "y x image feature"]
    ) -> Float[Tensor, "neuron image feature"]:
        """The maps at each neuron's position, bilinear."""
        rows, cols, images, features = maps.shape
        cells, weights = corner_weights(self.position, rows=rows, cols=cols)
        seen = looked_up(cells, weights, maps.reshape(rows * cols, -1))
        return seen.reshape(-1, images, features)
