"""A process on a joined host, as the supervisor uses it: a handle like that of a child.

What it does becomes the assignment of its host; what it states is what the host has reported.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from rtdecode.schema.hosts import Ending, HostProcesses
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
GIVEN_UP_S = 60.0
"""Time in s for which the end of a run waits for a silent host."""
_KILL_S = 5.0
_LOST = 1
"""Exit code of a process whose host was started again."""
UNSTATED = -255
"""Exit code of a process whose host never stated it; the log shows whether its END came."""


@dataclass(slots=True)
class JoinedHost:
    """One other host: its program, and what runs there."""

    name: str
    address: str
    roles: tuple[str, ...]
    identity: str = ""
    """Identity of its `rtdecode join` on the control channel; empty while there is none."""
    instance: str = ""
    reported: HostProcesses | None = None
    received_ns: int = 0
    back_ns: int = 0
    """When it came back after it was silent, or joined."""
    is_silent: bool = False
    is_given_up: bool = False
    """Whether it was silent for so long that its processes have ended by themselves."""
    refusal: str = ""
    starts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    """Processes that are to be started once the host has joined."""

    def sentence(self) -> str:
        """Why it has not joined, and what to do."""
        if self.refusal:
            return f"{self.name} ({self.address}) was refused: {self.refusal}"
        return f"{self.name} ({self.address}) has not joined: on it, run {self.command()}"

    def command(self) -> str:
        """What is typed on it."""
        roles = " ".join(f"--role {role}" for role in self.roles)
        return f"`rtdecode join CONFIG {roles}`"

    def state(self) -> str:
        """Its state in a word, for the table."""
        if not self.instance:
            return "refused" if self.refusal else "not joined"
        return "silent" if self.is_silent else "joined"


class RemoteProcess:
    """Handle of a process on a joined host.

    Parameters
    ----------
    number
        Number of its start, from 1.
    push
        Sends the assignment of the host now.
    turn
        Takes messages of all processes for a moment.
    """

    def __init__(
        self,
        host: JoinedHost,
        name: str,
        number: int,
        *,
        clock: Clock,
        push: Callable[[], None],
        turn: Callable[[], None],
    ) -> None:
        self._host, self._name, self._number = host, name, number
        self._clock, self._push, self._turn = clock, push, turn
        self._instance = host.instance
        self._code: int | None = None
        self._tail = ""

    @property
    def pid(self) -> int:
        """Process number on its host; 0 where it has not stated one."""
        reported = self._host.reported
        return 0 if reported is None else reported.pids.get(self._name, 0)

    @property
    def is_reachable(self) -> bool:
        """Whether its host sends messages."""
        return bool(self._host.instance) and not self._host.is_silent

    @property
    def reachable_since_ns(self) -> int:
        """When its host joined, or came back after it was silent."""
        return self._host.back_ns

    @property
    def is_awaited(self) -> bool:
        """Whether its end is waited for although its host is silent now."""
        silent_ns = self._clock.now_ns() - self._host.received_ns
        return self._host.is_silent and silent_ns < GIVEN_UP_S * 1e9

    def poll(self) -> int | None:
        """Its exit code; None while it runs, or while its host has not joined again."""
        if self._code is None:
            self._instance = self._instance or self._host.instance
            self._code = self._ended()
        return self._code

    def _ended(self) -> int | None:
        host, reported = self._host, self._host.reported
        if self._instance and host.instance not in ("", self._instance):
            self._tail = f"{host.name} ({host.address}) has joined again, and nothing of before"
            self._tail += " runs there"
            return _LOST
        if reported is None or reported.instance != self._instance:
            return None
        if reported.starts.get(self._name) != self._number or self._name not in reported.codes:
            return None
        self._tail = reported.tails.get(self._name, "")
        return reported.codes[self._name]

    def wait(self) -> int:
        """Its exit code, after a kill; `UNSTATED` where its host does not state one."""
        until_ns = self._clock.now_ns() + _KILL_S * 1e9
        while self.poll() is None and self._clock.now_ns() < until_ns:
            self._turn()
        if self._code is None:
            log.warning("%s on %s is given up: its host is silent", self._name, self._host.name)
            self._code = UNSTATED
        return self._code

    def terminate(self) -> None:
        """Let it end once the recorder has taken what it holds."""
        self._end(Ending.STOP)

    def release(self) -> None:
        """Let it wait for the recorder no longer."""
        self._end(Ending.RELEASE)

    def kill(self) -> None:
        """End it at once."""
        self._end(Ending.KILL)

    def end_of_log(self) -> str:
        """The last lines of its log, as its host stated them last."""
        return self._tail or f"(its log is on {self._host.name})"

    def _end(self, how: Ending) -> None:
        if not self._instance and not self._host.instance:
            # it was never started there
            self._host.pending.discard(self._name)
            self._code = 0
        if self._code is None and self._host.ends.get(self._name, 0) < how:
            self._host.ends[self._name] = how
            self._push()
