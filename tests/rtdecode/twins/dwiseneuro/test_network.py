"""The network against the published layout, written out once more from torch's functions.

The oracle takes parameters by the names that the published checkpoints have, and knows nothing
of the modules under test. Published are the names, the shapes and the order of operations; see
Turishcheva et al. 2024, arXiv 2407.09100, and the winner's code for Sensorium 2023.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from rtdecode.twins.dwiseneuro.network import (
    CANVAS_PX,
    DEFAULT_SIZES,
    DwiseNeuro,
    as_planes,
    span_starts,
    widths,
)
from rtdecode.twins.twin import TwinSpec

State = dict[str, Tensor]
CORE, CORTEX, NEURONS, GROUPS, HOP = (4, 4, 6), (8, 12), 5, 2, 8
STRIDES = (2, 1, 2)
SIZES = {
    "expansion": 3,
    "squeeze": 4,
    "space_px": 3,
    "taps": 5,
    "groups": GROUPS,
    "hop_frames": HOP,
    **{f"core_{i}": width for i, width in enumerate(CORE)},
    **{f"cortex_{i}": width for i, width in enumerate(CORTEX)},
}


@pytest.fixture(scope="module")
def network() -> DwiseNeuro:
    made = DwiseNeuro(TwinSpec("dwiseneuro", NEURONS, 6, 8, sizes=SIZES))
    generator = torch.Generator().manual_seed(0)
    for name, value in made.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        elif value.is_floating_point() and not name.endswith("inv_freq"):
            value.normal_(0, 0.4, generator=generator)
    return made.requires_grad_(requires_grad=False).eval()


def published(network: DwiseNeuro) -> State:
    """Its parameters, with the names and the spelling of the published checkpoints."""
    return {
        name.replace("_conv_dw", "_covn_dw").replace("readout.", "readouts.0."): value
        for name, value in network.state_dict().items()
    }


def normalised(x: Tensor, state: State, name: str) -> Tensor:
    parts = ("running_mean", "running_var", "weight", "bias")
    return functional.batch_norm(x, *(state[f"{name}.bn.{part}"] for part in parts))


def placed(x: Tensor) -> Tensor:
    """Adds the encoding of frame, row and column."""
    channels = x.shape[1]
    third = math.ceil(channels / 6) * 2
    frequencies = 1.0 / (10000 ** (torch.arange(0, third, 2).float() / third))
    table = torch.zeros(3 * third, *x.shape[2:])
    for axis in range(3):
        angles = torch.outer(frequencies, torch.arange(x.shape[2 + axis]).float())
        waves = torch.cat([angles.sin(), angles.cos()])
        shape = [third, 1, 1, 1]
        shape[1 + axis] = -1
        table[axis * third : (axis + 1) * third] = waves.reshape(shape)
    return x + table[:channels]


def tiled(x: Tensor, channels: int) -> Tensor:
    times = math.ceil(channels / x.shape[1])
    return torch.tile(x, (1, times, *[1] * (x.ndim - 2)))[:, :channels]


def residual(x: Tensor, state: State, name: str, *, stride: int) -> Tensor:
    silu, conv = functional.silu, functional.conv3d

    def weight(part: str) -> Tensor:
        return state[f"{name}.{part}.weight"]

    wide = silu(normalised(conv(x, weight("conv_pw.0")), state, f"{name}.conv_pw.1"))
    groups = wide.shape[1]
    wide = conv(
        wide,
        weight("spat_covn_dw.0"),
        stride=(1, stride, stride),
        padding=(0, 1, 1),
        groups=groups,
    )
    wide = silu(normalised(wide, state, f"{name}.spat_covn_dw.1"))
    wide = conv(wide, weight("temp_covn_dw.0"), padding=(2, 0, 0), groups=groups)
    wide = silu(normalised(wide, state, f"{name}.temp_covn_dw.1"))
    gate = functional.adaptive_avg_pool3d(wide, 1)
    gate = silu(conv(gate, weight("se.conv_reduce"), state[f"{name}.se.conv_reduce.bias"]))
    gate = conv(gate, weight("se.conv_expand"), state[f"{name}.se.conv_expand.bias"])
    narrow = conv(wide * torch.sigmoid(gate), weight("conv_pwl.0"))
    narrow = normalised(narrow, state, f"{name}.conv_pwl.1")
    if stride > 1:
        size = (x.shape[2], math.ceil(x.shape[3] / stride), math.ceil(x.shape[4] / stride))
        x = functional.interpolate(x, size=size, mode="nearest")
    return narrow + normalised(tiled(x, narrow.shape[1]), state, f"{name}.bn_sc")


def forward(state: State, planes: Tensor) -> Tensor:
    """(stack, neuron, frame) of stacks of planes (stack, plane, frame, y, x)."""
    x = functional.conv3d(planes, state["core.stem.0.weight"])
    x = normalised(x, state, "core.stem.1")
    for number, stride in enumerate(STRIDES):
        x = residual(placed(x), state, f"core.blocks.{2 * number + 1}", stride=stride)
    x = functional.adaptive_avg_pool3d(x, (None, 1, 1))[..., 0, 0]
    for layer in range(len(CORTEX)):
        name = f"cortex.layers.{layer}"
        y = functional.conv1d(x, state[f"{name}.conv.weight"], groups=GROUPS)
        y = functional.silu(normalised(y, state, f"{name}.bn"))
        stack, channels, frames = y.shape
        y = y.view(stack, GROUPS, channels // GROUPS, frames).transpose(1, 2)
        x = y.reshape(stack, channels, frames) + normalised(
            tiled(x, channels), state, f"{name}.bn_sc"
        )
    weight, bias = (state[f"readouts.0.layer.1.{part}"] for part in ("weight", "bias"))
    rate = functional.conv1d(x, weight, bias, groups=GROUPS)[:, :NEURONS]
    return torch.log1p(torch.exp(0.07 * rate)) / 0.07


def some_video(frames: int, *, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    video = 255 * torch.rand(batch, frames, 6, 8, generator=generator)
    return video, torch.randn(batch, frames, 4, generator=generator)


@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (12, 16)])
def test_a_stack_is_what_the_published_layout_gives(
    network: DwiseNeuro, rows: int, cols: int
) -> None:
    planes = torch.randn(2, 5, 16, rows, cols, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        network.stack(planes), forward(published(network), planes), rtol=1e-4, atol=1e-4
    )


def test_parameters_have_the_published_names_and_shapes(network: DwiseNeuro) -> None:
    shapes = {name: tuple(value.shape) for name, value in published(network).items()}
    block = {k.removeprefix("core.blocks.5."): v for k, v in shapes.items() if "blocks.5." in k}
    norms = {"weight", "bias", "running_mean", "running_var"}
    assert shapes["core.stem.0.weight"] == (4, 5, 1, 1, 1)
    assert shapes["core.blocks.4.inv_freq"] == (1,)
    assert {k: v for k, v in block.items() if ".bn." not in k and "bn_sc" not in k} == {
        "conv_pw.0.weight": (18, 6, 1, 1, 1),
        "spat_covn_dw.0.weight": (18, 1, 1, 3, 3),
        "temp_covn_dw.0.weight": (18, 1, 5, 1, 1),
        "se.conv_reduce.weight": (4, 18, 1, 1, 1),
        "se.conv_reduce.bias": (4,),
        "se.conv_expand.weight": (18, 4, 1, 1, 1),
        "se.conv_expand.bias": (18,),
        "conv_pwl.0.weight": (6, 18, 1, 1, 1),
    }
    for part in ("conv_pw.1", "spat_covn_dw.1", "temp_covn_dw.1", "conv_pwl.1", "bn_sc"):
        assert norms <= {k.rsplit(".", 1)[1] for k in block if k.startswith(f"{part}.bn.")}
    assert shapes["cortex.layers.1.conv.weight"] == (12, 8 // GROUPS, 1)
    assert shapes["cortex.layers.1.bn_sc.bn.weight"] == (12,)
    # Five neurons in two groups: a row is added and left out again.
    assert shapes["readouts.0.layer.1.weight"] == (6, 12 // GROUPS, 1)
    assert shapes["readouts.0.layer.1.bias"] == (6,)


def test_of_the_published_sizes_core_and_cortex_have_the_published_parameters() -> None:
    """3.67 million in the core and 5.40 million in the cortex."""
    with torch.device("meta"):
        network = DwiseNeuro(TwinSpec("dwiseneuro", 7863))
    counts = {
        part: sum(p.numel() for p in module.parameters()) / 1e6
        for part, module in network.named_children()
    }
    assert counts["core"] == pytest.approx(3.67, abs=0.01)
    assert counts["cortex"] == pytest.approx(5.40, abs=0.01)
    assert counts["readout"] == pytest.approx(7864 * (2048 + 1) / 1e6)
    strides = [m.stride for m in network.core.blocks if hasattr(m, "stride")]
    assert strides == [2, 1, 1, 1, 2, 1, 1, 2, 1]


def test_widths_are_read_in_order() -> None:
    assert widths(DEFAULT_SIZES, "cortex") == (1024, 2048, 4096)
    assert len(widths(DEFAULT_SIZES, "core")) == 9


def test_video_lies_in_the_middle_of_a_black_square_and_behaviour_fills_planes() -> None:
    video, behaviour = some_video(3)
    planes = as_planes(video, behaviour)
    assert planes.shape == (1, 5, 3, CANVAS_PX, CANVAS_PX)
    torch.testing.assert_close(planes[:, 0, :, 29:35, 28:36], video)
    assert float(planes[:, 0].sum()) == pytest.approx(float(video.sum()), rel=1e-5)
    running, pupil, x, y = behaviour[0, 2]
    for plane, level in zip(planes[0, 1:, 2], (pupil, running, x, y), strict=True):
        assert (plane == level).all()


@given(frames=st.integers(32, 400), hop=st.integers(1, 32))
def test_spans_cover_a_video_and_end_with_it(frames: int, hop: int) -> None:
    starts = span_starts(frames, hop=hop)
    assert starts == sorted(set(starts))
    covered = {frame for start in starts for frame in range(start, start + 32)}
    assert covered == set(range(frames))


@pytest.mark.parametrize("frames", [1, 31, 32, 45])
def test_every_frame_is_predicted(network: DwiseNeuro, frames: int) -> None:
    predicted = network(*some_video(frames, batch=2))
    assert predicted.shape == (2, frames, NEURONS)
    assert bool(predicted.isfinite().all())
    assert bool((predicted >= 0).all())


def test_a_frame_is_the_mean_of_the_spans_that_contain_it(network: DwiseNeuro) -> None:
    """Of 45 frames, the spans begin at 0, 8 and 13; each is two stacks of every second frame."""
    video, behaviour = some_video(45)
    planes = as_planes(video, behaviour)
    stacks = {
        start: [network.stack(planes[:, :, start + half : start + 32 : 2])[0] for half in (0, 1)]
        for start in (0, 8, 13)
    }

    def expected(frame: int) -> Tensor:
        inside = [start for start in stacks if start <= frame < start + 32]
        seen = [stacks[s][(frame - s) % 2][:, (frame - s) // 2] for s in inside]
        return torch.stack(seen).mean(0)

    predicted = network(video, behaviour)[0]
    for frame in (0, 8, 20, 33, 44):
        torch.testing.assert_close(predicted[frame], expected(frame), rtol=1e-4, atol=1e-4)


def test_a_short_video_is_extended_by_its_first_frame(network: DwiseNeuro) -> None:
    video, behaviour = some_video(10)
    held = torch.cat([video[:, :1].expand(-1, 22, -1, -1), video], 1)
    still = torch.cat([behaviour[:, :1].expand(-1, 22, -1), behaviour], 1)
    torch.testing.assert_close(network(video, behaviour), network(held, still)[:, 22:])
