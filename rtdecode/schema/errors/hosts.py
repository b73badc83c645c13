"""Errors of a run over several hosts."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class HostUnknownError(BadInputError):
    """The config does not state which of its hosts this computer is."""

    def __init__(self, *, got: str, hosts: Sequence[str]) -> None:
        known = ", ".join(hosts) if hosts else "none"
        super().__init__(
            f"{got}; hosts that can join in this config: {known}: give --host NAME, make a key "
            f"with `rtdecode keys new NAME`, or give this computer processes in network.hosts "
            f"(docs/hosts.md)"
        )


class HostRolesError(BadInputError):
    """One `rtdecode join` must run all processes of its host."""

    def __init__(self, *, host: str, given: Sequence[str], expected: Sequence[str]) -> None:
        all_roles = " ".join(f"--role {role}" for role in expected)
        super().__init__(
            f"network.hosts.{host} runs {' and '.join(expected)}, and --role names "
            f"{' and '.join(given)}: give {all_roles}, or leave --role out"
        )


class JoinRefusedError(BadInputError):
    """`rtdecode run` has refused this host."""

    def __init__(self, *, host: str, reason: str) -> None:
        super().__init__(f"`rtdecode run` refuses {host}: {reason}")


class HostMissingError(RtdecodeError):
    """Hosts did not join within the time for which a run waits."""

    def __init__(self, *, sentences: Sequence[str], waited_s: float) -> None:
        super().__init__(f"nothing was started within {waited_s:g} s: {'; '.join(sentences)}")


class MainHostSilentError(RtdecodeError):
    """The host of `rtdecode run` sent nothing for so long that the processes here were ended."""

    def __init__(self, *, address: str, waited_s: float) -> None:
        super().__init__(
            f"`rtdecode run` at {address} sent nothing for {waited_s:g} s, and the processes of this "
            f"host have ended: start `rtdecode join` again, or let --wait wait for the next run"
        )


class SessionNameError(RtdecodeError, ValueError):
    """The name of a session that is no name of a folder."""

    def __init__(self, *, got: str) -> None:
        super().__init__(
            f"session '{got:.100}' is no name of a folder: letters, digits, '_', '.', '+' and '-' "
            f"are expected"
        )


class NoRunError(BadInputError):
    """No run goes on in the session folder that was named."""

    def __init__(self, *, folder: Path, got: str) -> None:
        super().__init__(
            f"no run goes on in {folder} ({got}): give the folder that `rtdecode run` has printed"
        )


class RunSilentError(RtdecodeError):
    """A run did not answer a request to start or to stop."""

    def __init__(self, *, verb: str, waited_s: float) -> None:
        super().__init__(
            f"the run did not answer '{verb}' within {waited_s:g} s: see whether `rtdecode run` stands "
            f"still in its terminal, or has been killed"
        )


class RequestRefusedError(RtdecodeError):
    """A run has refused a request to start or to stop."""

    def __init__(self, *, verb: str, got: str) -> None:
        super().__init__(f"'{verb}' was refused: {got}")
