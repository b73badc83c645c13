"""The live decoder's inverter along a trial, for what looks at more than what it gives out."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.solver import Solver
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig


def moved_on(inverter: Solver) -> None:
    """What the live decoder does between the windows of two frames."""
    inverter.advance(1)


def inverted_windows(
    fitted: FittedTwin,
    config: DecodeConfig,
    trial: Trial,
    *,
    begin: Callable[[Solver], None] = moved_on,
) -> Iterator[tuple[int, Solver]]:
    """Number of each frame of `trial`, and the inverter with the window that ends there improved.

    `begin` makes the inverter ready for the next window. Before the first frame the window holds
    nothing that was measured, as it does live.
    """
    window, free = config.window_frames, config.estimated_frames_used
    inverter = fitted.solver(
        window_frames=window, free_frames=free, likelihood_weight=config.likelihood_weight
    )
    before = ((window - 1, 0), (0, 0))
    responses, valid = np.pad(trial.responses, before), np.pad(trial.valid, before)
    behaviour = np.pad(trial.behaviour, before, mode="edge")
    for newest in range(len(trial.responses)):
        begin(inverter)
        end = newest + window
        seen = inverter.observed(
            torch.from_numpy(responses[end - free : end]),
            torch.from_numpy(valid[end - free : end].astype(np.float32)),
            torch.from_numpy(behaviour[end - window : end]),
        )
        for _ in range(config.steps):
            inverter.improve(seen)
        yield newest, inverter
