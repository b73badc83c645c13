"""The decode stage: a fixed-lag smoother from activity to video, for live runs and replays.

Duties: move the horizon to the newest frame, let the solver improve the estimate until the deadline
or the configured number of steps, and give out each frame `lag_frames` after its responses, with
the times of its way, its uncertainty, and what was left out. The equations are in docs/decoder.md.
This module must not depend on sockets, on the session log or on how responses were computed; time
comes from the clock that it is given.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.compute import Kernels, upload_to
from rtdecode.decode.noise import Noise, even_noise
from rtdecode.decode.observation_window import ObservationWindow
from rtdecode.decode.posterior import SdByAge
from rtdecode.decode.prior import VideoPrior, spectral_shrinkage
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.decode.work_control import Estimation, WorkControl
from rtdecode.decode.work_levels import WaitingFrames, WorkLevel
from rtdecode.schema.config.decode import DecodeConfig, RoisCheck
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Reconstruction, Responses, WindowFrame
from rtdecode.twins.twin import Twin

_NS_PER_MS = 1_000_000


class Decoder:
    """Moving-horizon MAP estimation: one `Reconstruction` for each frame, `lag_frames` later.

    With `forecast_frames` it is given that many frames earlier than its responses, by the prior's
    prediction from the newest estimates.

    The horizon absorbs all frames that wait, and the estimate is improved once for all of them, by
    `steps` solver steps or as many as the deadline permits (at least one). With a `work_control`
    its level limits steps and twins, and selects the frames that are given out.

    Parameters
    ----------
    config
        Horizon, lag, steps and deadline.
    twin, prior
        Encoding model, eq. (1), and video prior, eq. (2), of docs/decoder.md; on one device.
    clock
        Clock of the deadline and of the times in reconstructions.
    noise
        Noise model of the twin's neurons, eqs. (3) and (4); by default equal for all neurons.
    sd
        (back, row, col) standard deviation of a pixel in grey levels, by frames behind the newest;
        without it the uncertainty of reconstructions is 0.
    work_control
        Sheds work while it exceeds the time of the frames; None: the work is as configured.
    others, kernels
        As `Solver` takes them.

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
        work_control: WorkControl | None = None,
        others: Sequence[tuple[Twin, Noise]] = (),
        kernels: Kernels | None = None,
    ) -> None:
        self._config, self._clock = config, clock
        spec, self._upload = twin.spec, upload_to(prior.mean.device)
        self._grid = FrameGrid(spec.frame_rate_hz)
        self._new_horizon = partial(
            ObservationWindow,
            neurons=spec.neurons,
            channels=len(spec.behaviour_channels),
            frames=config.window_frames,
            twin=spec.provenance.get("session", spec.architecture),
            rois_hash=spec.rois_hash if config.rois_check is RoisCheck.CONTENT else "",
        )
        self._horizon = self._new_horizon()
        self._solver = Solver(
            twin,
            prior,
            noise or even_noise(spec.neurons).to(prior.mean.device),
            window_frames=config.window_frames,
            estimated_frames=config.estimated_frames_used,
            likelihood_weight=config.likelihood_weight,
            shrinkage=spectral_shrinkage(prior),
            others=others,
            kernels=kernels,
        )
        self._sd = SdByAge(sd, prior, forecast_frames=config.forecast_frames)
        # on an accelerator a step returns before it is computed: its time until the result is here
        self._is_asynchronous = prior.mean.device.type != "cpu"
        self._begun_ns = self._device_step_ns = 0
        self._first: int | None = None
        self._next = self._after_given = self._turns = self._batch = 0
        self._cost = Estimation()
        self._work, self._level = work_control, WorkLevel(config.steps, 1 + len(others))
        self._waiting = self._no_frames()

    def step(
        self, items: Sequence[WindowFrame], *, begun_ns: int | None = None
    ) -> list[Reconstruction]:
        """Absorb all `items`, improve the estimate once, and return each frame that became due.

        More items than the estimated frames can hold beyond the lag are absorbed in portions, each
        with its own steps; otherwise frames would become history before their responses were used.
        Work on `items` began at `begun_ns`, by default with this call.

        Raises
        ------
        FrameOrderError, NeuronCountError, TwinRoisError, BehaviourChannelsError
            If an item is not newer than the one before, or does not fit the twin.
        """
        now_ns = self._clock.now_ns()
        deadline_ns = now_ns + round(self._config.deadline_ms * _NS_PER_MS)
        self._waiting.extend(items)
        self._turns, self._batch = self._turns + 1, len(self._waiting)
        before_ns = 0 if begun_ns is None else now_ns - begun_ns
        ready: list[Reconstruction] = []
        while portion := self._waiting.portion(self._level):
            jumped = self._horizon.missing_before(portion[0])
            if jumped >= self._config.window_frames - self._config.lag_frames:
                ready += self._restart(deadline_ns)
            ready += self._estimate(portion, deadline_ns)
            if self._work is not None:
                # preprocessing of all items is divided among their portions
                spent_ns = before_ns * len(portion) // max(len(portion), len(items))
                now_ns = self._measured(self._work, since_ns=now_ns - spent_ns)
        return ready

    def events(self) -> list[Event]:
        """Changes of the level of work since the last call, oldest first."""
        return [] if self._work is None else self._work.events()

    def reset(self) -> int:
        """Return to the state before the first frame; the frames that were not given out.

        Their lag has not passed: what follows is another trial, which has no information about
        them, nor they about it.
        """
        newest = self._horizon.newest
        left = 0 if newest is None else max(0, newest + len(self._waiting) + 1 - self._next)
        self._horizon, self._waiting = self._new_horizon(), self._no_frames()
        self._solver.reset()
        self._first, self._turns = None, 0
        return left

    def _no_frames(self) -> WaitingFrames:
        return WaitingFrames(room=self._config.room_frames, lag=self._config.output_lag_frames)

    def _restart(self, deadline_ns: int) -> list[Reconstruction]:
        """Return the frames whose lag has not passed yet, and reset the solver.

        After so long a jump these frames would leave the horizon before they are given out, and
        frames before the jump have no information about those after it.
        """
        newest = self._horizon.newest
        if newest is None:
            return []
        waiting = range(self._next, newest + 1)
        self._next = newest + 1
        rest = self._reconstructions(waiting, steps=0, deadline_ns=deadline_ns)
        self._solver.reset()
        self._first = None
        return rest

    def _estimate(self, items: Sequence[WindowFrame], deadline_ns: int) -> list[Reconstruction]:
        moved = self._horizon.absorb(items)
        if self._first is None:
            self._first = self._next = self._after_given = items[0].responses.frame
        self._solver.advance(min(moved, self._config.window_frames))
        steps, steps_ns = self._improve(deadline_ns)
        due = range(self._next, items[-1].responses.frame - self._config.output_lag_frames + 1)
        self._next = max(self._next, due.stop)
        given = self._level.given(due)
        self._cost = Estimation(
            frames=moved,
            turns=self._turns,
            steps=steps,
            steps_ns=steps_ns,
            # the deadline has passed for all portions of a batch but the first
            is_cut=steps < self._level.steps and self._turns > 0,
            shed=len(due) - len(given),
            waiting=self._batch,
        )
        self._turns = 0
        return self._reconstructions(given, steps=steps, deadline_ns=deadline_ns)

    def _measured(self, work: WorkControl, *, since_ns: int) -> int:
        """Add the cost of the last estimation, which began at `since_ns`; the time now."""
        now_ns = self._clock.now_ns()
        if self._is_warm:
            work.add(replace(self._cost, work_ns=now_ns - since_ns))
            self._level = work.level
        return now_ns

    def _improve(self, deadline_ns: int) -> tuple[int, int]:
        """Solver steps made, and their time in ns."""
        observed = self._observed()
        steps, spent_ns, all_ns = 0, 0, 0
        while steps < self._level.steps:
            started_ns = self._clock.now_ns()
            if steps == 0:
                self._begun_ns = started_ns
            # time at which the steps that were begun are done
            done_ns = max(started_ns, self._begun_ns + steps * self._device_step_ns)
            if steps > 0 and done_ns + spent_ns > deadline_ns:
                break
            self._solver.improve(observed)
            spent_ns = max(self._clock.now_ns() - started_ns, self._device_step_ns)
            all_ns += spent_ns
            steps += 1
        return steps, all_ns

    def _observed(self) -> ObservedFrames:
        now = self._horizon.contents()
        estimated = slice(-self._config.estimated_frames_used, None)
        return self._solver.observed(
            self._upload("recorded", now.recorded[estimated]),
            self._upload("measured", now.measured[estimated]),
            self._upload("behaviour", now.behaviour),
            members=self._level.members,
        )

    def _reconstructions(
        self, frames: Sequence[int], *, steps: int, deadline_ns: int
    ) -> list[Reconstruction]:
        newest = self._horizon.newest
        if newest is None or not frames:
            return []
        first = min(frames[0], newest)
        found = self._solver.estimate(back=newest - first, ahead=max(0, frames[-1] - newest))
        neurons_left_out = int((found.rejected.neurons | self._horizon.stuck).sum())
        is_rejected = found.rejected.frames
        frames_left_out = newest + 1 - len(is_rejected) + np.flatnonzero(is_rejected)
        ready_ns = self._clock.now_ns()
        if self._is_asynchronous and steps > 0:
            self._device_step_ns = (ready_ns - self._begun_ns) // steps
        made = []
        for frame in frames:
            source = self._source(frame)
            made.append(
                Reconstruction(
                    luminance=found.video[frame - first],
                    uncertainty=self._sd(newest - frame),
                    frame=frame,
                    t_frame_mid_ns=self._grid.middle_ns(frame),
                    t_scan_ns=source.t_scan_ns,
                    t_scan_end_ns=source.t_scan_end_ns,
                    t_received_ns=source.t_received_ns,
                    t_responses_ns=source.t_ready_ns,
                    t_ready_ns=ready_ns,
                    lag_frames=self._config.output_lag_frames,
                    steps=steps,
                    objective=found.objective,
                    warm=self._is_warm,
                    late=ready_ns > deadline_ns,
                    neurons_left_out=neurons_left_out,
                    frame_left_out=frame in frames_left_out,
                    frames_shed=frame - self._after_given,
                )
            )
            self._after_given = frame + 1
        return made

    @property
    def _is_warm(self) -> bool:
        """Whether frames since the last reset fill the horizon."""
        newest = self._horizon.newest or 0
        return newest - (self._first or 0) + 1 >= self._config.window_frames

    def _source(self, frame: int) -> Responses:
        """The responses whose arrival made `frame` due, or the next ones if those are missing."""
        newest = self._horizon.newest or 0
        for number in range(min(frame + self._config.output_lag_frames, newest), newest + 1):
            if (source := self._horizon.source_of(number)) is not None:
                return source
        raise IndexError(f"frame {newest} is not in the horizon")
