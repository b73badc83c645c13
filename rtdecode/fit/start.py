"""The twin with which a training starts."""

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.compact import Compact
from rtdecode.fit.survey import Survey

_CELL_PX = 2.0
_OFF_CENTRE_PX = 0.5
"""The compact twin's maps have a cell for two pixels; cell 0 lies between pixels 0 and 1."""
_READOUT = ("position", "weights", "bias", "behaviour_gain")
_QUIETEST = 1e-3


def fresh_compact(
    spec: TwinSpec, found: Survey, centers_px: NDArray[np.float32], *, seed: int
) -> Compact:
    """A compact twin with random weights whose neurons look where they should and fire on average.

    Parameters
    ----------
    spec
        As `spec_from_survey` makes it.
    found
        Of the training trials.
    centers_px
        (neuron, 2) column and row of each receptive field's centre.
    seed
        Of the random weights.
    """
    twin = Compact(spec, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        twin.position.copy_(_positions(spec, centers_px))
        twin.scale.copy_(torch.from_numpy(found.rate).clamp(min=_QUIETEST))
    return twin


def with_core(core: Compact, fresh: Compact) -> Compact:
    """`fresh` with everything that does not belong to single neurons taken from `core`, and frozen.

    The response kernel stays free: it is the rig's indicator and scan rate, not the cortex.
    """
    own = {*_READOUT, "response_kernel", "scale", "behaviour_mean", "behaviour_sd"}
    kept = {name: value for name, value in core.state_dict().items() if name not in own}
    fresh.load_state_dict(kept, strict=False)
    for name, parameter in fresh.named_parameters():
        parameter.requires_grad_(name in own)
    return fresh


def _positions(spec: TwinSpec, centers_px: NDArray[np.float32]) -> torch.Tensor:
    cells = torch.tensor([(spec.cols_px + 1) // 2, (spec.rows_px + 1) // 2])
    cell = (torch.from_numpy(centers_px) - _OFF_CENTRE_PX) / _CELL_PX
    return (cell / (cells - 1) * 2 - 1).clamp(-1, 1)
