"""A closed loop in simulated time: stimulus, rig and policy without processes, faster than live.

The stimulus displays clips and applies commands at flips; a rig turns displayed frames into
responses and reconstructions; the policy gets what a controller would give it, in order of time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtdecode.control.policy import Observation, Observed, Policy, PolicySetting, Request
from rtdecode.schema.control import Acknowledgement, ActionName
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Reconstruction,
    Responses,
)
from stimulus.playlist import shuffled_rounds

U8 = NDArray[np.uint8]
_TICK_NS = 100_000_000
_HALF_FRAME_NS = 1_000_000_000 // 60
_LINK_NS = 3_000_000
"""Time from a decision to the stimulus, and from a flip to the controller."""


class Rig(Protocol):
    """What is between the screen and the reconstructions."""

    def show(self, luminance: U8, t_ns: int) -> None:
        """Display a frame from `t_ns` on."""

    def advance_to(self, t_ns: int) -> Sequence[tuple[int, Body]]:
        """Responses and reconstructions until `t_ns`, each with its time."""


@dataclass(slots=True)
class Record:
    """What happened in a simulated session."""

    displayed: list[DisplayedFrame] = field(default_factory=list)
    responses: list[Responses] = field(default_factory=list)
    reconstructions: list[Reconstruction] = field(default_factory=list)
    requests: list[tuple[int, Request]] = field(default_factory=list)
    """Time of the decision in ns, and what was asked for."""
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    contrasts: list[float] = field(default_factory=list)
    """Contrast of each displayed frame."""


class SimulatedStimulus:
    """Clips in random order at 30 Hz; commands take effect at the first flip from their time on.

    The parameter `contrast` scales the deviation of a clip from its mean, from the next clip on.
    """

    def __init__(self, clips: Mapping[str, U8], *, seed: int) -> None:
        self._clips, self._order = clips, shuffled_rounds(list(clips), seed=seed)
        self._commands: list[tuple[int, int, Request]] = []
        self._name, self._frames, self._index = "", np.zeros((0, 1, 1), np.uint8), 0
        self._contrasts = {"contrast": 1.0}
        self._waiting: list[tuple[int, Request]] = []
        self.contrast = 1.0

    def command(self, number: int, request: Request, t_ns: int) -> None:
        """Receive a command at `t_ns`."""
        # as the stimulus does: a command may be displayed up to half a frame before its time
        due_ns = request.t_due_ns - _HALF_FRAME_NS
        self._commands.append((max(t_ns, due_ns), number, request))

    def next_frame(self, t_flip_ns: int) -> tuple[DisplayedFrame, list[Acknowledgement]]:
        """The frame that is displayed at `t_flip_ns`, and what was applied with it."""
        due = [one for one in self._commands if one[0] <= t_flip_ns]
        self._commands = [one for one in self._commands if one[0] > t_flip_ns]
        applied = [(number, one) for _, number, one in due if self._applied(number, one)]
        if self._index >= len(self._frames):
            name = next(self._order)
            self._begin(name, self._clips[name])
        if self._index == 0:
            applied += self._parameters()
        luminance = self._frames[self._index]
        shown = DisplayedFrame(self._name, self._index, luminance, t_flip_ns, 2)
        self._index += 1
        return shown, [_acknowledged(number, one, t_flip_ns) for number, one in applied]

    def _applied(self, number: int, request: Request) -> bool:
        if request.name is ActionName.SET_PARAMETER:
            self._waiting.append((number, request))
            return False
        if request.name is ActionName.SHOW_CLIP:
            self._begin(request.target, self._clips[request.target])
        elif request.name is ActionName.SHOW_FRAMES:
            self._begin(request.target, request.frames)
        return True

    def _parameters(self) -> list[tuple[int, Request]]:
        """Parameters that take effect with the clip that begins; its contrast is set."""
        for _, request in self._waiting:
            self._contrasts[request.target] = request.value
        answered, self._waiting = self._waiting, []
        self.contrast = self._contrasts["contrast"]
        mean = float(self._frames.mean())
        levels = mean + self.contrast * (self._frames - mean)
        self._frames = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return answered

    def _begin(self, name: str, frames: U8) -> None:
        self._name, self._frames, self._index = name, frames, 0


def _acknowledged(number: int, request: Request, t_flip_ns: int) -> Acknowledgement:
    return Acknowledgement(number, "applied", request.name, request.target, t_flip_ns, t_flip_ns, 0)


def simulate(
    policy: Policy,
    rig: Rig,
    clips: Mapping[str, U8],
    *,
    setting: PolicySetting,
    seconds: float,
    armed_from_s: float = 0.0,
) -> Record:
    """Run a session of `seconds` in simulated time.

    The policy gets everything but behaviour and the running score. Triggers are recorded and have
    no effect on the rig.
    """
    loop = _Loop(policy, rig, SimulatedStimulus(clips, seed=setting.seed), setting, armed_from_s)
    for frame in range(round(seconds * setting.frame_rate_hz)):
        loop.step(frame)
    return loop.record


class _Loop:
    def __init__(
        self,
        policy: Policy,
        rig: Rig,
        stimulus: SimulatedStimulus,
        setting: PolicySetting,
        armed_from_s: float,
    ) -> None:
        self._policy, self._rig, self._stimulus = policy, rig, stimulus
        self._rate_hz, self._armed_ns = setting.frame_rate_hz, round(armed_from_s * 1e9)
        self._waiting: list[tuple[int, int, Observed | None]] = []
        self._order, self._tick_ns = count(), _TICK_NS
        self.record = Record()

    def step(self, frame: int) -> None:
        # flips are a third of a frame later than the frame grid
        t_flip_ns = round((frame + 1 / 3) / self._rate_hz * 1e9)
        t_next_ns = round((frame + 4 / 3) / self._rate_hz * 1e9)
        shown, answers = self._stimulus.next_frame(t_flip_ns)
        self.record.displayed.append(shown)
        self.record.acknowledgements += answers
        self.record.contrasts.append(self._stimulus.contrast)
        for body in (shown, *answers):
            self._push(t_flip_ns + _LINK_NS, body)
        self._rig.show(shown.luminance, t_flip_ns)
        for t_ns, body in self._rig.advance_to(t_next_ns):
            if isinstance(body, Responses):
                self.record.responses.append(body)
            elif isinstance(body, Reconstruction):
                self.record.reconstructions.append(body)
                self._push(t_ns, body)
        while self._tick_ns < t_next_ns:
            self._push(self._tick_ns, None)
            self._tick_ns += _TICK_NS
        self._observe_until(t_next_ns - _LINK_NS)

    def _push(self, t_ns: int, body: Observed | None) -> None:
        heappush(self._waiting, (t_ns, next(self._order), body))

    def _observe_until(self, t_ns: int) -> None:
        while self._waiting and self._waiting[0][0] <= t_ns:
            at_ns, _, body = heappop(self._waiting)
            armed = at_ns >= self._armed_ns
            for_s = (at_ns - self._armed_ns) / 1e9 if armed else 0.0
            observation = Observation(at_ns, body, armed, for_s)
            self.record.observations.append(observation)
            for request in self._policy.decide(observation):
                number = len(self.record.requests)
                self.record.requests.append((at_ns, request))
                if armed and request.name.is_for_stimulus:
                    self._stimulus.command(number, request, at_ns + _LINK_NS)
