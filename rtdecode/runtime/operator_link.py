"""How a person's command reaches the controller of a run: by a file in the session folder.

Duties: write and read `control.json`, which has the endpoint of the supervisor and the token of the
run and is readable for its user alone, and pass a command and its answer. A command goes to the
supervisor, which forwards it to the controller, and its answer comes back the same way.
"""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rtdecode.runtime.control import ControlClient
from rtdecode.runtime.owner_file import Access
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.errors import ControllerSilentError, NoControllerError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Command

CONTROLLER = "controller"
"""Name of the process of the controller."""
ANSWER_S = 5.0


class OperatorCommand(StrEnum):
    """Commands of a person to the controller."""

    ARM = "arm"
    RENEW = "renew"
    """Renew the dead-man time where it is armed, and nothing where it is not any more."""
    DISARM = "disarm"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the controller did."""

    accepted: bool
    text: str


def connectable(endpoint: str) -> str:
    """Where a program of this machine reaches what is bound to `endpoint`.

    >>> connectable("tcp://*:5701"), connectable("ipc:///tmp/control")
    ('tcp://127.0.0.1:5701', 'ipc:///tmp/control')
    """
    return re.sub(r"^tcp://(\*|0\.0\.0\.0):", "tcp://127.0.0.1:", endpoint)


def control_access(path: Path) -> Access:
    """What `path`, the `control.json` of a session, gives access to.

    Raises
    ------
    NoControllerError
        If there is none, or it cannot be read.
    """
    try:
        return Access.read(path)
    except FileNotFoundError as error:
        got = f"it has no {path.name}, which is there while all processes of a run go on"
        raise NoControllerError(folder=path.parent, got=got) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = f"its {path.name} cannot be read: {error}"
        raise NoControllerError(folder=path.parent, got=got) from error


def command_to_controller(
    command: OperatorCommand, *, by: str, t_ns: int, reply_to: str = ""
) -> Command:
    """A command that `by` gives to the controller at `t_ns` (HostNs).

    The process `reply_to` gets the answer where it is given.

    >>> command_to_controller(OperatorCommand.ARM, by="the page", t_ns=7).value
    '|7|the page'
    """
    return Command(target=CONTROLLER, name=command.value, value=f"{reply_to}|{t_ns}|{by}")


def answer_to(command: Command, answer: Answer) -> Command | None:
    """The message that carries `answer` to the sender of `command`; None where it wants none."""
    reply_to, _, _rest = command.value.partition("|")
    name = "accepted" if answer.accepted else "refused"
    return Command(target=reply_to, name=name, value=answer.text) if reply_to else None


def sender_of(command: Command) -> str:
    """Who or what sent `command`, in words."""
    return command.value.partition("|")[2].partition("|")[2] or "an unnamed program"


def too_old(command: Command, *, t_ns: int) -> str:
    """Why a command to arm is not obeyed at `t_ns`; empty where it is not too old.

    A process that was stopped receives later what was sent to it meanwhile, when its sender has
    already reported that there was no answer.

    >>> arm = command_to_controller(OperatorCommand.ARM, by="the page", t_ns=0)
    >>> too_old(arm, t_ns=4_000_000_000), too_old(arm, t_ns=6_000_000_000)
    ('', 'the command came 6.0 s after it was given: give it again')
    """
    given = command.value.partition("|")[2].partition("|")[0]
    if not (given.isascii() and given.removeprefix("-").isdecimal()):
        return "the command has no time"
    age_s = (t_ns - int(given)) / 1e9
    return f"the command came {age_s:.1f} s after it was given: give it again" * (age_s > ANSWER_S)


def send_to_controller(
    access: Access,
    command: OperatorCommand,
    *,
    by: str,
    clock: Clock,
    wait_s: float = ANSWER_S,
) -> Answer:
    """Send `command` and wait for its answer.

    Raises
    ------
    ControllerSilentError
        If none comes within `wait_s`.
    """
    name = f"operator-{secrets.token_hex(4)}"
    with Messaging() as messaging:
        client = ControlClient(
            messaging, name, clock=clock, endpoint=access.endpoint, token=access.token
        )
        now_ns = clock.now_ns()
        client.push(command_to_controller(command, by=by, t_ns=now_ns, reply_to=name))
        deadline_ns = now_ns + round(wait_s * 1e9)
        while (left_s := (deadline_ns - clock.now_ns()) / 1e9) > 0:
            for received in client.take(left_s):
                body = received.message.body
                if isinstance(body, Command):
                    return Answer(body.name == "accepted", body.value)
    raise ControllerSilentError(command=command.value, waited_s=wait_s)
