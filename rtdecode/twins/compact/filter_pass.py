"""The linear filters of the compact twin's first layer, applied to coefficients of frames.

Numbers in parentheses are the equations of the package's docstring.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.filters import strided_filters
from rtdecode.twins.compact.loops import Runs, filters_last, filters_last_vjp, runs
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import causal_filters


@dataclass(frozen=True, slots=True, eq=False)
class FilterBuffers:
    """Memory of the passes, which each pass overwrites; gradients have the shape of their values.

    filtered: q of (2), (frame_stream, krow_kcol). narrow: q after the column filters,
    (frame_stream_krow, x_order). bank: b of (3), (frame_stream, y_order, x_order). by_site: b in
    the order of the mixing layer, (y_x_frame, order_stream_order). bank_runs and site_runs: the
    memory of `bank` and `by_site` as the loops see it.
    """

    filtered: Tensor
    narrow: Tensor
    bank: Tensor
    by_site: Tensor
    bank_runs: Runs
    site_runs: Runs


class FilterPass:
    """Products b of a temporal, a row and a column filter at each site and wanted frame: (2), (3).

    Filters act on the coefficients a_t of frames, so that no frame is synthesised. The mean frame
    of the basis has no part in b; its constant contribution is z̄ of (4).

    Parameters
    ----------
    twin, basis, history, free, wanted
        As in `CompactDrive`.
    """

    def __init__(
        self, twin: Compact, basis: Basis, *, history: int, free: int, wanted: list[int]
    ) -> None:
        filters = causal_filters(
            twin.temporal, frames_in=history + free, wanted=torch.tensor(wanted)
        )
        # K_s[p, t] / σ, rows ordered (p, s), columns split into old and free frames
        temporal = filters.transpose(0, 1).flatten(0, 1) / twin.spec.luminance_sd
        self._of_history = temporal[:, :history].contiguous()
        self._of_free = temporal[:, history:].contiguous()
        row_filters = strided_filters(twin.row_filters, size=twin.spec.rows_px)
        col_filters = strided_filters(twin.col_filters, size=twin.spec.cols_px)
        # (R_i Dᵀ)[y, k], rows ordered (y, i), and (C_j Aᵀ)[x, l], rows ordered (x, j)
        down = (row_filters @ basis.down.T).transpose(0, 1).flatten(0, 1)
        self._down = down[None].expand(len(temporal), -1, -1)
        self._across = (col_filters @ basis.across.T).transpose(0, 1).flatten(0, 1)
        streams, row_orders, col_orders = len(filters), len(row_filters), len(col_filters)
        self._bank_shape = (len(wanted), streams, twin.rows, row_orders, twin.cols, col_orders)
        self._site_shape = (twin.rows, twin.cols, len(wanted), row_orders, streams, col_orders)

    def buffers(self) -> FilterBuffers:
        """Memory for forward and backward passes of one caller."""
        (together, down, kept_rows), (across, kept_cols) = self._down.shape, self._across.shape
        bank, sites = torch.empty(together, down, across), torch.empty(self._site_shape)
        return FilterBuffers(
            torch.empty(together, kept_rows * kept_cols),
            torch.empty(together * kept_rows, across),
            bank,
            sites.flatten(0, 2).flatten(1),
            runs(bank.view(self._bank_shape).numpy()),
            runs(sites.numpy()),
        )

    def history_term(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "frame_stream krow_kcol"]:
        """Part of q in (2) that comes from old frames; constant while the free ones change."""
        term: Tensor = self._of_history @ old.flatten(1)
        return term

    def forward(
        self,
        free: Float[Tensor, "free krow kcol"],
        history_term: Float[Tensor, "frame_stream krow_kcol"],
        buffers: FilterBuffers,
    ) -> Float[Tensor, "y_x_frame filter"]:
        """Filtered frames b; filters are ordered (i, s, j) as the rows of the mixing matrix.

        The result is `buffers.by_site`.
        """
        filtered, narrow, bank = buffers.filtered, buffers.narrow, buffers.bank
        # (2)  q_ps = Σ_{t old} K_s[p, t] a_t / σ + Σ_{t free} K_s[p, t] a_t / σ
        torch.addmm(history_term, self._of_free, free.flatten(1), out=filtered)
        # (3)  b = Σ_k (R_i Dᵀ)[y, k] Σ_l q_ps[k, l] (C_j Aᵀ)[x, l], columns first
        torch.mm(filtered.view(len(narrow), -1), self._across.T, out=narrow)
        torch.bmm(self._down, narrow.view(len(bank), -1, bank.shape[2]), out=bank)
        filters_last(buffers.bank_runs, buffers.site_runs)
        return buffers.by_site

    def vjp(self, buffers: FilterBuffers) -> Float[Tensor, "free krow kcol"]:
        """Gradient with respect to the free frames' coefficients, from that of b: (3'), (2').

        The gradient of b is taken from `buffers.by_site`.
        """
        filtered, narrow, bank = buffers.filtered, buffers.narrow, buffers.bank
        filters_last_vjp(buffers.site_runs, buffers.bank_runs)
        # (3')  ∂q_ps[k, l] = Σ_{y,i} (R_i Dᵀ)[y, k] Σ_{x,j} ∂b (C_j Aᵀ)[x, l], rows first
        grad_narrow = narrow.view(len(bank), -1, bank.shape[2])
        torch.bmm(self._down.transpose(1, 2), bank, out=grad_narrow)
        torch.mm(narrow, self._across, out=filtered.view(len(narrow), -1))
        # (2')  ∂a_t = Σ_{p,s} K_s[p, t] ∂q_ps / σ for the free t
        grad_free: Tensor = self._of_free.T @ filtered
        return grad_free.view(len(grad_free), -1, self._across.shape[1])
