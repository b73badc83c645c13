"""The compact twin as a torch module: a causal encoding model small enough to invert at 30 Hz.

The equations in parentheses are derived in the package's docstring; `drive` beside this module
computes (2) to (12) a second time, by hand, for a frozen twin on a CPU. Nearly all work is matrix
products. The temporal filters come first, so that all later cost is paid only for the frames
whose prediction is wanted.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.twins.compact.filters import (
    blur_matrix,
    gamma_kernels,
    hermite_filters,
    initial_response_kernel,
    steered_mix,
    strided_filters,
)
from rtdecode.twins.readout import (
    bilinear_interpolation,
    causal_filters,
    corner_weights,
    index_on,
    newest_frames,
)
from rtdecode.twins.twin import TwinSpec

DEFAULT_SIZES = {
    "taps": 16,
    "streams": 2,
    "orders": 4,
    "filter_px": 11,
    "hidden": 48,
    "features": 32,
    "response_taps": 5,
    "temporal_stride": 2,
}
"""Sizes of a compact twin where its spec gives no others.

`taps` of the temporal filters, `streams` of them; `orders` of row and of column filters with
`filter_px` taps; `hidden` subunits; `features` of the second layer; `response_taps` of the response
kernel, `temporal_stride` frames apart.
"""


class Compact(nn.Module):
    """Predicts the activity of all neurons of one mouse; satisfies `Twin` and `TailTwin`.

    Parameters
    ----------
    spec
        Description of the twin; sizes that `spec.sizes` leaves out are those of `DEFAULT_SIZES`.
    generator
        Source of the random initial weights; None for torch's global one.

    Notes
    -----
    The names of parameters and buffers are the keys of `twin.safetensors` and stay as they are.
    """

    def __init__(self, spec: TwinSpec, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.spec = spec
        size = {**DEFAULT_SIZES, **spec.sizes}
        self.temporal_stride = size["temporal_stride"]
        orders, streams = size["orders"], size["streams"]
        hidden, features, neurons = size["hidden"], size["features"], spec.neurons
        self.rows, self.cols = (spec.rows_px + 1) // 2, (spec.cols_px + 1) // 2

        def normal(*shape: int, scale: float) -> nn.Parameter:
            weights = torch.empty(*shape)
            # on the meta device, where a twin is outlined, arithmetic imports torch's compiler
            if not weights.is_meta:
                weights.normal_(generator=generator).mul_(scale)
            return nn.Parameter(weights)

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
        self.response_kernel = nn.Parameter(initial_response_kernel(size["response_taps"]))
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
        """Expected activity (14) at each frame, in twin units; see `Twin.__call__` for units."""
        return self.tail(video, behaviour, video.shape[1])

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
        *,
        stride: int = 1,
    ) -> Float[Tensor, "batch tail neuron"]:
        """Expected activity (14) at each `stride`-th of the last `frames` frames.

        The newest frame is always included, and the oldest comes first. The cost is that of the
        frames returned and of those that the response kernel needs before them. `stride` must
        divide `temporal_stride`.
        """
        total, count = video.shape[1], -(-frames // stride)
        spacing = self.temporal_stride // stride
        reach = (len(self.response_kernel) - 1) * spacing
        rated = newest_frames(total, count=count + reach, stride=stride)
        # γ ρ of (12) and (13)
        states = behaviour[:, index_on(behaviour.device, rated)]
        rate = self.drive(video, rated) * self.gain(states)
        return self._apply_response_kernel(rate, count=count, spacing=spacing) * self.scale

    def _apply_response_kernel(
        self, rate: Float[Tensor, "batch rated neuron"], *, count: int, spacing: int
    ) -> Float[Tensor, "batch tail neuron"]:
        """(14) without the scale: Σ_a |k_a| rate[p − a spacing], for the last `count` frames."""
        rated = rate.shape[1]
        wanted = newest_frames(rated, count=count, stride=1)
        kernel = causal_filters(
            self.response_kernel.abs()[None],
            frames_in=rated,
            wanted=index_on(rate.device, wanted),
            spacing=spacing,
        )
        activity: Tensor = kernel[0] @ rate
        return activity

    def gain(
        self, behaviour: Float[Tensor, "batch frame channel"]
    ) -> Float[Tensor, "batch frame neuron"]:
        """(13): factor between exp(−2) and exp(2) by which behaviour changes each neuron's rate."""
        scaled = ((behaviour - self.behaviour_mean) / self.behaviour_sd).clamp(-4, 4)
        return torch.exp(2 * torch.tanh(scaled @ self.behaviour_gain / 2))

    def drive(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "batch tail neuron"]:
        """(12): visual drive at the `wanted` frames, above 0, about 1 on average."""
        fine = self.subunits(video, wanted)
        coarse = self.pool_and_convolve(fine)
        read = torch.cat([self.at_positions(fine), self.at_positions(coarse)], 2)
        # (11)  o = bias + readout of v and e; both layers' weights are side by side
        drive = torch.bmm(read, self.weights[:, :, None])[:, :, 0] + self.bias[:, None]
        return (functional.elu(drive) + 1).T.reshape(len(video), len(wanted), -1)

    def subunits(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "y x image hidden"]:
        """(8): first layer at half the screen's resolution, divided by the local contrast."""
        simple, squared = self.mixed(video, wanted).chunk(2, 1)
        # (5)  rectify one half of the features, square the other
        out = torch.cat([functional.elu(simple), squared.square() / (1 + squared.abs())], 1)
        out = out.reshape(self.rows, self.cols, -1, out.shape[1])
        # (6), (7)  contrast, and its average over the neighbourhood of each site
        contrast = out.abs().mean(3)
        down, across = (
            blur_matrix(side, device=out.device).to(out.dtype) for side in (self.rows, self.cols)
        )
        spread = (down @ contrast.flatten(1)).reshape_as(contrast)
        local = torch.einsum("qj,pji->pqi", across, spread)
        return out / (1 + self.log_contrast_gain.exp() * local)[..., None]

    def mixed(
        self, video: Float[Tensor, "batch frame row col"], wanted: list[int]
    ) -> Float[Tensor, "site hidden"]:
        """(4): linear part of the first layer; sites are ordered (y, x, image).

        An image is a wanted frame of one video of the batch.
        """
        scaled = (video - self.spec.luminance_mean) / self.spec.luminance_sd
        batch, total, rows, cols = scaled.shape
        at = index_on(video.device, wanted)
        filters = causal_filters(self.temporal, frames_in=total, wanted=at)
        streams, orders = len(filters), len(self.row_filters)
        # (2)  on pixels: temporal filters
        filtered = filters.flatten(0, 1) @ scaled.flatten(2)
        filtered = filtered.reshape(batch, streams, len(wanted), rows, cols).permute(3, 0, 2, 1, 4)
        # (3)  on pixels: row filters, then column filters
        down = strided_filters(self.row_filters, size=rows).flatten(0, 1)
        across = strided_filters(self.col_filters, size=cols).flatten(0, 1)
        bank = (down @ filtered.reshape(rows, -1)).reshape(-1, cols) @ across.T
        bank = bank.reshape(orders, self.rows, -1, streams, orders, self.cols)
        sites = bank.permute(1, 5, 2, 0, 3, 4).flatten(3).flatten(0, 2)
        return torch.addmm(self.mix_bias, sites, self.mix)

    def pool_and_convolve(
        self, fine: Float[Tensor, "y x image hidden"]
    ) -> Float[Tensor, "y2 x2 image feature"]:
        """(9), (10): second layer, at half the resolution of the first."""
        even = fine[: self.rows // 2 * 2, : self.cols // 2 * 2]
        paired = even[0::2] + even[1::2]
        pooled = (paired[:, 0::2] + paired[:, 1::2]).permute(2, 3, 0, 1) / 4
        image = pooled.contiguous(memory_format=torch.channels_last)
        coarse = functional.conv2d(image, self.combine, self.combine_bias, padding=1)
        return functional.elu(coarse).permute(2, 3, 0, 1)

    def at_positions(
        self, maps: Float[Tensor, "y x image feature"]
    ) -> Float[Tensor, "neuron image feature"]:
        """The maps, interpolated bilinearly at each neuron's position: Σ_q α v of (11)."""
        rows, cols, images, features = maps.shape
        corners, bilinear = corner_weights(self.position, rows=rows, cols=cols)
        read = bilinear_interpolation(corners, bilinear, maps.reshape(rows * cols, -1))
        return read.reshape(-1, images, features)
