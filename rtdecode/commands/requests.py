"""`rtdecode start` and `stop`: what another program asks of a run, in the terminal."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.runtime.run_requests import Verb, request_access, requested
from rtdecode.schema.errors import RequestRefusedError

app = typer.Typer()

Session = Annotated[Path, typer.Argument(metavar="SESSION", help="folder of a session that runs")]


@app.command(epilog="Example: rtdecode start sessions/2026-11-24_10-15-00")
def start(session: Session) -> None:
    """Start the session of a `rtdecode run --wait-for-start` in the folder SESSION."""
    _ask(session, Verb.START)


@app.command(epilog="Example: rtdecode stop sessions/2026-11-24_10-15-00")
def stop(session: Session) -> None:
    """End the run in the folder SESSION, as Ctrl-C in its terminal does."""
    _ask(session, Verb.STOP)


def _ask(session: Path, verb: Verb) -> None:
    with errors_reported():
        accepted, text = requested(request_access(session / "requests.json"), verb)
        if not accepted:
            raise RequestRefusedError(verb=verb, got=text)
        print_plain(Console(), text)
