"""`rtdecode note`: a person's note about a session, while it runs or afterwards."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.runtime.run_requests import Verb, request_access, requested
from rtdecode.schema.errors import (
    MissingFileError,
    NoteRefusedError,
    SecondInstanceError,
)
from rtdecode.schema.notes import clean_note
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.notes import append_note

app = typer.Typer()

Session = Annotated[Path, typer.Argument(metavar="SESSION", help="session folder")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="the note, in quotes")]


@app.command(epilog='Example: rtdecode note sessions/2026-11-24_10-15-00 "animal is drowsy"')
def note(session: Session, text: Text) -> None:
    """Add a note with its time to SESSION, which may be running or have ended."""
    with errors_reported():
        print_plain(Console(), added(_noted(session), clean_note(text)))


def _noted(folder: Path) -> SessionLayout:
    """The session in `folder`. Raises MissingFileError where none was begun there."""
    is_log = folder.is_file() and folder.suffix == ".mcap"
    layout = SessionLayout(folder.parent if is_log else folder)
    if not (layout.has_log or layout.config.is_file()):
        raise MissingFileError(
            what="session",
            path=folder,
            remedy="give a folder that `rtdecode run` or `rtdecode demo` has written or writes",
        )
    return layout


def added(layout: SessionLayout, text: str) -> str:
    """Put `text` into the log of `layout` while it runs, else into its `notes.jsonl`.

    Returns
    -------
    Where it is.

    Raises
    ------
    NoteRefusedError, RunSilentError
        If its run is about to begin or to end, or does not answer.
    FileWriteError
        If the file cannot be written.
    """
    if _is_running(layout):
        accepted, answer = requested(request_access(layout.requests), Verb.NOTE, text=text)
        if not accepted:
            raise NoteRefusedError(got=answer)
        return answer
    append_note(layout, text, utc=datetime.now(UTC))
    return f"the session has ended; the note is in {layout.notes}"


def _is_running(layout: SessionLayout) -> bool:
    """Whether a run holds the session; the file of a run that was killed stays behind."""
    if not layout.requests.is_file():
        return False
    try:
        SessionLock(layout).release()
    except SecondInstanceError:
        return True
    return False
