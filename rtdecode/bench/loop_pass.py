"""One pass of the solver over a session, from which every lag is read, for `rtdecode bench loop`.

The lag decides which frame of the horizon is given out, not how the horizon is estimated. A session
is therefore decoded once for all lags, by the steps of `rtdecode.decode.decoder.Decoder` with
`estimated_frames` set.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.observation_window import ObservationWindow
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import WindowFrame

F32 = NDArray[np.float32]
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The frames of the grid that one scan completes, at the end of the scan."""

    t_ns: int
    frames: Sequence[WindowFrame]
    computed_ms: float
    """Processor time of the calcium chain."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Reconstructions of one session at one lag; NaN where there is none."""

    video: F32
    """(frame, row, col) grey levels."""
    age_ms: NDArray[np.float64]
    """(frame,) time from the middle of a frame to the end of the scan that completed it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What one pass over a session gives."""

    by_lag: dict[int, Decoded]
    computed_ms: Sequence[float]
    """Processor time of calcium chain and solver for each scan."""


def decoded_at_lags(
    fitted: FittedTwin,
    config: DecodeConfig,
    batches: Sequence[Batch],
    *,
    lags: Sequence[int],
    first: int,
    shape: tuple[int, int, int],
    grid: FrameGrid,
) -> Pass:
    """Decode `batches` once; the reconstructions at each of `lags`, negative for a forecast.

    Parameters
    ----------
    config
        Horizon and steps; its lag is not used.
    first, shape
        Number of the first frame of the result, and its (frame, row, col).
    """
    by_lag = {
        lag: Decoded(np.full(shape, np.nan, np.float32), np.full(shape[0], np.nan)) for lag in lags
    }
    longest, ahead = max(0, *lags), max(0, *(-lag for lag in lags))
    computed_ms, before = [], batches[0].frames[0].responses.frame - 1
    for batch, solver, spent_ms in _solved(fitted, config, batches):
        begun_ns, newest = time.thread_time_ns(), batch.frames[-1].responses.frame
        back = longest + newest - before - 1  # a batch has several frames
        video, _ = solver.result(back=back, ahead=ahead)
        computed_ms.append(spent_ms + (time.thread_time_ns() - begun_ns) / _NS_PER_MS)
        for lag, found in by_lag.items():
            for frame in range(before - lag + 1, newest - lag + 1):
                if 0 <= (place := frame - first) < shape[0]:
                    found.video[place] = video[frame - newest + back]
                    found.age_ms[place] = (batch.t_ns - grid.middle_ns(frame)) / _NS_PER_MS
        before = newest
    return Pass(by_lag, computed_ms)


def _solved(
    fitted: FittedTwin, config: DecodeConfig, batches: Sequence[Batch]
) -> Iterator[tuple[Batch, Solver, float]]:
    """The solver after the steps for each batch, and the processor time in ms that it took."""
    spec, window = fitted.twin.spec, config.window_frames
    estimated = config.estimated_frames_used
    solver = fitted.solver(
        window_frames=window,
        estimated_frames=estimated,
        likelihood_weight=config.likelihood_weight,
    )
    horizon = ObservationWindow(
        neurons=spec.neurons, channels=len(spec.behaviour_channels), frames=window
    )
    for batch in batches:
        begun_ns = time.thread_time_ns()
        solver.advance(min(horizon.absorb(batch.frames), window))
        observed = _observed(solver, horizon, estimated)
        for _ in range(config.steps):
            solver.improve(observed)
        spent_ms = (time.thread_time_ns() - begun_ns) / _NS_PER_MS
        yield batch, solver, batch.computed_ms + spent_ms


def _observed(solver: Solver, horizon: ObservationWindow, estimated: int) -> ObservedFrames:
    now = horizon.contents()
    return solver.observed(
        torch.from_numpy(now.recorded[-estimated:]),
        torch.from_numpy(now.measured[-estimated:]),
        torch.from_numpy(now.behaviour),
    )
