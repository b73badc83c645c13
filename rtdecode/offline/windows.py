"""The live decoder's solver along a trial, with access to its whole horizon after each frame."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.solver import Solver
from rtdecode.decode.stuck_neurons import usable
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig


def advance_one_frame(solver: Solver) -> None:
    """Shift the horizon by one frame, as the live decoder does."""
    solver.advance(1)


def inverted_windows(
    fitted: FittedTwin,
    config: DecodeConfig,
    trial: Trial,
    *,
    begin: Callable[[Solver], None] = advance_one_frame,
) -> Iterator[tuple[int, Solver]]:
    """Each frame number of `trial`, with the solver after its steps on the horizon that ends there.

    `begin` prepares the solver for the next horizon. Before the first frame the horizon contains no
    measurement, as in a live run.
    """
    window, estimated = config.window_frames, config.estimated_frames_used
    solver = fitted.solver(
        window_frames=window, estimated_frames=estimated, likelihood_weight=config.likelihood_weight
    )
    before = ((window - 1, 0), (0, 0))
    responses = np.pad(trial.responses, before)
    valid = np.pad(usable(trial.responses, trial.valid), before)
    behaviour = np.pad(trial.behaviour, before, mode="edge")
    for newest in range(len(trial.responses)):
        begin(solver)
        end = newest + window
        seen = solver.observed(
            torch.from_numpy(responses[end - estimated : end]).to(fitted.device),
            torch.from_numpy(valid[end - estimated : end].astype(np.float32)).to(fitted.device),
            torch.from_numpy(behaviour[end - window : end]).to(fitted.device),
        )
        for _ in range(config.steps):
            solver.improve(seen)
        yield newest, solver
