"""The DwiseNeuro network for one mouse, and the preparation of its input.

DwiseNeuro won the Sensorium 2023 competition (code: github.com/lRomul/sensorium; competition:
Turishcheva et al. 2024, arXiv 2407.09100). It has a core of depth-wise separable 3-D
convolutions, a "cortex" of grouped dense layers over the core's spatial mean, and one linear
readout for each mouse with a softplus. Its temporal kernels are symmetric, so it is not causal.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.twins.dwiseneuro.blocks import (
    InvertedResidual,
    Normalised,
    PositionalEncoding,
    repeated,
)
from rtdecode.twins.twin import TwinSpec

SOFTPLUS_BETA = 0.07
STACK_FRAMES = 16
"""Frames of one sample of the network, `STEP` frames of the video apart."""
STEP = 2
SPAN_FRAMES = STACK_FRAMES * STEP
CANVAS_PX = 64
PLANES = 5
CORE_WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256)
CORTEX_WIDTHS = (1024, 2048, 4096)
"""Channels of the published core's blocks and cortex' layers."""
DEFAULT_SIZES = {
    "expansion": 7,
    "squeeze": 32,
    "space_px": 3,
    "taps": 5,
    "groups": 2,
    "hop_frames": 8,
    **{f"core_{i}": width for i, width in enumerate(CORE_WIDTHS)},
    **{f"cortex_{i}": width for i, width in enumerate(CORTEX_WIDTHS)},
}


def widths(sizes: dict[str, int], part: str) -> tuple[int, ...]:
    """Widths of the layers of `part` ("core" or "cortex") in order."""
    count = sum(name.startswith(f"{part}_") for name in sizes)
    return tuple(sizes[f"{part}_{i}"] for i in range(count))


class Core(nn.Module):
    """Stem and blocks; the first block of each width halves rows and columns."""

    def __init__(self, size: dict[str, int]) -> None:
        super().__init__()
        features = widths(size, "core")
        self.stem = nn.Sequential(
            nn.Conv3d(PLANES, features[0], 1, bias=False),
            Normalised(nn.BatchNorm3d(features[0]), activated=False),
        )
        blocks: list[nn.Module] = []
        before = (0, *features)
        for here, after, last in zip(features, (*features[1:], features[-1]), before, strict=False):
            blocks.append(PositionalEncoding(here))
            blocks.append(
                InvertedResidual(
                    here,
                    after,
                    expansion=size["expansion"],
                    squeezed=here * size["expansion"] // size["squeeze"],
                    space_px=size["space_px"],
                    taps=size["taps"],
                    stride=2 if here != last else 1,
                )
            )
        self.blocks = nn.Sequential(*blocks)

    def forward(
        self, planes: Float[Tensor, "stack plane frame y x"]
    ) -> Float[Tensor, "stack channel frame y2 x2"]:
        maps: Tensor = self.blocks(self.stem(planes))
        return maps


class ShuffleLayer(nn.Module):
    """Dense layer within groups of channels, which are then interleaved; adds a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, *, groups: int) -> None:
        super().__init__()
        self.groups, self.out_channels = groups, out_channels
        self.conv = nn.Conv1d(in_channels, out_channels, 1, groups=groups, bias=False)
        self.bn = Normalised(nn.BatchNorm1d(out_channels))
        self.bn_sc = Normalised(nn.BatchNorm1d(out_channels), activated=False)

    def forward(self, x: Float[Tensor, "stack channel frame"]) -> Float[Tensor, "stack out frame"]:
        mixed: Tensor = self.bn(self.conv(x))
        grouped = mixed.reshape(len(mixed), self.groups, -1, mixed.shape[2])
        shortcut: Tensor = self.bn_sc(repeated(x, self.out_channels))
        return grouped.transpose(1, 2).flatten(1, 2) + shortcut


class Cortex(nn.Module):
    """A sequence of shuffle layers with the widths `features`."""

    def __init__(self, features: tuple[int, ...], *, groups: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(ShuffleLayer(a, b, groups=groups) for a, b in pairwise(features))
        )

    def forward(self, x: Float[Tensor, "stack channel frame"]) -> Float[Tensor, "stack out frame"]:
        out: Tensor = self.layers(x)
        return out


class Readout(nn.Module):
    """Linear readout and softplus(x) = log(1 + exp(β x)) / β with β = 0.07: activity above 0."""

    def __init__(self, channels: int, neurons: int, *, groups: int) -> None:
        super().__init__()
        self.neurons = neurons
        padded = -(-neurons // groups) * groups
        self.layer = nn.Sequential(nn.Identity(), nn.Conv1d(channels, padded, 1, groups=groups))

    def forward(
        self, x: Float[Tensor, "stack channel frame"]
    ) -> Float[Tensor, "stack neuron frame"]:
        return functional.softplus(self.layer(x)[:, : self.neurons], beta=SOFTPLUS_BETA)


class DwiseNeuro(nn.Module):
    """Predicts the activity of all neurons of one mouse; `spec.sizes` as in `DEFAULT_SIZES`.

    Not causal: the prediction of a frame depends on up to `spec.future_frames` later ones.
    """

    def __init__(self, spec: TwinSpec) -> None:
        super().__init__()
        self.spec = spec
        size = spec.sizes or DEFAULT_SIZES
        self.hop = size["hop_frames"]
        core, cortex = widths(size, "core"), widths(size, "cortex")
        self.core = Core(size)
        self.cortex = Cortex((core[-1], *cortex), groups=size["groups"])
        self.readout = Readout(cortex[-1], spec.neurons, groups=size["groups"])

    def forward(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, averaged over the spans that contain it.

        Spans of 32 frames start `hop_frames` apart. Each is predicted as two stacks, of its even
        and of its odd frames. A shorter video is extended before its start by its first frame.
        """
        planes = as_planes(video, behaviour)
        frames = planes.shape[2]
        missing = max(0, SPAN_FRAMES - frames)
        held = torch.cat([planes[:, :, :1].expand(-1, -1, missing, -1, -1), planes], 2)
        starts = span_starts(frames + missing, hop=self.hop)
        total = held.new_zeros(len(held), frames + missing, self.spec.neurons)
        count = held.new_zeros(frames + missing, 1)
        for start in starts:
            span = slice(start, start + SPAN_FRAMES)
            total[:, span] += self.span(held[:, :, span])
            count[span] += 1
        return (total / count)[:, missing:]

    def span(self, planes: Float[Tensor, "batch plane 32 y x"]) -> Float[Tensor, "batch 32 neuron"]:
        """Prediction of one span, from its even and its odd frames as stacks of 16."""
        batch, plane, _, rows, cols = planes.shape
        stacks = planes.reshape(batch, plane, STACK_FRAMES, STEP, rows, cols).movedim(3, 1)
        predicted = self.stack(stacks.flatten(0, 1)).reshape(batch, STEP, -1, STACK_FRAMES)
        return predicted.permute(0, 3, 1, 2).flatten(1, 2)

    def stack(
        self, planes: Float[Tensor, "stack plane frame y x"]
    ) -> Float[Tensor, "stack neuron frame"]:
        """The published network's prediction for stacks of 16 frames, two video frames apart."""
        neurons: Tensor = self.readout(self.cortex(self.core(planes).mean((3, 4))))
        return neurons


def as_planes(
    video: Float[Tensor, "batch frame row col"], behaviour: Float[Tensor, "batch frame channel"]
) -> Float[Tensor, "batch plane frame 64 64"]:
    """Input of the network: video in the middle of a black square, and behaviour as planes.

    Planes in the published order: video in grey levels, pupil diameter, running, pupil x, pupil y.
    """
    rows, cols = video.shape[2:]
    top, left = (CANVAS_PX - rows) // 2, (CANVAS_PX - cols) // 2
    border = (left, CANVAS_PX - cols - left, top, CANVAS_PX - rows - top)
    square = functional.pad(video, border)[:, None]
    running, diameter, *place = behaviour.unbind(2)
    levels = torch.stack([diameter, running, *place], 1)[..., None, None]
    return torch.cat([square, levels.expand(-1, -1, -1, CANVAS_PX, CANVAS_PX)], 1)


def span_starts(frames: int, *, hop: int) -> list[int]:
    """First frames of the spans that cover `frames` frames; the last span ends with the video."""
    last = frames - SPAN_FRAMES
    return [*range(0, last, hop), last]
