"""Messages between `rtdecode run` and its other hosts, over the control channel.

A host asks with `join` until it gets an `admission`. It then sends `host_processes` four times a
second, each of which is answered by an `assignment`. Both state the whole of what is and of what
shall be, so that a lost one, or a link that was cut, needs no repair.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import ClassVar


class Admitted(StrEnum):
    """Values of `Admission.state`."""

    YES = "admitted"
    LATER = "wait"
    """Not now: another `rtdecode join` runs on this host."""
    REFUSED = "refused"


class Ending(IntEnum):
    """Values of `Assignment.ends`; each one includes those before it."""

    NO = 0
    STOP = 1
    """As by SIGTERM: it ends once the recorder has taken what it holds."""
    RELEASE = 2
    """It no longer waits for the recorder."""
    KILL = 3


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """A host asks to take part in a run, and states what must be equal on all hosts."""

    kind: ClassVar[str] = "join"
    host: str
    """Its name in `network.hosts`."""
    instance: str
    """Random name of this start of `rtdecode join`."""
    versions: dict[str, str]
    """Version of `rtdecode`, and of the `wire` format."""
    settings: dict[str, str]
    """Value of each setting of its config, as JSON, by dotted name; of a path the last component.
    `NAME#content` has the SHA-256 of a file that a process of this host reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Answer to a `join`; only an admitted host gets session and token."""

    kind: ClassVar[str] = "admission"
    instance: str
    state: str
    """admitted | wait | refused."""
    text: str
    """Why it is not admitted, in sentences."""
    session: str = ""
    token: str = ""
    """Proves that a process is one of this run."""
    page_secret: str = ""
    """From which the tokens of the page follow; only for the host that runs it."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What a joined host shall run from now on."""

    kind: ClassVar[str] = "assignment"
    instance: str
    starts: dict[str, int] = field(default_factory=dict)
    """Number of the current start of each process, from 1; it is started when this rises."""
    ends: dict[str, int] = field(default_factory=dict)
    """How the current start of a process ends: 0 not, 1 stop, 2 without waiting for the recorder,
    3 kill."""
    details: dict[str, str] = field(default_factory=dict)
    """Detail of the last heartbeat before a restart, for example the address of the page."""
    over: str = ""
    """Why the run is over for this host; empty while it goes on."""
    code: int = 0
    """Exit code of the run, once it is over."""


@dataclass(frozen=True, slots=True, eq=False)
class HostProcesses:
    """What a joined host runs."""

    kind: ClassVar[str] = "host_processes"
    host: str
    instance: str
    starts: dict[str, int] = field(default_factory=dict)
    """Number of the newest start of each process, from 1."""
    pids: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    """Exit code of each newest start that has ended."""
    tails: dict[str, str] = field(default_factory=dict)
    """Last lines of the log of each, which may state why it does not begin."""
    leaves: bool = False
    """Whether the host leaves the run, as after Ctrl-C there."""


@dataclass(frozen=True, slots=True, eq=False)
class ClockProbe:
    """The four times of one clock exchange, from which `ClockMap` computes the clock offset."""

    kind: ClassVar[str] = "clock_probe"
    t_request_ns: int
    """Request sent, on the clock of the asking host."""
    t_request_received_ns: int
    """Request received, on the decoder host's clock."""
    t_reply_ns: int
    """Reply sent, on the decoder host's clock."""
    t_reply_received_ns: int
    """Reply received, on the clock of the asking host."""


HostMessage = Join | Admission | Assignment | HostProcesses | ClockProbe
