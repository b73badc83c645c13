"""Separable bases in which frames are represented, for the prior and the inversion.

A frame of 36 × 64 pixels is a matrix of coefficients of products of a function of the row and a
function of the column. Low spatial frequencies carry most of the power of natural video, so a
cosine basis needs far fewer coefficients than there are pixels.

>>> import torch
>>> basis = Basis(cosine_basis(4, kept=2), cosine_basis(6, kept=3), torch.full((4, 6), 110.0))
>>> coefficients = torch.zeros(1, 2, 3)
>>> coefficients[0, 0, 0] = 10 * (4 * 6) ** 0.5  # the constant function, 10 grey levels high
>>> basis.video(coefficients)[0, 0].round().tolist()
[120.0, 120.0, 120.0, 120.0, 120.0, 120.0]
>>> cosine_frequency(2, 3, rows_px=4, cols_px=6)[1].mul(1000).round().tolist()  # cycles/1000 px
[125.0, 150.0, 208.0]
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Products of functions of the row and functions of the column, about a mean frame.

    Parameters
    ----------
    down
        Functions of the row, one a row of the matrix.
    across
        Functions of the column.
    mean
        Frame whose coefficients are all 0, in grey levels.
    """

    down: Float[Tensor, "krow row"]
    across: Float[Tensor, "kcol col"]
    mean: Float[Tensor, "row col"]

    def video(
        self, coefficients: Float[Tensor, "frame krow kcol"]
    ) -> Float[Tensor, "frame row col"]:
        """Frames in grey levels: x_t = mean + downᵀ a_t across."""
        return self.down.T @ coefficients @ self.across + self.mean

    def coefficients(
        self, video: Float[Tensor, "frame row col"]
    ) -> Float[Tensor, "frame krow kcol"]:
        """Coefficients of frames in grey levels, a_t = down (x_t - mean) acrossᵀ.

        The functions must be orthonormal, as those of `cosine_basis` are; `video` then returns the
        projection of the frames onto the kept frequencies.
        """
        return self.down @ (video - self.mean) @ self.across.T


def pixel_basis(rows_px: int, cols_px: int, *, device: torch.device | None = None) -> Basis:
    """The basis of single pixels: coefficients are grey levels, and the mean is 0."""
    down, across = (torch.eye(size, device=device) for size in (rows_px, cols_px))
    return Basis(down, across, torch.zeros(rows_px, cols_px, device=device))


def cosine_basis(size: int, *, kept: int) -> Float[Tensor, "kept size"]:
    """Orthonormal DCT-II of a line of `size` pixels, lowest `kept` frequencies.

    B[k, i] = √(2 / size) cos(π k (i + ½) / size), and B[0, i] = √(1 / size).
    """
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    basis = torch.cos(torch.arange(kept, dtype=torch.float64)[:, None] * at[None])
    basis *= math.sqrt(2 / size)
    basis[0] *= math.sqrt(0.5)
    return basis.float()


def cosine_frequency(
    kept_rows: int, kept_cols: int, *, rows_px: int, cols_px: int
) -> Float[Tensor, "krow kcol"]:
    """Spatial frequency of products of `cosine_basis` functions, in cycles per pixel.

    √((k / 2 rows_px)² + (l / 2 cols_px)²) for row function k and column function l.
    """
    down = torch.arange(kept_rows)[:, None] / (2 * rows_px)
    across = torch.arange(kept_cols)[None, :] / (2 * cols_px)
    return torch.sqrt(down**2 + across**2)
