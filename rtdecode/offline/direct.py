"""The direct deep decoder: a network from recent activity to the pixels of a frame, causal.

The rung between the linear decoder and the inversion of a twin: it is fitted to the same trials and
has the same lag. Activity enters through linear maps, one for each bin of delays, whose sum is the
ridge estimate at half resolution; a network that is convolutional in space and in past time refines
it (factorised convolutions, Tran et al. 2018, arXiv:1711.11248, here causal in time and with
dilations as in WaveNet, van den Oord et al. 2016, arXiv:1609.03499). The estimate of frame t uses
activity up to t + lag, and no estimate of a later frame.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from rtdecode.offline.linear_features import Transform, binned
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import MissingFileError, UnreadableFileError

F32 = NDArray[np.float32]

FILE = "direct.safetensors"
DILATIONS = (1, 2, 4, 8)
"""Frames between the taps of the temporal filter of each block."""
HISTORY_FRAMES = 2 * sum(DILATIONS)
"""Past estimates on which an estimate depends."""
CONDITIONS = 5
"""Behaviour channels, and the share of neurons that were measured."""


class Block(nn.Module):
    """A causal filter of three taps in time, then a 3 x 3 convolution; added to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self._dilation = dilation
        self.temporal = nn.Parameter(torch.tensor([[0.5], [0.25], [0.25]]).repeat(1, channels))
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "batch frame channel row col"]
    ) -> Float[Tensor, "batch frame channel row col"]:
        # h[t] = Σ_k w_k x[t - k d], then x + conv(relu(h))
        filtered = torch.zeros_like(x)
        for k, tap in enumerate(self.temporal[:, :, None, None]):
            filtered = filtered + tap * _delayed(x, k * self._dilation)
        added: Tensor = self.spatial(torch.relu(filtered).flatten(0, 1))
        return x + added.reshape(x.shape)


def _delayed(
    x: Float[Tensor, "batch frame channel row col"], frames: int
) -> Float[Tensor, "batch frame channel row col"]:
    """`x` later by some frames, with zeros before it."""
    return functional.pad(x, (0, 0, 0, 0, 0, 0, frames, 0))[:, : x.shape[1]]


class Refinement(nn.Module):
    """The network behind the linear maps.

    Parameters
    ----------
    bins, channels
        Linear estimates of each frame, and channels of the network.
    rows, cols
        Size of the estimates, in px of half the resolution.
    """

    def __init__(self, bins: int, channels: int, rows: int, cols: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(bins, channels, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(channels, rows, cols))
        self.condition = nn.Linear(CONDITIONS, 2 * channels)
        self.blocks = nn.ModuleList(Block(channels, dilation) for dilation in DILATIONS)
        self.leave = nn.Conv2d(channels, 1, 3, padding=1)
        self.gain = nn.Parameter(torch.ones(rows, cols))
        for parameter in (*self.condition.parameters(), *self.leave.parameters()):
            nn.init.zeros_(parameter)

    def forward(
        self,
        maps: Float[Tensor, "batch frame bin row col"],
        conditions: Float[Tensor, "batch frame condition"],
    ) -> Float[Tensor, "batch frame row col"]:
        """Refined estimates; as initialised, the sum of `maps` over bins."""
        x = self.enter(maps.flatten(0, 1)).unflatten(0, maps.shape[:2]) + self.place
        scale, offset = self.condition(conditions)[..., None, None].chunk(2, dim=2)
        x = x * (1 + scale) + offset
        for block in self.blocks:
            x = block(x)
        residual: Tensor = self.leave(torch.relu(x).flatten(0, 1)).unflatten(0, maps.shape[:2])
        return self.gain * maps.sum(2) + residual[:, :, 0]


@dataclass(frozen=True, slots=True, eq=False)
class Readin:
    """Linear maps from activity to estimates at half resolution, one for each bin of delays."""

    transform: Transform
    mean_activity: F32
    """(neuron,) of transformed activity."""
    weights: F32
    """(bin, neuron, row, col) in units of `DirectDecoder.contrast`."""

    def maps(self, responses: F32, lag_frames: int) -> F32:
        """(frame, bin, row, col) parts of the linear estimate, from (frame, neuron) activity.

        The mean replaces activity that was not measured (NaN).
        """
        deviation = np.nan_to_num(self.transform.of(responses) - self.mean_activity)
        bins, neurons, rows, cols = self.weights.shape
        means = binned(deviation, lag_frames).reshape(len(deviation), bins, neurons)
        parts = [means[:, k] @ self.weights[k].reshape(neurons, -1) for k in range(bins)]
        return np.stack(parts, 1).reshape(len(deviation), bins, rows, cols).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DirectDecoder:
    """A fitted direct decoder for one lag."""

    lag_frames: int
    readin: Readin
    network: Refinement
    mean_frame: F32
    """(row, col) grey levels."""
    contrast: float
    """SD of training frames about their mean, in grey levels: the unit of the network."""
    behaviour: F32
    """(2, channel) mean and SD of behaviour in training trials."""
    training_clips: tuple[str, ...]
    """`clip_hash` of each training clip."""

    @property
    def neurons(self) -> int:
        """Number of neurons that the decoder was fitted to."""
        return len(self.readin.mean_activity)

    @property
    def device(self) -> torch.device:
        """Where its network computes; the linear maps are applied on the CPU."""
        return self.network.gain.device

    @torch.no_grad()
    def video(self, responses: F32, behaviour: F32) -> F32:
        """(frame, row, col) grey levels; NaN for the last `lag_frames` frames.

        `responses` is (frame, neuron) as recorded, NaN where a neuron was not measured;
        `behaviour` is (frame, channel) in the units of `Segment.behaviour`.
        """
        emitted = len(responses) - self.lag_frames
        video = np.full((len(responses), *self.mean_frame.shape), np.nan, np.float32)
        if emitted > 0:
            maps = self.readin.maps(responses, self.lag_frames)[:emitted]
            condition = conditions(responses, behaviour, self.behaviour, self.lag_frames)[:emitted]
            video[:emitted] = self.grey_levels(torch.from_numpy(maps), torch.from_numpy(condition))
        return video

    def grey_levels(
        self, maps: Float[Tensor, "frame bin row col"], condition: Float[Tensor, "frame condition"]
    ) -> F32:
        """(frame, row, col) grey levels of a trial, from its linear estimates and conditions."""
        given = (one[None].to(self.device) for one in (maps, condition))
        whole = self.refined(*given)[0].cpu().numpy()
        return np.clip(self.mean_frame + np.float32(self.contrast) * whole, 0, 255)

    def refined(
        self,
        maps: Float[Tensor, "batch frame bin row col"],
        condition: Float[Tensor, "batch frame condition"],
    ) -> Float[Tensor, "batch frame rows cols"]:
        """Estimates at full resolution, in units of the contrast about the mean frame."""
        size = self.mean_frame.shape
        return functional.interpolate(
            self.network(maps, condition), tuple(size), mode="bilinear", align_corners=False
        )

    def normalised(self, frames: F32) -> F32:
        """(frame, row, col) `frames` in units of the contrast about the mean frame."""
        return ((frames - self.mean_frame) / np.float32(self.contrast)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write into `folder`, made if it is not there; a kill leaves no half of a file."""
        state = self.network.state_dict()
        tensors = {f"network/{name}": value.cpu() for name, value in state.items()}
        for name, array in (
            ("mean_activity", self.readin.mean_activity),
            ("weights", self.readin.weights),
            ("mean_frame", self.mean_frame),
            ("behaviour", self.behaviour),
        ):
            tensors[name] = torch.from_numpy(np.ascontiguousarray(array))
        facts = {
            "lag_frames": self.lag_frames,
            "transform": self.readin.transform.value,
            "contrast": self.contrast,
            "training_clips": self.training_clips,
        }
        with written_atomically(folder / FILE) as unfinished:
            unfinished.write_bytes(save(tensors, {"direct": json.dumps(facts)}))

    @classmethod
    def load(cls, folder: Path) -> "DirectDecoder":
        """Read what `save` wrote; MissingFileError or UnreadableFileError if that is impossible."""
        path = folder / FILE
        if not path.is_file():
            raise MissingFileError(
                what="direct decoder", path=path, remedy="make one with `rtdecode fit direct`"
            )
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                facts = json.loads(file.metadata()["direct"])
            return _assembled(tensors, facts)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UnreadableFileError(
                what="direct decoder",
                path=path,
                expected="a decoder written by `rtdecode fit direct`",
                got=str(error),
            ) from error


def _assembled(tensors: dict[str, Tensor], facts: dict[str, object]) -> DirectDecoder:
    state = {k.removeprefix("network/"): v for k, v in tensors.items() if k.startswith("network/")}
    weights = tensors["weights"].numpy()
    bins, _, rows, cols = weights.shape
    network = Refinement(bins, len(state["place"]), rows, cols)
    network.load_state_dict(state)
    mean_activity = tensors["mean_activity"].numpy()
    return DirectDecoder(
        lag_frames=int(str(facts["lag_frames"])),
        readin=Readin(Transform(str(facts["transform"])), mean_activity, weights),
        network=network.eval().requires_grad_(requires_grad=False),
        mean_frame=tensors["mean_frame"].numpy(),
        contrast=float(str(facts["contrast"])),
        behaviour=tensors["behaviour"].numpy(),
        training_clips=tuple(map(str, list(facts["training_clips"]))),  # type: ignore[call-overload]
    )


def conditions(responses: F32, behaviour: F32, moments: F32, lag_frames: int) -> F32:
    """(frame, 5) normalised behaviour, and the share of measured neurons, at the frame + lag.

    `moments` is (2, channel): mean and SD. Behaviour that is not known (NaN) counts as its mean.
    """
    known = np.nan_to_num((behaviour - moments[0]) / moments[1]).clip(-5, 5)
    share = np.isfinite(responses).mean(1, keepdims=True) - 1
    newest = np.minimum(np.arange(len(responses)) + lag_frames, len(responses) - 1)
    return np.concatenate([known, share], 1)[newest].astype(np.float32)


def half_size(frames: F32) -> F32:
    """(frame, row, col) means over 2 x 2 px; an odd edge is averaged over fewer."""
    size = tuple((side + 1) // 2 for side in frames.shape[1:])
    return functional.adaptive_avg_pool2d(torch.from_numpy(frames)[None], size)[0].numpy()
