"""Reconstruction methods behind one interface, for `rtdecode reconstruct` and the benchmarks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.stuck_neurons import usable
from rtdecode.offline.direct import DirectDecoder
from rtdecode.offline.reference import passes_per_frame, reference_video
from rtdecode.offline.ridge import Ridge
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Responses, WindowFrame
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]


class Method(Protocol):
    """Reconstructs the video of a trial; NaN in frames for which the method gives none."""

    @property
    def lag_frames(self) -> int | None:
        """Frames of activity used after the decoded frame; None for the whole clip."""
        ...

    @property
    def steps(self) -> int:
        """Gradient steps for each frame (online), or for a whole clip (offline)."""
        ...

    def video(self, trial: Trial) -> F32:
        """(frame, row, col) grey levels."""
        ...

    def passes_per_frame(self, frames: int) -> float:
        """Forward and backward passes of a twin over a window, for each frame of a clip."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MeanFrame:
    """Baseline: the mean training frame, independent of activity."""

    frame: F32
    lag_frames: int | None = 0
    steps: int = 0

    def video(self, trial: Trial) -> F32:
        return np.repeat(self.frame[None], len(trial.responses), axis=0)

    def passes_per_frame(self, frames: int) -> float:
        return 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LinearDecoder:
    """Baseline: ridge regression from activity to pixels."""

    ridge: Ridge
    steps: int = 0

    @property
    def lag_frames(self) -> int | None:
        return self.ridge.lag_frames

    def video(self, trial: Trial) -> F32:
        return self.ridge.video(_measured(trial))

    def passes_per_frame(self, frames: int) -> float:
        return 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Direct:
    """Baseline: the direct deep decoder, a network from activity to pixels."""

    decoder: DirectDecoder
    steps: int = 0

    @property
    def lag_frames(self) -> int | None:
        return self.decoder.lag_frames

    def video(self, trial: Trial) -> F32:
        return self.decoder.video(_measured(trial), trial.behaviour)

    def passes_per_frame(self, frames: int) -> float:
        return 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Online:
    """The live decoder, frame by frame; the videos of several twins are averaged."""

    twins: Sequence[FittedTwin]
    config: DecodeConfig

    @property
    def lag_frames(self) -> int | None:
        return self.config.lag_frames

    @property
    def steps(self) -> int:
        return self.config.steps

    def video(self, trial: Trial) -> F32:
        return _mean([self._decoded(fitted, trial) for fitted in self.twins])

    def passes_per_frame(self, frames: int) -> float:
        return float(self.config.steps * sum(one.members for one in self.twins))

    def _decoded(self, fitted: FittedTwin, trial: Trial) -> F32:
        decoder = fitted.unhurried_decoder(self.config)
        video = np.full(trial.truth.shape, np.nan, np.float32)
        for item in _window_frames(trial):
            for reconstruction in decoder.step([item]):
                video[reconstruction.frame] = reconstruction.luminance
        return video


@dataclass(frozen=True, slots=True, eq=False)
class Offline:
    """The objective of the live decoder over a whole clip; several twins are averaged."""

    twins: Sequence[FittedTwin]
    iterations: int
    likelihood_weight: float | None = None
    lag_frames: int | None = None

    @property
    def steps(self) -> int:
        return self.iterations

    def video(self, trial: Trial) -> F32:
        return _mean([self._inverted(fitted, trial) for fitted in self.twins])

    def passes_per_frame(self, frames: int) -> float:
        return self.iterations * len(self.twins) / frames

    def _inverted(self, fitted: FittedTwin, trial: Trial) -> F32:
        frames = len(trial.responses)
        solver = fitted.solver(
            window_frames=frames, estimated_frames=frames, likelihood_weight=self.likelihood_weight
        )
        measured = usable(trial.responses, trial.valid).astype(np.float32)
        observed = solver.observed(
            *(
                torch.from_numpy(array).to(fitted.device)
                for array in (trial.responses, measured, trial.behaviour)
            )
        )
        for _ in range(self.iterations):
            solver.improve(observed)
        return solver.result(back=frames - 1)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The published offline procedure; the videos of several twins are averaged."""

    twins: Sequence[Twin]
    mask: NDArray[np.bool_]
    iterations: int
    report: Callable[[int, int, F32], None] = lambda _twin, _done, _video: None
    report_at: Sequence[int] = ()
    lag_frames: int | None = None

    @property
    def steps(self) -> int:
        return self.iterations

    def video(self, trial: Trial) -> F32:
        return _mean([self._inverted(place, trial) for place in range(len(self.twins))])

    def passes_per_frame(self, frames: int) -> float:
        return passes_per_frame(frames, iterations=self.iterations, twins=len(self.twins))

    def _inverted(self, place: int, trial: Trial) -> F32:
        return reference_video(
            self.twins[place],
            _measured(trial),
            trial.behaviour,
            self.mask,
            iterations=self.iterations,
            report=lambda done, video: self.report(place, done, video),
            report_at=self.report_at,
        )


def _measured(trial: Trial) -> F32:
    """(frame, neuron) activity, NaN where a neuron was not measured."""
    return np.where(trial.valid, trial.responses, np.float32(np.nan))


def _window_frames(trial: Trial) -> list[WindowFrame]:
    grid = FrameGrid(trial.frame_rate_hz)
    stamps = [grid.start_ns(frame) for frame in range(len(trial.responses))]
    known = np.flatnonzero(trial.valid.any(axis=1)).tolist()
    return [
        WindowFrame(
            Responses(
                activity=activity,
                valid=valid,
                frame=frame,
                t_frame_start_ns=stamps[frame],
                t_scan_ns=stamps[frame],
                t_scan_end_ns=stamps[frame],
                t_received_ns=stamps[frame],
                t_ready_ns=stamps[frame],
            ),
            behaviour,
        )
        for frame, (activity, valid, behaviour) in enumerate(
            zip(trial.responses, trial.valid, trial.behaviour, strict=True)
        )
        if frame in known
    ]


def _mean(videos: Sequence[F32]) -> F32:
    return videos[0] if len(videos) == 1 else np.mean(videos, axis=0, dtype=np.float32)
