"""`rtdecode arm` and `disarm`, and the keys that do the same in the terminal of a run."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.operator_link import OperatorCommand, control_access, send_to_controller
from rtdecode.runtime.terminal import ReadKey, single_keys
from rtdecode.schema.errors import ArmingRefusedError, RtdecodeError
from rtdecode.session.layout import SessionLayout

app = typer.Typer()

Session = Annotated[Path, typer.Argument(metavar="SESSION", help="folder of a running session")]
KEYS: Mapping[bytes, OperatorCommand] = MappingProxyType(
    {
        b"a": OperatorCommand.ARM,
        b"d": OperatorCommand.DISARM,
        b" ": OperatorCommand.DISARM,
    }
)
KEYS_HELP = "keys: a arms the controller, and again renews the dead-man time; d or space disarms"
_WAKE_S = 0.2


@app.command(epilog="Example: rtdecode arm sessions/2026-11-24_10-15-00")
def arm(session: Session) -> None:
    """Arm the controller of the running SESSION, or renew its dead-man time."""
    _command(session, OperatorCommand.ARM)


@app.command(epilog="Example: rtdecode disarm sessions/2026-11-24_10-15-00")
def disarm(session: Session) -> None:
    """Disarm the controller of the running SESSION: no further action is carried out."""
    _command(session, OperatorCommand.DISARM)


def _command(folder: Path, command: OperatorCommand) -> None:
    with errors_reported():
        print_plain(Console(), sent(SessionLayout(folder), command, by=f"rtdecode {command.value}"))


def sent(session: SessionLayout, command: OperatorCommand, *, by: str) -> str:
    """The answer of the controller of `session`.

    Raises
    ------
    NoControllerError, ControllerSilentError, ArmingRefusedError
        If no controller runs there, or it does not answer, or refuses.
    """
    access = control_access(session.control)
    answer = send_to_controller(access, command, by=by, clock=HostClock())
    if not answer.accepted:
        raise ArmingRefusedError(command=command.value, got=answer.text)
    return answer.text


@contextmanager
def arming_keys(session: SessionLayout, console: Console) -> Iterator[None]:
    """While the block runs, keys in the terminal arm and disarm the controller of `session`.

    Only where the process is in the foreground of a terminal. Ctrl-C stops the run as before, and
    the terminal has its earlier mode afterwards, however the block or the process ends.
    """
    with single_keys() if console.is_terminal else nullcontext() as read_key:
        if read_key is None:
            yield
            return
        print_plain(console, KEYS_HELP)
        stop = threading.Event()
        keys = threading.Thread(
            target=_read_keys, args=(read_key, session, console, stop.is_set), name="keys"
        )
        keys.start()
        try:
            yield
        finally:
            stop.set()
            keys.join()


def _read_keys(
    read_key: ReadKey, session: SessionLayout, console: Console, is_stopped: Callable[[], bool]
) -> None:
    while not is_stopped():
        key = read_key(_WAKE_S)
        if key is None:
            continue
        if not key:
            return
        if (command := KEYS.get(key.lower())) is not None:
            try:
                print_plain(console, sent(session, command, by="a key in the terminal"))
            except RtdecodeError as error:
                print_plain(console, str(error))
