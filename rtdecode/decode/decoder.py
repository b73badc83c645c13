"""The decode stage: absorbs all frames that wait, inverts once, gives the frames that are due."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.noise import Noise, even_noise
from rtdecode.decode.observation_window import ObservationWindow
from rtdecode.decode.prior import VideoPrior, spectral_shrinkage
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction, Responses, WindowFrame
from rtdecode.twins.twin import Twin

F32 = NDArray[np.float32]
_NS_PER_MS = 1_000_000


class Decoder:
    """Sliding-window inversion of a twin, one `Reconstruction` for each frame `lag_frames` old.

    Preprocessing sees every frame; only the inversion skips work: however many frames wait, the
    window takes them all and is improved once, by `steps` steps or as many as the deadline
    allows (at least one). The result is the best so far, with the number of steps it had.

    `sd` is the standard deviation of a pixel, kept beside the twin, by frames behind the
    newest; without it reconstructions carry zeros.

    Neurons that are stuck or implausible, and scans with an artefact, count next to nothing; each
    reconstruction says how many neurons, and whether its frame, were left out.

    Frames without responses go out too, as far as the others and the prior tell them. Only after
    a jump over most of a window are those in between left out: the decoder then starts anew.
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
        self._window = ObservationWindow(
            neurons=spec.neurons,
            channels=len(spec.behaviour_channels),
            frames=config.window_frames,
            twin=spec.provenance.get("session", spec.architecture),
        )
        self._noise = (noise or even_noise(spec.neurons)).to(device)
        self._inverter = Solver(
            twin,
            prior.to(device),
            self._noise,
            window_frames=config.window_frames,
            free_frames=config.estimated_frames_used,
            likelihood_weight=config.likelihood_weight,
            share=spectral_shrinkage(prior).to(device),
        )
        self._sd = np.zeros((1, *prior.mean.shape), np.float32) if sd is None else sd.numpy()
        self._first: int | None = None
        self._next = 0

    def step(self, items: Sequence[WindowFrame]) -> list[Reconstruction]:
        """Take all `items`, improve the window once, give every frame that became due.

        More frames at once than the free part of the window can hold are taken in portions,
        each improved by its own steps, so that none goes out on the prior's word alone.
        """
        deadline_ns = self._clock.now_ns() + round(self._config.deadline_ms * _NS_PER_MS)
        ready: list[Reconstruction] = []
        for portion in self._portions(items):
            jumped = self._window.missing_before(portion[0])
            if jumped >= self._config.window_frames - self._config.lag_frames:
                ready += self._start_afresh(deadline_ns)
            ready += self._invert(portion, deadline_ns)
        return ready

    def _portions(self, items: Sequence[WindowFrame]) -> Iterator[Sequence[WindowFrame]]:
        """Cut so that each portion moves the window on by what its free part can hold.

        A frame after a longer jump comes alone.
        """
        room = self._config.estimated_frames_used - self._config.lag_frames
        before = self._window.newest
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

    def _start_afresh(self, deadline_ns: int) -> list[Reconstruction]:
        """Give the frames that still wait for their lag, and reset everything.

        So much was jumped over that they would leave the window unseen, and that the frames
        before the jump say nothing of those after it.
        """
        newest = self._window.newest
        if newest is None:
            return []
        waiting = range(self._next, newest + 1)
        rest = self._reconstructions(waiting, steps=0, deadline_ns=deadline_ns)
        self._inverter.reset()
        self._first = None
        return rest

    def _invert(self, items: Sequence[WindowFrame], deadline_ns: int) -> list[Reconstruction]:
        moved = self._window.absorb(items)
        if self._first is None:
            self._first = self._next = items[0].responses.frame
        self._inverter.advance(min(moved, self._config.window_frames))
        steps = self._improve(deadline_ns)
        due = range(self._next, items[-1].responses.frame - self._config.lag_frames + 1)
        return self._reconstructions(due, steps=steps, deadline_ns=deadline_ns)

    def _improve(self, deadline_ns: int) -> int:
        observed = self._observed()
        steps, spent_ns = 0, 0
        while steps < self._config.steps:
            begun_ns = self._clock.now_ns()
            if steps > 0 and begun_ns + spent_ns > deadline_ns:
                break
            self._inverter.improve(observed)
            spent_ns = self._clock.now_ns() - begun_ns
            steps += 1
        return steps

    def _observed(self) -> ObservedFrames:
        now = self._window.contents()
        free = slice(-self._config.estimated_frames_used, None)
        return self._inverter.observed(
            torch.from_numpy(now.recorded[free]).to(self._device),
            torch.from_numpy(now.measured[free]).to(self._device),
            torch.from_numpy(now.behaviour).to(self._device),
        )

    def _reconstructions(self, due: range, *, steps: int, deadline_ns: int) -> list[Reconstruction]:
        newest = self._window.newest
        if not due or newest is None:
            return []
        self._next = due.stop
        video, objective = self._inverter.result(back=newest - due.start)
        rejected = self._inverter.rejected()
        neurons_left_out = int((rejected.neurons | self._window.stuck).sum())
        frames_left_out = newest + 1 - len(rejected.frames) + np.flatnonzero(rejected.frames)
        ready_ns = self._clock.now_ns()
        warm = newest - (self._first or 0) + 1 >= self._config.window_frames
        return [
            self._reconstruction(
                frame,
                video[frame - due.start],
                self._sd[min(newest - frame, len(self._sd) - 1)],
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

    def _source(self, frame: int) -> Responses:
        """The responses whose coming made `frame` due, or the next ones if those are missing."""
        newest = self._window.newest or 0
        for number in range(min(frame + self._config.lag_frames, newest), newest + 1):
            if (source := self._window.source_of(number)) is not None:
                return source
        raise IndexError(f"frame {newest} is not in the window")

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
            lag_frames=self._config.lag_frames,
            steps=steps,
            objective=objective,
            warm=warm,
            late=late,
            neurons_left_out=neurons_left_out,
            frame_left_out=frame_left_out,
        )
