"""How much of what the window says of each spatial frequency goes out.

Of the finer half of what the inversion draws, about half is there in the video that was shown, for
mice of 500 and of 2,000 neurons alike, live and over a whole clip at once: the objective trusts
neurons there more than it should. The window keeps all of it, because the twin's history needs
it: a prior with less power there is worse.
"""

from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.basis import cosine_frequency
from rtdecode.decode.prior import VideoPrior

FINE_SHARE = 0.5
"""Of the amplitude of what is fine."""
EDGE_CYCLES_PER_PX = 0.12
"""Where fine begins: half-way between all and `FINE_SHARE`."""
_STEEPNESS = 8


def shown_share(prior: VideoPrior) -> Float[Tensor, "krow kcol"]:
    """Share of the amplitude of each of the prior's coefficients; 1 for a uniform frame."""
    (kept_rows, kept_cols), (rows_px, cols_px) = prior.power.shape, prior.mean.shape
    frequency = cosine_frequency(kept_rows, kept_cols, rows_px=rows_px, cols_px=cols_px)
    coarse = 1 / (1 + (frequency / EDGE_CYCLES_PER_PX) ** _STEEPNESS)
    return (FINE_SHARE + (1 - FINE_SHARE) * coarse).to(prior.mean)
