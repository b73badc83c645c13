"""Errors of processes that cannot start, exchange messages or continue."""

import signal
from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class MessageError(RtdecodeError, ValueError):
    """Bytes that are not a valid message; refused before an array is made."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"message refused: {reason}")


class RecorderAbsentError(RtdecodeError):
    """No recorder accepted the first message; without a recorder nothing starts."""

    def __init__(self, *, endpoint: str, waited_s: float) -> None:
        super().__init__(
            f"no recorder accepted a message at {endpoint} within {waited_s:g} s, so nothing was started: "
            f"start `rtdecode run` first, or set network.recorder to the address of its recorder"
        )


class RecorderFullError(RtdecodeError):
    """The recorder queue is full; continuing would lose messages silently."""

    def __init__(self, *, endpoint: str, stream: str, queued: int) -> None:
        super().__init__(
            f"the recorder at {endpoint} is too slow: {queued} messages are queued and {stream} "
            f"cannot be handed over; all earlier messages are recorded; "
            f"use a faster disk or raise record.queue_messages"
        )


class AddressInUseError(BadInputError):
    """The address is in use by another process, or cannot be bound."""

    def __init__(self, *, address: str, option: str) -> None:
        super().__init__(
            f"{address} is already in use: end the other instance, or set {option} "
            f"(0 lets the system choose a free port)"
        )


class AddressUnusableError(BadInputError):
    """An address in the config at which no process can listen."""

    def __init__(self, *, address: str, option: str, got: str) -> None:
        super().__init__(
            f"{option} {address} cannot be used ({got}): give an address of this machine that no "
            f"other program uses, or leave {option} out"
        )


class SecondInstanceError(BadInputError):
    """The session folder is in use by a run."""

    def __init__(self, *, folder: Path, pid: int) -> None:
        super().__init__(
            f"session folder {folder} is in use by process {pid}: "
            f"wait for its end, stop it, or choose another --out"
        )


class UnknownCommandError(RtdecodeError, ValueError):
    """A command that the receiving process does not have."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown command '{got:.40}': expected one of {', '.join(known)}")


class ProcessFailedError(RtdecodeError):
    """A process of the run ended with an error; the run ends with the same exit code."""

    def __init__(self, *, name: str, code: int, tail: str) -> None:
        self.exit_code = code if code > 0 else 1
        by = f" ({_signal(-code)})" if code < 0 else ""
        super().__init__(f"{name} ended with exit code {code}{by}; the end of its log:\n{tail}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class NotReadyError(RtdecodeError):
    """A process of the run did not become ready."""

    def __init__(self, *, name: str, waited_s: float, tail: str) -> None:
        super().__init__(
            f"{name} was not ready after {waited_s:g} s; the end of its log:\n{tail or '(empty)'}"
        )
