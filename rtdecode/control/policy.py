"""What a policy gets and what it may ask for: the interface of the user's part of the closed loop.

Duties: define the observations, the requests and the `Policy` protocol. A policy is a state machine
without socket, clock, thread and file. It gets one observation at a time, in the order in which
they were recorded, so that a replay of the session repeats its decisions. It does not know whether
it is armed live or replayed; what became of each request comes back as an `Acknowledgement`.

A policy of one's own is a class in a Python file, named in the config by `control.policy`:

>>> class ShowWhenBright:
...     def __init__(self, setting: "PolicySetting", *, above: float = 150.0) -> None:
...         self._above = above
...
...     def decide(self, observation: "Observation") -> "list[Request]":
...         body = observation.body
...         if not isinstance(body, Reconstruction) or body.luminance.mean() <= self._above:
...             return []
...         return [Request.trigger("ttl", reason=f"mean luminance {body.luminance.mean():.0f}")]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.control import Acknowledgement, ActionName, Trial
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Reconstruction, Score

Observed = Reconstruction | Score | Behaviour | DisplayedFrame | Acknowledgement | Trial


@dataclass(frozen=True, slots=True)
class Observation:
    """One message for the policy, or, with `body` None, that session time has passed.

    Session time is given every 0.1 s, so that a policy can act without a message.
    """

    t_ns: int
    """Session time at which the controller received it (HostNs); never decreases."""
    body: Observed | None = None
    armed: bool = False
    """Whether requests are carried out now."""
    armed_for_s: float = 0.0
    """Time in s since the controller was armed; 0 where it is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a policy asks for; the controller makes an `Action` with number and cause of it."""

    name: ActionName
    target: str = ""
    value: float = 0.0
    reason: str = ""
    """Why, in words and numbers, for the log and the report."""
    t_due_ns: int = 0
    """Flip for which it is meant (HostNs); 0 for the next one."""
    frames: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))
    """(frame, row, col) grey levels of show_frames."""

    @classmethod
    def show_clip(cls, clip: str, *, reason: str = "", t_due_ns: int = 0) -> Self:
        """Display the clip of this name next."""
        return cls(ActionName.SHOW_CLIP, clip, reason=reason, t_due_ns=t_due_ns)

    @classmethod
    def show_frames(cls, frames: NDArray[np.uint8], *, name: str, reason: str = "") -> Self:
        """Display (frame, row, col) uint8 grey levels next, logged as the clip `name`."""
        return cls(ActionName.SHOW_FRAMES, name, reason=reason, frames=frames)

    @classmethod
    def set_parameter(cls, parameter: str, value: float, *, reason: str = "") -> Self:
        """Set a parameter of the protocol from the next trial on."""
        return cls(ActionName.SET_PARAMETER, parameter, value, reason)

    @classmethod
    def trigger(cls, output: str, *, value: float = 1.0, reason: str = "") -> Self:
        """Fire the output of this name."""
        return cls(ActionName.TRIGGER, output, value, reason)

    @classmethod
    def pause(cls, *, reason: str = "") -> Self:
        """Display uniform grey frames until `resume`."""
        return cls(ActionName.PAUSE, reason=reason)

    @classmethod
    def resume(cls, *, reason: str = "") -> Self:
        """Continue after a pause."""
        return cls(ActionName.RESUME, reason=reason)


@dataclass(frozen=True, slots=True)
class PolicySetting:
    """What is fixed for the whole session; the first argument of every policy."""

    frame_rate_hz: float
    clips: Sequence[str]
    """Names of the clips that `show_clip` takes."""
    screen_mask: NDArray[np.bool_]
    """(row, col) pixels that are scored."""
    seed: int
    clip_frames: Callable[[str], NDArray[np.uint8]]
    """(frame, row, col) grey levels of the clip of this name."""
    earlier_actions_s: Callable[[str], Sequence[tuple[float, Request]]]
    """Requests that another session carried out, by its folder, each with its time in s after its
    arming; for sham controls."""


class Policy(Protocol):
    """Decides what to do about each observation."""

    def decide(self, observation: Observation) -> list[Request]:
        """Requests that follow from `observation`; an empty list for nothing.

        It must return within `control.step_budget_ms`, and must not keep or change arrays of the
        observation in place. An exception, or another return value, disarms the controller.
        """
        ...
