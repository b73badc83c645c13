"""The compact twin's visual drive for inversion on a CPU: same numbers, a fraction of the time.

While a twin is inverted its weights stand still and one gradient, that of the free frames, is
wanted. So filters are written as matrices once, in the basis in which frames are told, forward and
backward are spelt out, and what torch would do in many passes over memory is done in one
(`compact_loops`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import elu, pad

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.filter_pass import FilterPass
from rtdecode.twins.compact.filters import blur_matrix
from rtdecode.twins.compact.loops import (
    F32,
    I64,
    bend,
    bend_back,
    divide,
    divide_back,
    join,
    join_back,
    look,
    look_back,
)
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import corner_weights

Fine = Float[Tensor, "y x frame hidden"]
Pooled = Float[Tensor, "y2 x2 frame hidden"]
Coarse = Float[Tensor, "y2 x2 frame feature"]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the backward pass needs of the forward pass."""

    linear: Tensor
    bent: Tensor
    below: Tensor
    fine: Fine
    coarse: Coarse
    drive: Tensor


class CompactDrive:
    """Drive of all neurons of a frozen compact twin at given frames of a window.

    Parameters
    ----------
    twin
        Its weights are taken as they are now.
    basis
        In which frames are told.
    history, free
        Frames that stand still, and those after them that change.
    wanted
        Frames, counted over both, whose drive is given.
    """

    def __init__(
        self, twin: Compact, basis: Basis, *, history: int, free: int, wanted: list[int]
    ) -> None:
        self._twin, frames, hidden = twin, len(wanted), len(twin.mix_bias)
        self._sides = (twin.rows, twin.cols, frames)
        self._coarse_sides = (twin.rows // 2, twin.cols // 2, frames)
        self._bank = FilterPass(twin, basis, history=history, free=free, wanted=wanted)
        of_mean = twin.mixed(basis.mean[None, None], [0])
        self._of_mean = of_mean.repeat_interleave(frames, 0)
        self._blur = blur_matrix(twin.rows), blur_matrix(twin.cols)
        self._gain = float(twin.log_contrast_gain.exp())
        self._taps = twin.combine.permute(1, 2, 3, 0).contiguous()
        # neighbours on the screen follow each other, so that what they look at is still in cache
        cells, _ = corner_weights(twin.position, rows=twin.rows, cols=twin.cols)
        self._order = cells[:, 0].argsort()
        self._place = self._order.argsort()
        self._bias = twin.bias[self._order, None].repeat(1, frames)
        at, weights = twin.position[self._order], twin.weights[self._order]
        self._fine = _readout(at, weights[:, :hidden], sides=self._sides)
        self._coarse = _readout(at, weights[:, hidden:], sides=self._coarse_sides)

    def before(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "krow frame_stream kcol"]:
        """What frames that stand still give to the temporal filters."""
        return self._bank.before(old)

    def __call__(
        self,
        free: Float[Tensor, "free krow kcol"],
        before: Float[Tensor, "krow frame_stream kcol"],
    ) -> Float[Tensor, "wanted neuron"]:
        """Visual drive, above 0, about 1 on average; gradients flow to `free`."""
        drive: Tensor = _Drive.apply(free, before, self)  # type: ignore[no-untyped-call]
        return drive

    def forward(self, free: Tensor, before: Tensor) -> tuple[Tensor, _Known]:
        """Drive, and what `backward` needs to know."""
        linear = torch.addmm(self._of_mean, self._bank(free, before), self._twin.mix)
        bent, contrast = torch.empty_like(linear), linear.new_empty(self._sides)
        bend(linear.numpy(), bent.numpy(), contrast.flatten().numpy())
        below = 1 + self._gain * self._blurred(contrast, transposed=False)
        fine = bent.new_empty(*self._sides, bent.shape[1])
        pooled = bent.new_zeros(*self._coarse_sides, bent.shape[1])
        divide(bent.reshape_as(fine).numpy(), below.numpy(), fine.numpy(), pooled.numpy())
        coarse = self._second_layer(pooled)
        drive = self._bias.clone()
        look(_by_site(fine), *self._fine, drive.numpy())
        look(_by_site(coarse), *self._coarse, drive.numpy())
        rate = elu(drive[self._place].T) + 1
        return rate, _Known(linear, bent, below, fine, coarse, drive)

    def backward(self, to_rate: Tensor, known: _Known) -> Tensor:
        """Gradient of the free frames."""
        to_drive = to_rate.T[self._order] * known.drive.clamp_max(0).exp()
        to_fine, to_coarse = torch.zeros_like(known.fine), torch.zeros_like(known.coarse)
        look_back(to_drive.numpy(), *self._fine, _by_site(to_fine))
        look_back(to_drive.numpy(), *self._coarse, _by_site(to_coarse))
        to_below = torch.empty_like(known.below)
        to_pooled = self._second_layer_back(to_coarse, known)
        divide_back(
            known.fine.numpy(),
            known.below.numpy(),
            to_pooled.numpy(),
            to_fine.numpy(),
            to_below.numpy(),
        )
        to_contrast = self._gain * self._blurred(to_below, transposed=True)
        to_linear = to_fine.reshape_as(known.linear)
        bend_back(
            known.linear.numpy(),
            known.bent.numpy(),
            to_linear.numpy(),
            to_contrast.flatten().numpy(),
        )
        return self._bank.back(to_linear @ self._twin.mix.T)

    def _second_layer(self, pooled: Pooled) -> Coarse:
        spread = (pooled.flatten(0, 2) @ self._taps.flatten(1)).reshape(self._spread_sides)
        coarse = self._twin.combine_bias.repeat(*self._coarse_sides, 1)
        join(spread.numpy(), coarse.numpy())
        return coarse

    def _second_layer_back(self, to_coarse: Coarse, known: _Known) -> Pooled:
        back = to_coarse * (known.coarse.clamp_max(0) + 1)
        to_spread = back.new_empty(self._spread_sides)
        join_back(pad(back, (0, 0, 0, 0, 1, 1, 1, 1)).numpy(), to_spread.numpy())
        to_pooled = to_spread.flatten(0, 2).flatten(1) @ self._taps.flatten(1).T
        return to_pooled.reshape(*self._coarse_sides, -1)

    @property
    def _spread_sides(self) -> tuple[int, ...]:
        """Of what taps make of each site: y, x, frame, tap down, tap across, feature."""
        return (*self._coarse_sides, *self._taps.shape[1:])

    def _blurred(
        self, contrast: Float[Tensor, "y x frame"], *, transposed: bool
    ) -> Float[Tensor, "y x frame"]:
        down, across = (matrix.T if transposed else matrix for matrix in self._blur)
        return across @ (down @ contrast.flatten(1)).reshape_as(contrast)


class _Drive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, free: Tensor, before: Tensor, drive: CompactDrive) -> Tensor:
        rate, ctx.known = drive.forward(free, before)
        ctx.drive = drive
        return rate

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.drive.backward(grads[0], ctx.known), None, None


def _readout(
    position: Float[Tensor, "neuron 2"],
    weights: Float[Tensor, "neuron feature"],
    *,
    sides: tuple[int, int, int],
) -> tuple[I64, F32, F32]:
    """Sites around each neuron, their bilinear weights, and the neuron's weights of features."""
    cells, shares = corner_weights(position, rows=sides[0], cols=sides[1])
    return cells.numpy(), shares.contiguous().numpy(), weights.detach().contiguous().numpy()


def _by_site(maps: Fine | Coarse) -> F32:
    """With one axis, the first, for all sites."""
    return maps.flatten(0, 1).numpy()
