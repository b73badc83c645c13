"""Settings of the closed loop: its policy, its arming, and the limits under which it acts."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import field_validator, model_validator

from rtdecode.schema.config.outputs import Outputs
from rtdecode.schema.config.section import Positive, Section


class Arm(StrEnum):
    """When the controller is armed; nothing acts before."""

    BY_HAND = "by_hand"
    """By the page, a key in the terminal, or `rtdecode arm SESSION`."""
    AT_START = "at_start"
    """At the start of the run, with a warning; not again after a restart of the controller."""


class PolicyConfig(Section):
    """The policy that decides: one of rtdecode by its name, or a class in a Python file.

    `policy: NAME` is short for `policy: {name: NAME}`. `class` is read as `class_name`.
    """

    earlier_names: ClassVar[Mapping[str, str]] = {"class": "class_name"}

    name: str = ""
    """Name of a policy of rtdecode; empty where `file` is given."""
    file: Path | None = None
    """Python file with the class of the policy. The session folder gets a copy of it."""
    class_name: str = ""
    """Class in `file`."""
    options: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it for each instance
    """Keyword arguments of the policy, by name."""

    @model_validator(mode="after")
    def _one_policy(self) -> Self:
        if bool(self.name) == (self.file is not None):
            raise ValueError(
                "give the name of a policy of rtdecode, or the Python file and the class of one of "
                "your own, and not both"
            )
        if (self.file is not None) != bool(self.class_name):
            raise ValueError(
                "file and class belong together: give the Python file and the name of the class in "
                "it, for example policy: {file: my_policy.py, class: MyPolicy}"
            )
        return self


class ControlConfig(Section):
    """The closed loop: a policy that observes the run and asks for actions.

    Without this section there is no controller. See docs/control.md.
    """

    policy: PolicyConfig
    arm: Arm = Arm.BY_HAND
    """by_hand: nothing acts until the controller is armed on the page, by a key in the terminal or
    by `rtdecode arm SESSION`. at_start: it is armed when the run starts, with a warning. A
    controller that was restarted is not armed in either case."""
    max_actions_per_s: Positive = 10.0
    """Rate limit in actions a second, averaged; as many may follow at once after a pause. Further
    ones are withheld (`rate_limited`)."""
    dead_man_s: Positive | None = None
    """Time in s after which the controller disarms itself unless it is armed again before; null
    for no limit."""
    silence_s: Positive = 2.0
    """Time in s without a heartbeat of the recorder, a reconstruction, or an answer of the
    supervisor, or in which the controller itself stood still, after which it disarms itself."""
    step_budget_ms: Positive = 50.0
    """Processor time in ms that the policy may take for one observation. More, or a step of more
    than 1 s in all, disarms the controller, and the policy is not called again."""
    outputs: Outputs = ()
    """Outputs that the policy can fire."""

    @field_validator("policy", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given
