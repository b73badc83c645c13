"""The compact twin's visual drive for inversion on a CPU: same numbers, a fraction of the time.

While a twin is inverted its weights stand still and one gradient, that of the video, is wanted.
So filters are written as matrices once, forward and backward are spelt out, and what torch would
do in many passes over memory is done in one (`compact_loops`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.twins.bank import blur_matrix, strided_filters
from rtdecode.decode.twins.compact import Compact
from rtdecode.decode.twins.compact_loops import F32, I64, bend, bend_back, look, look_back
from rtdecode.decode.twins.sampling import corner_weights
from rtdecode.decode.twins.temporal import causal_filters

_TAPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Maps:
    """What the backward pass needs of the forward pass."""

    linear: Tensor
    bent: Tensor
    fine: Tensor
    below: Tensor
    coarse_linear: Tensor
    drive: Tensor


class CompactDrive:
    """Drive of all neurons of a frozen compact twin at given frames of a window.

    Parameters
    ----------
    twin
        Its weights are taken as they are now.
    frames_in, wanted
        Frames of the window, and those whose drive is given.
    """

    def __init__(self, twin: Compact, *, frames_in: int, wanted: list[int]) -> None:
        self._twin, self._frames = twin, len(wanted)
        self._rows, self._cols = twin.rows, twin.cols
        self._orders, self._streams = len(twin.row_filters), len(twin.temporal)
        filters = causal_filters(twin.temporal, frames_in=frames_in, wanted=torch.tensor(wanted))
        self._moving = filters.flatten(0, 1) / twin.spec.luminance_sd
        self._down = strided_filters(twin.row_filters, size=twin.spec.rows_px).flatten(0, 1)
        self._across = strided_filters(twin.col_filters, size=twin.spec.cols_px).flatten(0, 1)
        self._blur = blur_matrix(self._rows), blur_matrix(self._cols)
        self._gain = float(twin.log_contrast_gain.exp())
        self._taps = twin.combine.permute(2, 3, 1, 0).contiguous()
        hidden = len(twin.mix_bias)
        fine, coarse = twin.weights[:, :hidden], twin.weights[:, hidden:]
        self._fine = _readout(twin, fine, rows=self._rows, cols=self._cols)
        self._coarse = _readout(twin, coarse, rows=self._rows // 2, cols=self._cols // 2)

    def __call__(self, video: Float[Tensor, "frame row col"]) -> Float[Tensor, "out neuron"]:
        """Visual drive, above 0, about 1 on average."""
        drive: Tensor = _Drive.apply(video, self)  # type: ignore[no-untyped-call]
        return drive

    def forward(self, video: Tensor) -> tuple[Tensor, _Maps]:
        """Drive, and what `backward` needs to know."""
        linear = torch.addmm(self._twin.mix_bias, self._sites(video), self._twin.mix)
        bent, contrast = torch.empty_like(linear), torch.empty(len(linear))
        bend(linear.numpy(), bent.numpy(), contrast.numpy())
        below = 1 + self._gain * self._blurred(contrast, transposed=False)
        fine = bent / below[:, None]
        coarse_linear = self._second_layer(fine)
        coarse = torch.nn.functional.elu(coarse_linear)
        drive = self._twin.bias[:, None].repeat(1, self._frames)
        look(self._by_frame(fine), *self._fine, drive.numpy())
        look(self._by_frame(coarse), *self._coarse, drive.numpy())
        return _rate(drive), _Maps(linear, bent, fine, below, coarse_linear, drive)

    def backward(self, to_rate: Tensor, maps: _Maps) -> Tensor:
        """Gradient of the video."""
        to_drive = (to_rate.T * maps.drive.clamp_max(0).exp()).contiguous()
        to_fine, to_coarse = torch.zeros_like(maps.fine), torch.zeros_like(maps.coarse_linear)
        look_back(to_drive.numpy(), *self._fine, self._by_frame(to_fine))
        look_back(to_drive.numpy(), *self._coarse, self._by_frame(to_coarse))
        self._second_layer_back(to_coarse * maps.coarse_linear.clamp_max(0).exp(), to_fine)
        to_bent = to_fine / maps.below[:, None]
        to_below = -torch.linalg.vecdot(to_bent, maps.fine)
        to_contrast = self._gain * self._blurred(to_below, transposed=True)
        bend_back(maps.linear.numpy(), maps.bent.numpy(), to_bent.numpy(), to_contrast.numpy())
        return self._sites_back(to_bent @ self._twin.mix.T)

    def _sites(self, video: Tensor) -> Tensor:
        """(site of y, x and frame, input) what the filter bank gives."""
        spec, count = self._twin.spec, self._streams * self._frames
        moved = self._moving @ (video - spec.luminance_mean).flatten(1)
        across = moved.reshape(-1, spec.cols_px) @ self._across.T
        bank = self._down @ across.reshape(count, spec.rows_px, -1)
        parts = bank.reshape(*self._parts())
        return parts.permute(3, 5, 1, 2, 0, 4).reshape(-1, self._twin.mix.shape[0])

    def _sites_back(self, to_sites: Tensor) -> Tensor:
        spec, count = self._twin.spec, self._streams * self._frames
        streams, frames, orders, rows, _, cols = self._parts()
        parts = to_sites.reshape(rows, cols, frames, orders, streams, orders)
        bank = parts.permute(4, 2, 3, 0, 5, 1).reshape(count, orders * rows, orders * cols)
        moved = (self._down.T @ bank).reshape(-1, orders * cols) @ self._across
        to_video = self._moving.T @ moved.reshape(count, -1)
        return to_video.reshape(-1, spec.rows_px, spec.cols_px)

    def _parts(self) -> tuple[int, int, int, int, int, int]:
        orders = self._orders
        return self._streams, self._frames, orders, self._rows, orders, self._cols

    def _blurred(self, contrast: Tensor, *, transposed: bool) -> Tensor:
        down, across = (matrix.T if transposed else matrix for matrix in self._blur)
        maps = (down @ contrast.reshape(self._rows, -1)).reshape(self._rows, self._cols, -1)
        return (across @ maps).flatten()

    def _second_layer(self, fine: Tensor) -> Tensor:
        rows, cols, frames = self._rows // 2, self._cols // 2, self._frames
        maps = fine.reshape(self._rows, self._cols, frames, -1)[: rows * 2, : cols * 2]
        pairs = maps[0::2] + maps[1::2]
        padded = fine.new_zeros(rows + 2, cols + 2, frames, fine.shape[1])
        torch.add(pairs[:, 0::2], pairs[:, 1::2], out=padded[1:-1, 1:-1])
        out = (self._twin.combine_bias * 4).repeat(rows * cols * frames, 1)
        out = out.reshape(rows, cols * frames, -1)
        for window, tap in self._shifted(padded):
            out.baddbmm_(window, tap.expand(rows, -1, -1))
        return (out / 4).reshape(-1, out.shape[2])

    def _second_layer_back(self, to_linear: Tensor, to_fine: Tensor) -> None:
        """Add to `to_fine` what comes back through the second layer."""
        rows, cols, frames = self._rows // 2, self._cols // 2, self._frames
        features = to_fine.shape[1]
        padded = to_fine.new_zeros(rows + 2, cols + 2, frames, features)
        back = (to_linear / 4).reshape(rows, cols * frames, -1)
        for window, tap in self._shifted(padded):
            window += back @ tap.T
        fine = to_fine.reshape(self._rows, self._cols, frames, features)
        for down in range(2):
            for across in range(2):
                fine[down : rows * 2 : 2, across : cols * 2 : 2] += padded[1:-1, 1:-1]

    def _shifted(self, padded: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each tap of the second layer the part of `padded` that it looks at, as matrices."""
        rows, width = padded.shape[0] - 2, (padded.shape[1] - 2) * padded.shape[2]
        lines, frames = padded.flatten(1, 2), padded.shape[2]
        return [
            (
                lines[down : down + rows, across * frames : across * frames + width],
                self._taps[down, across],
            )
            for down in range(_TAPS)
            for across in range(_TAPS)
        ]

    def _by_frame(self, maps: Tensor) -> F32:
        return maps.reshape(-1, self._frames, maps.shape[1]).numpy()


class _Drive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, video: Tensor, drive: CompactDrive) -> Tensor:
        rate, ctx.maps = drive.forward(video)
        ctx.drive = drive
        return rate

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.drive.backward(grads[0], ctx.maps), None


def _readout(twin: Compact, weights: Tensor, *, rows: int, cols: int) -> tuple[I64, F32, F32]:
    """Sites around each neuron, their bilinear weights, and the neuron's weights of features."""
    cells, shares = corner_weights(twin.position, rows=rows, cols=cols)
    return cells.numpy(), shares.contiguous().numpy(), weights.detach().contiguous().numpy()


def _rate(drive: Tensor) -> Tensor:
    return (torch.nn.functional.elu(drive) + 1).T
