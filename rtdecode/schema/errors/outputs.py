"""Errors of the outputs through which triggers leave the controller."""

from collections.abc import Sequence

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class SerialPortAbsentError(BadInputError):
    """The serial port of an output does not exist."""

    def __init__(self, *, output: str, port: str, present: Sequence[str]) -> None:
        found = f"the ports present are {', '.join(present)}" if present else "no port is present"
        super().__init__(
            f"the serial port {port} of output '{output}' does not exist, {found}: "
            f"connect the device, or change control.outputs"
        )


class SerialPortUnusableError(BadInputError):
    """The serial port of an output exists and cannot be opened."""

    def __init__(self, *, output: str, port: str, got: str) -> None:
        super().__init__(
            f"the serial port {port} of output '{output}' cannot be opened ({got}): close the "
            f"program that uses it, give this user access to it (on Linux the group dialout), or "
            f"change control.outputs"
        )


class UnknownOutputError(BadInputError):
    """A policy fires an output that the config does not have."""

    def __init__(self, *, policy: str, option: str, output: str, known: Sequence[str]) -> None:
        found = f"which has {', '.join(known)}" if known else "which has no output"
        super().__init__(
            f"control.policy.options: {option} of the policy {policy} is '{output:.40}', but there "
            f"is no such output in control.outputs, {found}: give the name of one, or add it there"
        )


class OutputFailedError(RtdecodeError):
    """An output did not take a trigger; the controller is disarmed, and the recording goes on."""

    def __init__(self, *, output: str, got: str) -> None:
        super().__init__(
            f"output '{output}' did not take a trigger ({got}): check its device, then arm again"
        )
