"""The linear part of the compact twin's first layer, from coefficients of frames, and back."""

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.twins.basis import Basis
from rtdecode.twins.compact.filters import strided_filters
from rtdecode.twins.compact.loops import by_site, by_site_back
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import causal_filters


class FilterPass:
    """What all products of a temporal, a row and a column filter give, at each site and frame.

    Filters are applied to the coefficients of frames, so that no frame need be drawn; the mean of
    the basis is left out. Parameters are those of `CompactDrive`.
    """

    def __init__(
        self, twin: Compact, basis: Basis, *, history: int, free: int, wanted: list[int]
    ) -> None:
        filters = causal_filters(
            twin.temporal, frames_in=history + free, wanted=torch.tensor(wanted)
        )
        moving = filters.transpose(0, 1).flatten(0, 1) / twin.spec.luminance_sd
        self._of_old, self._of_free = moving[:, :history], moving[:, history:]
        down = strided_filters(twin.row_filters, size=twin.spec.rows_px)
        across = strided_filters(twin.col_filters, size=twin.spec.cols_px)
        self._down = (down @ basis.down.T).transpose(0, 1).flatten(0, 1)
        self._across = (across @ basis.across.T).transpose(0, 1).flatten(0, 1)
        streams, row_orders, col_orders = len(filters), len(down), len(across)
        self._bank = (twin.rows, row_orders, len(wanted), streams, twin.cols, col_orders)
        self._sites = (twin.rows, twin.cols, len(wanted), row_orders, streams, col_orders)

    def before(
        self, old: Float[Tensor, "history krow kcol"]
    ) -> Float[Tensor, "krow frame_stream kcol"]:
        """What the temporal filters have of frames that stand still."""
        moved: Tensor = self._of_old @ old.transpose(0, 1)
        return moved

    def __call__(
        self,
        free: Float[Tensor, "free krow kcol"],
        before: Float[Tensor, "krow frame_stream kcol"],
    ) -> Float[Tensor, "y_x_frame filter"]:
        """Filtered, with the filters in the order of the mixing layer."""
        moved = before + self._of_free @ free.transpose(0, 1)
        narrow = moved.flatten(0, 1) @ self._across.T
        bank = self._down @ narrow.reshape(len(moved), -1)
        sites = bank.new_empty(self._sites)
        by_site(bank.reshape(self._bank).numpy(), sites.numpy())
        filtered: Tensor = sites.flatten(0, 2).flatten(1)
        return filtered

    def back(self, to_sites: Float[Tensor, "y_x_frame filter"]) -> Float[Tensor, "free krow kcol"]:
        """Gradient of the free frames from that of what was filtered."""
        to_bank = to_sites.new_empty(self._bank)
        by_site_back(to_sites.reshape(self._sites).numpy(), to_bank.numpy())
        to_narrow = self._down.T @ to_bank.flatten(0, 1).flatten(1)
        to_moved = to_narrow.reshape(-1, len(self._across)) @ self._across
        to_moved = to_moved.reshape(len(to_narrow), len(self._of_free), -1)
        to_free: Tensor = (self._of_free.T @ to_moved).transpose(0, 1)
        return to_free
