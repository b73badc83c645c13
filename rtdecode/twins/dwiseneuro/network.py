"""The network of the Sensorium 2023 winner, for one mouse, and how video is fed to it.

A core of depth-wise separable 3-D convolutions, a "cortex" of grouped dense layers over the
core's spatial mean, and one linear readout a mouse under a soft rectification (V. Kovalev's
DwiseNeuro; Turishcheva et al. 2024, arXiv 2407.09100). Its kernels are symmetric in time: it is
no causal twin.
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
STEP = 2
SPAN_FRAMES = STACK_FRAMES * STEP
CANVAS_PX = 64
PLANES = 5
CORE_WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256)
CORTEX_WIDTHS = (1024, 2048, 4096)
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
    """Stem and blocks; halves the picture in the first block of each width."""

    def __init__(self, size: dict[str, int]) -> None:
        super().__init__()
        features = widths(size, "core")
        self.stem = nn.Sequential(
            nn.Conv3d(PLANES, features[0], 1, bias=False),
            Normalised(nn.BatchNorm3d(features[0]), bent=False),
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
        self.bn_sc = Normalised(nn.BatchNorm1d(out_channels), bent=False)

    def forward(self, x: Float[Tensor, "stack channel frame"]) -> Float[Tensor, "stack out frame"]:
        mixed: Tensor = self.bn(self.conv(x))
        grouped = mixed.reshape(len(mixed), self.groups, -1, mixed.shape[2])
        shortcut: Tensor = self.bn_sc(repeated(x, self.out_channels))
        return grouped.transpose(1, 2).flatten(1, 2) + shortcut


class Cortex(nn.Module):
    """Shuffle layers in a row."""

    def __init__(self, features: tuple[int, ...], *, groups: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(ShuffleLayer(a, b, groups=groups) for a, b in pairwise(features))
        )

    def forward(self, x: Float[Tensor, "stack channel frame"]) -> Float[Tensor, "stack out frame"]:
        out: Tensor = self.layers(x)
        return out


class Readout(nn.Module):
    """One number a neuron and frame, at least 0."""

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
    """Predicts all neurons of one mouse; `spec.sizes` as in `DEFAULT_SIZES`.

    Not causal: the prediction of a frame looks up to `spec.future_frames` ahead.
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
        """Expected activity at each frame, averaged over the stacks that cover it.

        Spans of 32 frames, a hop apart, are each seen as two stacks of every second frame. A
        video shorter than a span is held still before its start.
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
        """Even and odd frames of one span, each as a stack of 16."""
        batch, plane, _, rows, cols = planes.shape
        stacks = planes.reshape(batch, plane, STACK_FRAMES, STEP, rows, cols).movedim(3, 1)
        predicted = self.stack(stacks.flatten(0, 1)).reshape(batch, STEP, -1, STACK_FRAMES)
        return predicted.permute(0, 3, 1, 2).flatten(1, 2)

    def stack(
        self, planes: Float[Tensor, "stack plane frame y x"]
    ) -> Float[Tensor, "stack neuron frame"]:
        """What the published network gives for 16 frames at step 2."""
        neurons: Tensor = self.readout(self.cortex(self.core(planes).mean((3, 4))))
        return neurons


def as_planes(
    video: Float[Tensor, "batch frame row col"], behaviour: Float[Tensor, "batch frame channel"]
) -> Float[Tensor, "batch plane frame 64 64"]:
    """Grey levels in the middle of a black square, and each behaviour channel as a plane.

    Planes as the published network had them: video, pupil diameter, running, pupil x, pupil y.
    """
    rows, cols = video.shape[2:]
    top, left = (CANVAS_PX - rows) // 2, (CANVAS_PX - cols) // 2
    border = (left, CANVAS_PX - cols - left, top, CANVAS_PX - rows - top)
    square = functional.pad(video, border)[:, None]
    order = [1, 0, 2, 3]
    levels = behaviour[:, :, order].movedim(2, 1)[..., None, None]
    return torch.cat([square, levels.expand(-1, -1, -1, CANVAS_PX, CANVAS_PX)], 1)


def span_starts(frames: int, *, hop: int) -> list[int]:
    """Starts of the spans that cover `frames` frames; the last one ends with the video."""
    last = frames - SPAN_FRAMES
    return [*range(0, last, hop), last]
