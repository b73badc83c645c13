"""Messages of the closed loop, which `rtdecode.schema.messages` counts among its kinds.

Duties: what a controller decided and why (`Action`), what its policy was given (`Observed`), what
the stimulus did and at which flip (`Acknowledgement`), when an output left (`Delivery`), and which
trial of a protocol was displayed (`Trial`). Cause and effect of an action have its number.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

import numpy as np

from rtdecode.schema.arrays import FramesU8


class ActionName(StrEnum):
    """What a policy can ask for."""

    SHOW_CLIP = "show_clip"
    """Display the clip `target` next."""
    SHOW_FRAMES = "show_frames"
    """Display the given frames next, under the name `target`."""
    SET_PARAMETER = "set_parameter"
    """Set the protocol parameter `target` to `value`, from the next trial on."""
    PAUSE = "pause"
    """Display uniform grey frames."""
    RESUME = "resume"
    """Continue after a pause."""
    START_BLOCK = "start_block"
    """Start the block that waits for a trigger."""
    TRIGGER = "trigger"
    """Fire the output `target`."""

    @property
    def is_for_stimulus(self) -> bool:
        """Whether the stimulus carries it out, and not an output of the controller."""
        return self is not ActionName.TRIGGER


class Outcome(StrEnum):
    """What became of an action before it left the controller."""

    SENT = "sent"
    NOT_ARMED = "not_armed"
    RATE_LIMITED = "rate_limited"
    """More actions than `control.max_actions_per_s` permits."""
    WITHDRAWN = "withdrawn"
    """Sent before, and sent again only for its result: it must not be carried out any more."""


class Result(StrEnum):
    """What the stimulus did with a command; each command has one result."""

    APPLIED = "applied"
    LATE = "late"
    """Applied, at a later flip than the one it was meant for."""
    REFUSED = "refused"
    REPLACED = "replaced"
    """Never displayed: a later command took its place before its flip."""
    WITHDRAWN = "withdrawn"
    """Never applied: its controller withdrew it, as after a restart, before it took effect."""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """One decision of the controller, with its cause; also the command that the stimulus gets."""

    kind: ClassVar[str] = "action"
    number: int
    """Consecutive number in the session, from 0; it continues after a restart."""
    name: str
    """show_clip | show_frames | set_parameter | pause | resume | start_block | trigger."""
    policy: str
    outcome: str
    """sent | not_armed | rate_limited | withdrawn."""
    cause: str
    """Stream of the observation that led to it, for example `emit/reconstruction`."""
    cause_frame: int
    """Frame of the grid of that observation; -1 where it has none."""
    t_cause_ns: int
    """Time of what was observed: middle of the reconstructed frame, else time of sending."""
    t_scan_ns: int
    """Middle of the newest scan that contributed to the observation; 0 where unknown."""
    t_observed_ns: int
    t_decided_ns: int
    target: str = ""
    """Clip, parameter or output."""
    value: float = 0.0
    reason: str = ""
    """Why, in words and numbers, as the policy states it."""
    t_due_ns: int = 0
    """Flip for which it is meant; 0 for the next one."""
    frames: FramesU8 = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))
    """(frame, row, col) grey levels of show_frames; empty otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One observation that the policy was given, so that its decisions can be repeated."""

    kind: ClassVar[str] = "observed"
    stream: str
    """Stream of the message, for example `evaluate/score`; `time` for session time."""
    number: int
    """Frame of the grid of a reconstruction, number of the message otherwise."""
    t_observed_ns: int
    """Session time that the policy was given."""
    armed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Acknowledgement:
    """What the stimulus did with one command, and the flip at which it took effect."""

    kind: ClassVar[str] = "acknowledgement"
    number: int
    """Number of the action."""
    result: str
    """applied | late | refused | replaced | withdrawn."""
    name: str
    target: str
    t_received_ns: int
    t_flip_ns: int
    """Flip of the first frame that shows the effect, as in `displayed_frame`; 0 if refused."""
    frame_number: int
    """Number of that frame since the start of the session; -1 if refused."""
    text: str = ""
    """Why it was refused, or how late it was."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One trigger that left the controller through an output."""

    kind: ClassVar[str] = "delivery"
    number: int
    """Number of the action."""
    output: str
    """Name of the output in the config."""
    t_sent_ns: int
    """When the output had taken it."""
    delay_ms: float
    """From the decision to `t_sent_ns`, plus the measured delay of the device where it has one."""
    error: str = ""
    """Why it could not be sent; empty where it was."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One displayed trial of a protocol, sent at its end."""

    kind: ClassVar[str] = "trial"
    number: int
    """In the order of the protocol, from 0; -1 for a clip or frames that an action displayed."""
    block: str
    stimulus: str
    """Name of the stimulus in the protocol, or of the clip."""
    parameters: dict[str, float]
    """Parameters of the stimulus, by name with unit, as they were displayed."""
    t_start_ns: int
    """Flip of its first frame."""
    t_end_ns: int
    """Flip of the first frame after it."""
    n_frames: int
    cause: int = -1
    """Number of the action that asked for it; -1 for the order of the protocol."""


class ClipRole(StrEnum):
    """What a presentation of a clip is for where its reconstruction is shown back."""

    ORIGINAL = "original"
    SOURCE = "source"
    """The presentation whose reconstruction is shown back."""
    SHOWN_BACK = "shown_back"

    def name_of(self, clip: str) -> str:
        """Name under which `clip` is displayed and logged; that of the clip for an original."""
        return clip if self is ClipRole.ORIGINAL else f"{self}/{clip}"


def role_of(name: str) -> tuple[ClipRole, str]:
    """Role and clip of a presentation that is logged under `name`."""
    for role in (ClipRole.SOURCE, ClipRole.SHOWN_BACK):
        if name.startswith(f"{role}/"):
            return role, name.removeprefix(f"{role}/")
    return ClipRole.ORIGINAL, name


Loop = Action | Observed | Acknowledgement | Delivery | Trial
