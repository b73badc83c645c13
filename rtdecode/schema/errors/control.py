"""Errors of the closed loop: policies that cannot be used, and those that fail while they run."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class UnknownPolicyError(BadInputError):
    """The config names a policy that rtdecode does not have."""

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"control.policy: there is no policy '{name:.40}': give one of {', '.join(known)}, or a class "
            f"of your own as policy: {{file: my_policy.py, class: MyPolicy}}"
        )


class PolicyFileError(BadInputError):
    """The Python file of a policy is missing, fails while it is read, or lacks the class."""

    def __init__(self, *, path: Path, got: str, remedy: str) -> None:
        super().__init__(f"control.policy.file {path}: {got}: {remedy}")


class PolicyOptionsError(BadInputError):
    """A policy cannot be made with the options of the config."""

    def __init__(self, *, policy: str, got: str, taken: str) -> None:
        super().__init__(
            f"control.policy: {policy} cannot be made with the given options ({got}): it takes "
            f"{taken or 'no options'}; change control.policy.options, or its __init__(self, setting, ...)"
        )


class PolicyOptionValueError(BadInputError):
    """An option of a policy of rtdecode has a value that it cannot use."""

    def __init__(self, *, policy: str, option: str, got: object, expected: str) -> None:
        super().__init__(
            f"control.policy.options: {option} of the policy {policy} is {got!r:.80}, but {expected} "
            f"is expected; see docs/control.md"
        )


class OptionWithPolicyError(BadInputError):
    """An option of a replay that decodes, given with --policy, which decodes nothing."""

    def __init__(self, *, option: str) -> None:
        super().__init__(
            f"{option} does not apply to a replay with --policy, which decodes nothing and writes no "
            f"session: leave out {option}"
        )


class PolicyInterfaceError(BadInputError):
    """A class that has no method `decide`."""

    def __init__(self, *, policy: str, got: str) -> None:
        super().__init__(
            f"control.policy: {policy} {got}: a policy needs `def decide(self, observation)`, which "
            f"returns a list of requests; see docs/control.md"
        )


class PolicyError(RtdecodeError):
    """A policy that failed while it ran; it is not called again in this run."""


class PolicyFailedError(PolicyError):
    """A policy raised an exception."""

    def __init__(self, *, policy: str, error: str, where: str) -> None:
        super().__init__(
            f"the policy {policy} raised {error} ({where}); it is not called again: correct it, and start "
            f"a new run"
        )


class PolicyReturnError(PolicyError):
    """A policy returned something else than a list of requests."""

    def __init__(self, *, policy: str, got: str) -> None:
        super().__init__(
            f"the policy {policy} returned {got}: decide must return a list of requests, such as "
            f"[Request.show_clip(clip)], and an empty one for nothing; it is not called again"
        )


class PolicyTooSlowError(PolicyError):
    """A policy took longer for one observation than its time budget."""

    def __init__(self, *, policy: str, took: str) -> None:
        super().__init__(
            f"the policy {policy} took {took} for one observation; it is not called again: make its step "
            f"shorter, without files and network, or raise control.step_budget_ms"
        )


class NoControllerError(BadInputError):
    """A session that is not running, or has no controller, cannot be armed."""

    def __init__(self, *, folder: Path, got: str) -> None:
        super().__init__(
            f"{folder} cannot be armed or disarmed ({got}): give the folder of a session that "
            f"`rtdecode run` records now, with a section control in its config"
        )


class ControllerSilentError(RtdecodeError):
    """A controller did not answer the command of a person."""

    def __init__(self, *, command: str, waited_s: float) -> None:
        super().__init__(
            f"the controller did not answer '{command}' within {waited_s:g} s, so it is not known whether "
            f"it is armed: look at the page, or end the run with Ctrl-C, which disarms"
        )


class ArmingRefusedError(RtdecodeError):
    """A controller refused a command of a person."""

    def __init__(self, *, command: str, got: str) -> None:
        super().__init__(f"the controller refused '{command}': {got}")
