"""Visual drive of a frozen compact twin with a hand-written gradient, for inversion on a CPU.

Numbers in parentheses are the equations of the package's docstring; a prime marks the
vector–Jacobian product. The result equals that of `Compact.drive` up to rounding.
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
    bilinear_readout,
    bilinear_readout_vjp,
    convolve,
    convolve_vjp,
    normalise_and_pool,
    normalise_and_pool_vjp,
    rectify_and_square,
    rectify_and_square_vjp,
)
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import corner_weights

Fine = Float[Tensor, "y x frame hidden"]
Pooled = Float[Tensor, "y2 x2 frame hidden"]
Coarse = Float[Tensor, "y2 x2 frame feature"]


@dataclass(frozen=True, slots=True, eq=False)
class ForwardState:
    """Intermediate results of the forward pass that the backward pass needs.

    mixed: z of (4), (site, hidden). subunits: u of (5), (site, hidden). divisor: d of (7),
    (y, x, frame). fine: v of (8). coarse: e of (10). drive: o of (11), (neuron, frame), neurons
    in the order of `CompactDrive`.
    """

    mixed: Tensor
    subunits: Tensor
    divisor: Tensor
    fine: Fine
    coarse: Coarse
    drive: Tensor


class CompactDrive:
    """Drive of all neurons of a frozen compact twin at given frames of a window: (2) to (12).

    Everything that depends on neither the frames nor their history is computed once, here.

    Parameters
    ----------
    twin
        Its weights are copied or used as they are now, on the CPU, in float32.
    basis
        Separable basis of the frames' coefficients.
    history, free
        Number of old frames, which are fixed, and of the free frames after them.
    wanted
        Frames, counted over old and free ones, whose drive is computed.
    """

    def __init__(
        self, twin: Compact, basis: Basis, *, history: int, free: int, wanted: list[int]
    ) -> None:
        self._twin, frames, hidden = twin, len(wanted), len(twin.mix_bias)
        self._fine_shape = (twin.rows, twin.cols, frames)
        self._coarse_shape = (twin.rows // 2, twin.cols // 2, frames)
        self._filters = FilterPass(twin, basis, history=history, free=free, wanted=wanted)
        # z̄ of (4): a still video of the mean frame is the same at each wanted frame
        of_mean = twin.mixed(basis.mean[None, None], [0])
        self._of_mean = of_mean.repeat_interleave(frames, 0)
        self._blur = blur_matrix(twin.rows), blur_matrix(twin.cols)
        self._gain = float(twin.log_contrast_gain.exp())
        # W of (10) as (hidden, tap down, tap across, feature)
        self._taps = twin.combine.permute(1, 2, 3, 0).contiguous()
        # neurons with neighbouring positions follow each other: their sites are still in cache
        corners, _ = corner_weights(twin.position, rows=twin.rows, cols=twin.cols)
        self._order = corners[:, 0].argsort()
        self._original_order = self._order.argsort()
        self._bias = twin.bias[self._order, None].repeat(1, frames)
        at, weights = twin.position[self._order], twin.weights[self._order]
        self._fine = _readout_arrays(at, weights[:, :hidden], shape=self._fine_shape)
        self._coarse = _readout_arrays(at, weights[:, hidden:], shape=self._coarse_shape)

    def history_term(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "krow frame_stream kcol"]:
        """What the old frames add to the temporal filters, see `FilterPass.history_term`."""
        return self._filters.history_term(old)

    def __call__(
        self,
        free: Float[Tensor, "free krow kcol"],
        history_term: Float[Tensor, "krow frame_stream kcol"],
    ) -> Float[Tensor, "wanted neuron"]:
        """Visual drive ρ of (12), above 0, about 1 on average; gradients flow to `free` alone."""
        drive: Tensor = _Drive.apply(free, history_term, self)  # type: ignore[no-untyped-call]
        return drive

    def forward(self, free: Tensor, history_term: Tensor) -> tuple[Tensor, ForwardState]:
        """Drive ρ (wanted, neuron), and the intermediate results that `vjp` needs."""
        # (4)  z = z̄ + b M, with b of (2) and (3)
        filtered = self._filters.forward(free, history_term)
        mixed = torch.addmm(self._of_mean, filtered, self._twin.mix)
        # (5), (6)  subunits u and their contrast c
        subunits, contrast = torch.empty_like(mixed), mixed.new_empty(self._fine_shape)
        rectify_and_square(mixed.numpy(), subunits.numpy(), contrast.flatten().numpy())
        # (7)  d = 1 + g G_y c G_xᵀ
        divisor = 1 + self._gain * self._blurred(contrast, transposed=False)
        # (8), (9)  v = u / d, pooled to w
        fine = subunits.new_empty(*self._fine_shape, subunits.shape[1])
        pooled = subunits.new_zeros(*self._coarse_shape, subunits.shape[1])
        normalise_and_pool(
            subunits.reshape_as(fine).numpy(), divisor.numpy(), fine.numpy(), pooled.numpy()
        )
        coarse = self._second_layer(pooled)
        # (11)  o = bias + readout of v + readout of e
        drive = self._bias.clone()
        bilinear_readout(_by_site(fine), *self._fine, drive.numpy())
        bilinear_readout(_by_site(coarse), *self._coarse, drive.numpy())
        # (12)  ρ = elu(o) + 1
        rate = elu(drive[self._original_order].T) + 1
        return rate, ForwardState(mixed, subunits, divisor, fine, coarse, drive)

    def vjp(self, grad_rate: Tensor, state: ForwardState) -> Tensor:
        """Gradient (free, krow, kcol) with respect to the free frames, from that of ρ."""
        # (12')  ∂o = ∂ρ exp(min(o, 0))
        grad_drive = grad_rate.T[self._order] * state.drive.clamp_max(0).exp()
        # (11')  ∂v and ∂e
        grad_fine, grad_coarse = torch.zeros_like(state.fine), torch.zeros_like(state.coarse)
        bilinear_readout_vjp(grad_drive.numpy(), *self._fine, _by_site(grad_fine))
        bilinear_readout_vjp(grad_drive.numpy(), *self._coarse, _by_site(grad_coarse))
        # (10') to (8')  ∂w, ∂v in place of which ∂u is written, and ∂d
        grad_divisor = torch.empty_like(state.divisor)
        grad_pooled = self._second_layer_vjp(grad_coarse, state)
        normalise_and_pool_vjp(
            state.fine.numpy(),
            state.divisor.numpy(),
            grad_pooled.numpy(),
            grad_fine.numpy(),
            grad_divisor.numpy(),
        )
        # (7')  ∂c = g G_yᵀ ∂d G_x
        grad_contrast = self._gain * self._blurred(grad_divisor, transposed=True)
        # (6'), (5')  ∂u, in place of which ∂z is written
        grad_mixed = grad_fine.reshape_as(state.mixed)
        rectify_and_square_vjp(
            state.mixed.numpy(),
            state.subunits.numpy(),
            grad_mixed.numpy(),
            grad_contrast.flatten().numpy(),
        )
        # (4')  ∂b = ∂z Mᵀ, then (3') and (2')
        return self._filters.vjp(grad_mixed @ self._twin.mix.T)

    def _second_layer(self, pooled: Pooled) -> Coarse:
        """(10): one matrix product over subunits for all taps, then the sum over taps."""
        products = (pooled.flatten(0, 2) @ self._taps.flatten(1)).reshape(self._products_shape)
        coarse = self._twin.combine_bias.repeat(*self._coarse_shape, 1)
        convolve(products.numpy(), coarse.numpy())
        return coarse

    def _second_layer_vjp(self, grad_coarse: Coarse, state: ForwardState) -> Pooled:
        """(10'): elu'(v) = min(elu(v), 0) + 1, then the taps, then the matrix product."""
        grad_sum = grad_coarse * (state.coarse.clamp_max(0) + 1)
        grad_products = grad_sum.new_empty(self._products_shape)
        convolve_vjp(pad(grad_sum, (0, 0, 0, 0, 1, 1, 1, 1)).numpy(), grad_products.numpy())
        grad_pooled = grad_products.flatten(0, 2).flatten(1) @ self._taps.flatten(1).T
        return grad_pooled.reshape(*self._coarse_shape, -1)

    @property
    def _products_shape(self) -> tuple[int, ...]:
        """Of the products of subunits and taps: y, x, frame, tap down, tap across, feature."""
        return (*self._coarse_shape, *self._taps.shape[1:])

    def _blurred(
        self, contrast: Float[Tensor, "y x frame"], *, transposed: bool
    ) -> Float[Tensor, "y x frame"]:
        """G_y c G_xᵀ of (7), or with both matrices transposed as in (7')."""
        down, across = (matrix.T if transposed else matrix for matrix in self._blur)
        return across @ (down @ contrast.flatten(1)).reshape_as(contrast)


class _Drive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, free: Tensor, history_term: Tensor, drive: CompactDrive) -> Tensor:
        rate, ctx.state = drive.forward(free, history_term)
        ctx.drive = drive
        return rate

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.drive.vjp(grads[0], ctx.state), None, None


def _readout_arrays(
    position: Float[Tensor, "neuron 2"],
    weights: Float[Tensor, "neuron feature"],
    *,
    shape: tuple[int, int, int],
) -> tuple[I64, F32, F32]:
    """Corner sites of each neuron, their bilinear weights, and the neuron's feature weights."""
    corners, bilinear = corner_weights(position, rows=shape[0], cols=shape[1])
    return corners.numpy(), bilinear.contiguous().numpy(), weights.detach().contiguous().numpy()


def _by_site(maps: Fine | Coarse) -> F32:
    """The maps as (site, frame, feature); the array shares the tensor's memory."""
    return maps.flatten(0, 1).numpy()
