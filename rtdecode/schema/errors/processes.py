"""Errors of processes that cannot start, exchange messages or continue."""

import signal
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class Refusal(StrEnum):
    """Why a message was refused, as events count it."""

    UNREADABLE = "unreadable"
    """Not a valid message of docs/wire.md."""
    PARTS = "wrong parts"
    """Empty, or of another number of ZeroMQ parts than the socket receives."""
    TOO_LARGE = "too large"
    """More bytes, values, entries or characters than are permitted."""
    TOO_MANY = "too many"
    """More messages a second than one sender may send."""
    STREAMS = "too many streams"
    IMPLAUSIBLE = "implausible"
    """A time, a number or a size that cannot be genuine."""
    SENDER = "unknown sender"
    """Not a process of the run."""


class MessageError(RtdecodeError, ValueError):
    """Bytes that are not a valid message; refused before an array is made."""

    def __init__(self, *, reason: str, refusal: Refusal = Refusal.UNREADABLE) -> None:
        self.refusal = refusal
        super().__init__(f"message refused: {reason}")


class ClockUnknownError(RtdecodeError):
    """A time was asked for on a host whose clock has not been compared with the decoder host's."""

    def __init__(self) -> None:
        super().__init__(
            "the clock of this host has not been compared with that of `rtdecode run` yet: wait until "
            "the process is ready, and see to it that network.control is the address of that command"
        )


class RecorderAbsentError(RtdecodeError):
    """No recorder accepted the first message; without a recorder nothing starts."""

    def __init__(self, *, endpoint: str, waited_s: float) -> None:
        super().__init__(
            f"no recorder accepted a message at {endpoint} within {waited_s:g} s, so nothing was started: "
            f"start `rtdecode run` first, or set network.recorder to the address of its recorder"
        )


class RecordingUnconfirmedError(RtdecodeError):
    """The recorder did not confirm that it records this run; nothing was started."""

    def __init__(self, *, session: str, log: Path | str, waited_s: float, got: str) -> None:
        super().__init__(
            f"the recorder did not confirm within {waited_s:g} s that it records session {session} into "
            f"{log} ({got}), so nothing was started: leave network.control and network.recorder empty, "
            f"or see to it that no other program uses them, and read logs/recorder.log of the session"
        )


class AddressInUseError(BadInputError):
    """The address is in use by another process, or cannot be bound."""

    def __init__(self, *, address: str, option: str) -> None:
        super().__init__(
            f"{address} is already in use: end the other instance, or set {option} "
            f"(0 lets the system choose a free port), or network.first_port with network.hosts"
        )


class AddressUnusableError(BadInputError):
    """An address in the config at which no process can listen."""

    def __init__(self, *, address: str, option: str, got: str) -> None:
        super().__init__(
            f"{option} {address} cannot be used ({got}): give an address of this machine that no "
            f"other program uses, or leave {option} out; where network.hosts has the address, "
            f"correct it there"
        )


class SecondInstanceError(BadInputError):
    """The session folder is in use by a run."""

    def __init__(self, *, folder: Path, pid: int) -> None:
        super().__init__(
            f"session folder {folder} is in use by process {pid}: "
            f"wait for its end, stop it, or choose another --out"
        )


class NotRecordedError(RtdecodeError):
    """Messages at the end of a run are not in its log."""

    exit_code = 3

    def __init__(self, *, names: Sequence[str], folder: Path) -> None:
        super().__init__(
            f"the last messages of {', '.join(names)} are not recorded: the recorder did not take them "
            f"before the run ended, or was killed; read the logs in {folder / 'logs'}, use a faster "
            f"disk, and run `rtdecode recover {folder}` where the log is incomplete"
        )


class UnknownCommandError(RtdecodeError, ValueError):
    """A command that the receiving process does not have."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown command '{got:.40}': expected one of {', '.join(known)}")


class NotNowError(RtdecodeError, ValueError):
    """A command that cannot be carried out in the present state of the stimulus."""

    def __init__(self, *, name: str, got: str) -> None:
        super().__init__(f"{name} cannot be carried out now: {got}")


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
