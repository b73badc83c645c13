"""The decode stage: a fixed-lag smoother from activity to video, for live runs and replays.

Duties: move the horizon to the newest frame, let the solver improve the estimate until the deadline
or the configured number of steps, and give out each frame `lag_frames` after its responses, with
the times of its way, its uncertainty, and what was left out. The equations are in docs/decoder.md.
This module must not depend on sockets, on the session log or on how responses were computed; time
comes from the clock that it is given.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.noise import Noise, even_noise
from rtdecode.decode.observation_window import ObservationWindow
from rtdecode.decode.prior import VideoPrior, forecast_variance, spectral_shrinkage
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.schema.config.decode import DecodeConfig, RoisCheck
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction, Responses, WindowFrame
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]
_NS_PER_MS = 1_000_000


class Decoder:
    """Moving-horizon MAP estimation: one `Reconstruction` for each frame, `lag_frames` later.

    With `forecast_frames` it is given that many frames earlier than its responses, by the prior's
    prediction from the newest estimates.

    The horizon absorbs all frames that wait, and the estimate is improved once for all of them, by
    `steps` solver steps or as many as the deadline permits (at least one).

    Parameters
    ----------
    config
        Horizon, lag, steps and deadline.
    twin, prior
        Encoding model, eq. (1), and video prior, eq. (2), of docs/decoder.md.
    clock
        Clock of the deadline and of the times in reconstructions.
    noise
        Noise model of the twin's neurons, eqs. (3) and (4); by default equal for all neurons.
    sd
        (back, row, col) standard deviation of a pixel in grey levels, by frames behind the newest;
        without it the uncertainty of reconstructions is 0.
    device
        Where the solver computes; None: the CPU.

    Notes
    -----
    Neurons that are stuck or implausible, and scans with an artefact, have almost no weight; each
    reconstruction has their number, and states whether its frame was left out.

    Frames without responses are estimated from the other frames and the prior. After a jump over
    most of a horizon the frames in between are not estimated, and the decoder is reset.
    """

    def __init__(
        self,
        config: DecodeConfig,
        twin: Twin,
        prior: VideoPrior,
        *,
        clock: Clock,
        noise: Noise | None = None,
        sd: Float[Tensor, "back row col"] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._config, self._clock, self._device = config, clock, device
        spec = twin.spec
        self._grid = FrameGrid(spec.frame_rate_hz)
        self._horizon = ObservationWindow(
            neurons=spec.neurons,
            channels=len(spec.behaviour_channels),
            frames=config.window_frames,
            twin=spec.provenance.get("session", spec.architecture),
            rois_hash=spec.rois_hash if config.rois_check is RoisCheck.CONTENT else "",
        )
        self._noise = (noise or even_noise(spec.neurons)).to(device)
        self._solver = Solver(
            twin,
            prior.to(device),
            self._noise,
            window_frames=config.window_frames,
            estimated_frames=config.estimated_frames_used,
            likelihood_weight=config.likelihood_weight,
            shrinkage=spectral_shrinkage(prior).to(device),
        )
        self._sd: F32 = np.zeros((1, *prior.mean.shape), np.float32) if sd is None else sd.numpy()
        self._forecast_sd: F32 = np.zeros((config.forecast_frames, *prior.mean.shape), np.float32)
        if sd is not None and config.forecast_frames:
            added = forecast_variance(prior, frames=config.forecast_frames)
            self._forecast_sd = (sd[:1].square() + added.to(sd)).sqrt().numpy()
        self._first: int | None = None
        self._next = 0

    def step(self, items: Sequence[WindowFrame]) -> list[Reconstruction]:
        """Absorb all `items`, improve the estimate once, and return each frame that became due.

        More items than the estimated frames can hold beyond the lag are absorbed in portions, each
        with its own steps; otherwise frames would become history before their responses were used.

        Raises
        ------
        FrameOrderError, NeuronCountError, TwinRoisError, BehaviourChannelsError
            If an item is not newer than the one before, or does not fit the twin.
        """
        deadline_ns = self._clock.now_ns() + round(self._config.deadline_ms * _NS_PER_MS)
        ready: list[Reconstruction] = []
        for portion in self._portions(items):
            jumped = self._horizon.missing_before(portion[0])
            if jumped >= self._config.window_frames - self._config.lag_frames:
                ready += self._restart(deadline_ns)
            ready += self._estimate(portion, deadline_ns)
        return ready

    def _portions(self, items: Sequence[WindowFrame]) -> Iterator[Sequence[WindowFrame]]:
        """Split `items` so that each portion shifts the horizon by no more than it can estimate.

        A frame after a longer jump is a portion of its own.
        """
        room = self._config.estimated_frames_used - self._config.lag_frames
        before = self._horizon.newest
        portion: list[WindowFrame] = []
        for item in items:
            frame = item.responses.frame
            before = frame - 1 if before is None else before
            if portion and frame - before > room:
                yield portion
                before, portion = portion[-1].responses.frame, []
            portion.append(item)
        if portion:
            yield portion

    def _restart(self, deadline_ns: int) -> list[Reconstruction]:
        """Return the frames whose lag has not passed yet, and reset the solver.

        After so long a jump these frames would leave the horizon before they are given out, and
        frames before the jump have no information about those after it.
        """
        newest = self._horizon.newest
        if newest is None:
            return []
        waiting = range(self._next, newest + 1)
        rest = self._reconstructions(waiting, steps=0, deadline_ns=deadline_ns)
        self._solver.reset()
        self._first = None
        return rest

    def _estimate(self, items: Sequence[WindowFrame], deadline_ns: int) -> list[Reconstruction]:
        moved = self._horizon.absorb(items)
        if self._first is None:
            self._first = self._next = items[0].responses.frame
        self._solver.advance(min(moved, self._config.window_frames))
        steps = self._improve(deadline_ns)
        due = range(self._next, items[-1].responses.frame - self._config.output_lag_frames + 1)
        return self._reconstructions(due, steps=steps, deadline_ns=deadline_ns)

    def _improve(self, deadline_ns: int) -> int:
        observed = self._observed()
        steps, spent_ns = 0, 0
        while steps < self._config.steps:
            started_ns = self._clock.now_ns()
            if steps > 0 and started_ns + spent_ns > deadline_ns:
                break
            self._solver.improve(observed)
            spent_ns = self._clock.now_ns() - started_ns
            steps += 1
        return steps

    def _observed(self) -> ObservedFrames:
        now = self._horizon.contents()
        estimated = slice(-self._config.estimated_frames_used, None)
        return self._solver.observed(
            torch.from_numpy(now.recorded[estimated]).to(self._device),
            torch.from_numpy(now.measured[estimated]).to(self._device),
            torch.from_numpy(now.behaviour).to(self._device),
        )

    def _reconstructions(self, due: range, *, steps: int, deadline_ns: int) -> list[Reconstruction]:
        newest = self._horizon.newest
        if not due or newest is None:
            return []
        self._next = due.stop
        first = min(due.start, newest)
        video, objective = self._solver.result(
            back=newest - first, ahead=max(0, due.stop - 1 - newest)
        )
        rejected = self._solver.rejected()
        neurons_left_out = int((rejected.neurons | self._horizon.stuck).sum())
        frames_left_out = newest + 1 - len(rejected.frames) + np.flatnonzero(rejected.frames)
        ready_ns = self._clock.now_ns()
        warm = newest - (self._first or 0) + 1 >= self._config.window_frames
        return [
            self._reconstruction(
                frame,
                video[frame - first],
                self._sd_of(newest - frame),
                source=self._source(frame),
                objective=objective,
                steps=steps,
                ready_ns=ready_ns,
                warm=warm,
                late=ready_ns > deadline_ns,
                neurons_left_out=neurons_left_out,
                frame_left_out=frame in frames_left_out,
            )
            for frame in due
        ]

    def _sd_of(self, age_frames: int) -> F32:
        """(row, col) standard deviation of a frame that is `age_frames` older than the newest."""
        sd: F32 = (
            self._forecast_sd[-age_frames - 1]
            if age_frames < 0
            else self._sd[min(age_frames, len(self._sd) - 1)]
        )
        return sd

    def _source(self, frame: int) -> Responses:
        """The responses whose arrival made `frame` due, or the next ones if those are missing."""
        newest = self._horizon.newest or 0
        for number in range(min(frame + self._config.output_lag_frames, newest), newest + 1):
            if (source := self._horizon.source_of(number)) is not None:
                return source
        raise IndexError(f"frame {newest} is not in the horizon")

    def _reconstruction(
        self,
        frame: int,
        luminance: F32,
        sd: F32,
        *,
        source: Responses,
        objective: float,
        steps: int,
        ready_ns: int,
        warm: bool,
        late: bool,
        neurons_left_out: int,
        frame_left_out: bool,
    ) -> Reconstruction:
        return Reconstruction(
            luminance=luminance,
            uncertainty=sd,
            frame=frame,
            t_frame_mid_ns=self._grid.middle_ns(frame),
            t_scan_ns=source.t_scan_ns,
            t_scan_end_ns=source.t_scan_end_ns,
            t_received_ns=source.t_received_ns,
            t_responses_ns=source.t_ready_ns,
            t_ready_ns=ready_ns,
            lag_frames=self._config.output_lag_frames,
            steps=steps,
            objective=objective,
            warm=warm,
            late=late,
            neurons_left_out=neurons_left_out,
            frame_left_out=frame_left_out,
        )
