"""Processes of a run that cannot start, reach each other or go on."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class MessageError(RtdecodeError, ValueError):
    """Bytes that are not a message of this version; refused before an array is made."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"message refused: {reason}")


class RecorderAbsentError(RtdecodeError):
    """No recorder took the first message; without recording nothing starts."""

    def __init__(self, *, endpoint: str, waited_s: float) -> None:
        super().__init__(
            f"no recorder answered at {endpoint} within {waited_s:g} s, so nothing was started: "
            f"start `rtdecode run` first, or set network.recorder to where it listens"
        )


class RecorderFullError(RtdecodeError):
    """The recorder's queue is full; going on would lose data silently."""

    def __init__(self, *, endpoint: str, stream: str, queued: int) -> None:
        super().__init__(
            f"the recorder at {endpoint} has not kept up: {queued} messages wait and {stream} "
            f"cannot be handed over; everything up to here is recorded; "
            f"use a faster disk or raise record.queue_messages"
        )


class AddressInUseError(BadInputError):
    """Somebody else already listens there."""

    def __init__(self, *, address: str, option: str) -> None:
        super().__init__(
            f"{address} is already in use: end the other instance, or set {option} "
            f"(0 lets the system choose a free port)"
        )


class SecondInstanceError(BadInputError):
    """The session folder belongs to a run that is still going."""

    def __init__(self, *, folder: Path, pid: int) -> None:
        super().__init__(
            f"session folder {folder} is in use by process {pid}: "
            f"wait for it, stop it, or choose another --out"
        )


class UnknownCommandError(RtdecodeError, ValueError):
    """A command that its receiver does not know."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown command '{got:.40}': expected one of {', '.join(known)}")


class ProcessFailedError(RtdecodeError):
    """A process of the run ended with an error; the run ends with the same exit code."""

    def __init__(self, *, name: str, code: int, tail: str) -> None:
        self.exit_code = code if code > 0 else 1
        super().__init__(f"{name} ended with exit code {code}; its last words:\n{tail}")


class NotReadyError(RtdecodeError):
    """A process of the run did not become ready."""

    def __init__(self, *, name: str, waited_s: float, tail: str) -> None:
        super().__init__(
            f"{name} was not ready after {waited_s:g} s; its last words:\n{tail or '(none)'}"
        )
