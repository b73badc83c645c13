"""The linear filters of the compact twin's first layer, applied to coefficients of frames.

Numbers in parentheses are the equations of the package's docstring.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.filters import strided_filters
from rtdecode.twins.compact.loops import filters_last, filters_last_vjp
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import causal_filters


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
        self._of_history, self._of_free = temporal[:, :history], temporal[:, history:]
        row_filters = strided_filters(twin.row_filters, size=twin.spec.rows_px)
        col_filters = strided_filters(twin.col_filters, size=twin.spec.cols_px)
        # (R_i Dᵀ)[y, k], rows ordered (y, i), and (C_j Aᵀ)[x, l], rows ordered (x, j)
        self._down = (row_filters @ basis.down.T).transpose(0, 1).flatten(0, 1)
        self._across = (col_filters @ basis.across.T).transpose(0, 1).flatten(0, 1)
        streams, row_orders, col_orders = len(filters), len(row_filters), len(col_filters)
        self._bank_shape = (twin.rows, row_orders, len(wanted), streams, twin.cols, col_orders)
        self._site_shape = (twin.rows, twin.cols, len(wanted), row_orders, streams, col_orders)

    def history_term(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "krow frame_stream kcol"]:
        """Part of q in (2) that comes from old frames; constant while the free ones change."""
        term: Tensor = self._of_history @ old.transpose(0, 1)
        return term

    def forward(
        self,
        free: Float[Tensor, "free krow kcol"],
        history_term: Float[Tensor, "krow frame_stream kcol"],
    ) -> Float[Tensor, "y_x_frame filter"]:
        """Filtered frames b; filters are ordered (i, s, j) as the rows of the mixing matrix."""
        # (2)  q_ps = Σ_{t old} K_s[p, t] a_t / σ + Σ_{t free} K_s[p, t] a_t / σ
        filtered = history_term + self._of_free @ free.transpose(0, 1)
        # (3)  b = Σ_k (R_i Dᵀ)[y, k] Σ_l q_ps[k, l] (C_j Aᵀ)[x, l], columns first
        narrow = filtered.flatten(0, 1) @ self._across.T
        bank = self._down @ narrow.reshape(len(filtered), -1)
        sites = bank.new_empty(self._site_shape)
        filters_last(bank.reshape(self._bank_shape).numpy(), sites.numpy())
        by_site: Tensor = sites.flatten(0, 2).flatten(1)
        return by_site

    def vjp(self, grad_sites: Float[Tensor, "y_x_frame filter"]) -> Float[Tensor, "free krow kcol"]:
        """Gradient with respect to the free frames' coefficients, from that of b: (3'), (2')."""
        grad_bank = grad_sites.new_empty(self._bank_shape)
        filters_last_vjp(grad_sites.reshape(self._site_shape).numpy(), grad_bank.numpy())
        # (3')  ∂q_ps[k, l] = Σ_{y,i} (R_i Dᵀ)[y, k] Σ_{x,j} ∂b (C_j Aᵀ)[x, l], rows first
        grad_narrow = self._down.T @ grad_bank.flatten(0, 1).flatten(1)
        grad_filtered = grad_narrow.reshape(-1, len(self._across)) @ self._across
        grad_filtered = grad_filtered.reshape(len(grad_narrow), len(self._of_free), -1)
        # (2')  ∂a_t = Σ_{p,s} K_s[p, t] ∂q_ps / σ for the free t
        grad_free: Tensor = (self._of_free.T @ grad_filtered).transpose(0, 1)
        return grad_free
