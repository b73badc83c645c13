"""Visual drive of a frozen compact twin with a hand-written gradient, for inversion on a CPU.

Numbers in parentheses are the equations of the package's docstring; a prime marks the
vector–Jacobian product. The result equals that of `Compact.drive` up to rounding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.filter_pass import FilterBuffers, FilterPass
from rtdecode.twins.compact.filters import blur_matrix
from rtdecode.twins.compact.loops import (
    F32,
    I64,
    Width,
    normalise_and_pool,
    normalise_and_pool_vjp,
    rectify,
    rectify_and_square,
    rectify_and_square_vjp,
    rectify_vjp,
    width,
)
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.compact.readout_loops import (
    bilinear_readout,
    bilinear_readout_vjp,
    visual_drive,
    visual_drive_vjp,
)
from rtdecode.twins.readout import corner_weights

_TAPS = 3
"""Taps of a filter of the second layer along each side of the screen, see (10)."""


@dataclass(frozen=True, slots=True, eq=False)
class DriveState:
    """Memory of a forward pass and of the backward passes after it, which each pass overwrites.

    A gradient has the shape of its value. Maps of the second layer have a border of one site, so
    that a tap of (10) is a shift of their sites.

    filters: of the filter pass. mixed: z of (4), (y, x, frame, hidden). fine: u of (5), replaced by
    v of (8). contrast: c of (6), and divisor: d of (7), (y, frame, x). blurred: between the two
    sides of (7). pooled: w of (9) with its border, (site_frame, hidden). coarse: e of (10), two
    columns wider than its map, (site_frame, feature). drive: o of (11), (place, frame), where
    neurons with neighbouring positions follow each other. rate: ρ of (12), (frame, neuron).
    """

    filters: FilterBuffers
    mixed: Tensor
    fine: Tensor
    contrast: Tensor
    blurred: Tensor
    divisor: Tensor
    pooled: Tensor
    coarse: Tensor
    drive: Tensor
    rate: Tensor
    grad_fine: Tensor
    grad_pooled: Tensor
    grad_coarse: Tensor
    grad_drive: Tensor


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
        self._frames, self._hidden, self._features = len(wanted), *twin.combine.shape[1::-1]
        self._rows, self._cols = twin.rows, twin.cols
        self._filters = FilterPass(twin, basis, history=history, free=free, wanted=wanted)
        self._mix = twin.mix.detach()
        # z̄ of (4): a still video of the mean frame is the same at each wanted frame
        self._of_mean = twin.mixed(basis.mean[None, None], [0]).repeat_interleave(len(wanted), 0)
        gain = float(twin.log_contrast_gain.exp())
        self._down, self._across = gain * blur_matrix(twin.rows), blur_matrix(twin.cols)
        # W of (10) for each tap, (tap down, tap across, hidden, feature)
        self._taps = twin.combine.detach().permute(2, 3, 1, 0).contiguous().flatten(0, 1)
        self._combine_bias = twin.combine_bias.detach()
        # neurons with neighbouring positions follow each other: their sites are still in cache
        corners, _ = corner_weights(twin.position, rows=twin.rows, cols=twin.cols)
        order = corners[:, 0].argsort()
        self._order: I64 = order.numpy()
        self._bias = twin.bias.detach()[order, None]
        at, weights = twin.position[order], twin.weights[order]
        hidden, shape = self._hidden, (twin.rows // 2, twin.cols // 2)
        self._fine = _readout_arrays(at, weights[:, :hidden], shape=(twin.rows, twin.cols))
        self._coarse = _readout_arrays(at, weights[:, hidden:], shape=shape, pitch=self._pitch)
        half = np.arange(hidden) < hidden // 2
        self._rectified: F32 = np.tile(half.astype(np.float32), twin.cols * len(wanted))
        self._half_width = width(hidden // 2)

    def state(self) -> DriveState:
        """Memory for the passes of one caller."""
        frames, hidden = self._frames, self._hidden
        fine, line = (self._rows, self._cols, frames, hidden), (self._rows, frames, self._cols)
        # the last tap of the last site lies two sites behind the border
        bordered = ((self._rows // 2 + 2) * self._pitch + 2) * frames
        coarse = self._rows // 2 * self._pitch * frames
        neurons = len(self._bias)
        return DriveState(
            filters=self._filters.buffers(),
            mixed=torch.empty(fine),
            fine=torch.empty(fine),
            contrast=torch.empty(line),
            blurred=torch.empty(line),
            divisor=torch.empty(line),
            pooled=torch.zeros(bordered, hidden),
            coarse=torch.empty(coarse, self._features),
            drive=torch.empty(neurons, frames),
            rate=torch.empty(frames, neurons),
            grad_fine=torch.empty(fine),
            grad_pooled=torch.empty(coarse, hidden),
            grad_coarse=torch.zeros(bordered, self._features),
            grad_drive=torch.empty(neurons, frames),
        )

    def history_term(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "frame_stream krow_kcol"]:
        """What the old frames add to the temporal filters, see `FilterPass.history_term`."""
        return self._filters.history_term(old)

    def __call__(
        self,
        free: Float[Tensor, "free krow kcol"],
        history_term: Float[Tensor, "frame_stream krow_kcol"],
    ) -> Float[Tensor, "wanted neuron"]:
        """Visual drive ρ of (12), above 0, about 1 on average; gradients flow to `free` alone."""
        drive: Tensor = _Drive.apply(free, history_term, self)  # type: ignore[no-untyped-call]
        return drive

    def forward(self, free: Tensor, history_term: Tensor, state: DriveState) -> Tensor:
        """Drive ρ (wanted, neuron), which lies in `state`, with what `vjp` needs."""
        # (4)  z = z̄ + b M, with b of (2) and (3)
        filtered = self._filters.forward(free, history_term, state.filters)
        torch.addmm(self._of_mean, filtered, self._mix, out=_rows(state.mixed))
        # (5), (6)  subunits u and their contrast c
        fine, divisor = state.fine.numpy(), state.divisor.numpy()
        rectify_and_square(state.mixed.numpy(), self._rectified, fine, state.contrast.numpy())
        # (7)  d = 1 + g G_y c G_xᵀ
        self._blur(state.contrast, state.blurred, state.divisor, transposed=False)
        state.divisor.add_(1)
        # (8), (9)  v = u / d in place of u, pooled to w
        normalise_and_pool(fine, divisor, self._maps(state.pooled))
        # (10)  e = elu(β + Σ over the taps of w W)
        torch.addmm(self._combine_bias, self._tap(state.pooled, 0), self._taps[0], out=state.coarse)
        for tap in range(1, _TAPS**2):
            state.coarse.addmm_(self._tap(state.pooled, tap), self._taps[tap])
        rectify(state.coarse.flatten().numpy())
        # (11)  o = bias + readout of v + readout of e
        drive = state.drive.copy_(self._bias).numpy()
        bilinear_readout(self._by_site(state.fine), drive, *self._fine)
        bilinear_readout(self._by_site(state.coarse), drive, *self._coarse)
        # (12)  ρ = elu(o) + 1
        visual_drive(drive, self._order, state.rate.numpy())
        return state.rate

    def vjp(self, grad_rate: Tensor, state: DriveState) -> Tensor:
        """Gradient (free, krow, kcol) with respect to the free frames, from that of ρ.

        It may be called several times after one forward pass.
        """
        # (12')  ∂o = ∂ρ exp(min(o, 0))
        grad_drive = state.grad_drive.numpy()
        visual_drive_vjp(
            state.drive.numpy(), self._order, grad_rate.contiguous().numpy(), grad_drive
        )
        # (11')  ∂v and ∂e; site (y, x) of e lies at (y + 1, x + 1) within the border
        grad_fine, grad_coarse = state.grad_fine.zero_(), state.grad_coarse.zero_()
        inner = self._inner(grad_coarse)
        bilinear_readout_vjp(grad_drive, self._by_site(grad_fine), *self._fine)
        bilinear_readout_vjp(grad_drive, self._by_site(inner), *self._coarse)
        # (10')  ∂ξ = ∂e elu', then ∂w = Σ over the taps of ∂ξ Wᵀ, at sites shifted the other way
        rectify_vjp(state.coarse.flatten().numpy(), inner.flatten().numpy())
        last = _TAPS**2 - 1
        torch.mm(self._tap(grad_coarse, last), self._taps[0].T, out=state.grad_pooled)
        for tap in range(1, last + 1):
            state.grad_pooled.addmm_(self._tap(grad_coarse, last - tap), self._taps[tap].T)
        # (9'), (8')  ∂v in place of which ∂u is written, and ∂d, in the memory of c
        fine, divisor, grad = state.fine.numpy(), state.divisor.numpy(), grad_fine.numpy()
        grad_pooled = self._maps(state.grad_pooled)
        normalise_and_pool_vjp(fine, divisor, grad_pooled, grad, state.contrast.numpy())
        # (7')  ∂c = g G_yᵀ ∂d G_x
        self._blur(state.contrast, state.blurred, state.contrast, transposed=True)
        # (6'), (5')  ∂u, in place of which ∂z is written
        mixed, grad_contrast = state.mixed.numpy(), state.contrast.numpy()
        rectify_and_square_vjp(mixed, fine, divisor, grad, grad_contrast, self._half_width)
        # (4')  ∂b = ∂z Mᵀ, then (3') and (2')
        torch.mm(_rows(grad_fine), self._mix.T, out=state.filters.by_site)
        return self._filters.vjp(state.filters)

    @property
    def _pitch(self) -> int:
        """Sites of a row of a map of the second layer with its border."""
        return self._cols // 2 + 2

    def _tap(self, bordered: Tensor, tap: int) -> Tensor:
        """The sites of a bordered map that are `tap` away from the sites of (10), as rows."""
        down, across = divmod(tap, _TAPS)
        first = (down * self._pitch + across) * self._frames
        return bordered[first : first + self._rows // 2 * self._pitch * self._frames]

    def _inner(self, bordered: Tensor) -> Tensor:
        """A bordered map from its site (0, 0) on."""
        return self._tap(bordered, _TAPS + 1)

    def _maps(self, rows: Tensor) -> F32:
        """A map of the second layer with its border, (y, x, frame, feature)."""
        whole = len(rows) // (self._pitch * self._frames) * self._pitch * self._frames
        maps: F32 = rows[:whole].view(-1, self._pitch, self._frames, rows.shape[1]).numpy()
        return maps

    def _by_site(self, maps: Tensor) -> F32:
        """The maps as (site, frame, feature); the array shares the tensor's memory."""
        by_site: F32 = maps.view(-1, self._frames, maps.shape[-1]).numpy()
        return by_site

    def _blur(self, contrast: Tensor, between: Tensor, out: Tensor, *, transposed: bool) -> None:
        """G_y c G_xᵀ of (7), g included, or with both matrices transposed as in (7')."""
        down, across = (self._down.T, self._across) if transposed else (self._down, self._across.T)
        torch.mm(contrast.view(-1, self._cols), across, out=between.view(-1, self._cols))
        torch.mm(down, between.view(self._rows, -1), out=out.view(self._rows, -1))


class _Drive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, free: Tensor, history_term: Tensor, drive: CompactDrive) -> Tensor:
        ctx.drive, ctx.state = drive, drive.state()
        return drive.forward(free, history_term, ctx.state)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.drive.vjp(grads[0], ctx.state), None, None


def _rows(maps: Tensor) -> Tensor:
    """(y, x, frame, hidden) as (site_frame, hidden)."""
    return maps.view(-1, maps.shape[-1])


def _readout_arrays(
    position: Float[Tensor, "neuron 2"],
    weights: Float[Tensor, "neuron feature"],
    *,
    shape: tuple[int, int],
    pitch: int | None = None,
) -> tuple[I64, F32, F32, Width]:
    """Corner sites of each neuron, their bilinear weights, and the neuron's feature weights.

    Rows of sites follow each other at a distance of `pitch`, by default that of their number.
    """
    rows, cols = shape
    corners, bilinear = corner_weights(position, rows=rows, cols=cols)
    corners = corners // cols * (pitch or cols) + corners % cols
    of_features: F32 = weights.detach().contiguous().numpy()
    return corners.numpy(), bilinear.contiguous().numpy(), of_features, width(weights.shape[1])
