"""How frames are written: as coefficients of separable functions of the screen."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Products of functions of the row and functions of the column, about a mean frame.

    down: functions of the row. across: functions of the column. mean: grey levels of the frame
    whose coefficients are all 0.
    """

    down: Float[Tensor, "krow row"]
    across: Float[Tensor, "kcol col"]
    mean: Float[Tensor, "row col"]

    def video(
        self, coefficients: Float[Tensor, "frame krow kcol"]
    ) -> Float[Tensor, "frame row col"]:
        """Grey levels."""
        return self.down.T @ coefficients @ self.across + self.mean


def pixel_basis(rows_px: int, cols_px: int) -> Basis:
    """Each pixel by itself: coefficients are grey levels."""
    return Basis(torch.eye(rows_px), torch.eye(cols_px), torch.zeros(rows_px, cols_px))


def cosine_basis(size: int, *, kept: int) -> Float[Tensor, "kept size"]:
    """Orthonormal DCT-II of a line of `size` pixels, lowest `kept` frequencies."""
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    basis = torch.cos(torch.arange(kept, dtype=torch.float64)[:, None] * at[None])
    basis *= math.sqrt(2 / size)
    basis[0] *= math.sqrt(0.5)
    return basis.float()


def cosine_frequency(
    kept_rows: int, kept_cols: int, *, rows_px: int, cols_px: int
) -> Float[Tensor, "krow kcol"]:
    """Spatial frequency of products of `cosine_basis` functions, in cycles per pixel."""
    down = torch.arange(kept_rows)[:, None] / (2 * rows_px)
    across = torch.arange(kept_cols)[None, :] / (2 * cols_px)
    return torch.sqrt(down**2 + across**2)
