"""`rtdecode score`, `replay` and `recover`: what one does with a recorded session."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_told
from rtdecode.pipeline.session_report import report_session
from rtdecode.pipeline.summary import summarise
from rtdecode.session.layout import named_session, new_session, session_at
from rtdecode.session.recover import recover as recovered

app = typer.Typer()

Session = Annotated[Path, typer.Argument(help="session folder")]
Json = Annotated[Path | None, typer.Option("--json", help="write the summary to this file")]


@app.command()
def score(session: Session, json_file: Json = None) -> None:
    """Sum SESSION up again from its log, and write its report."""
    console = Console()
    with errors_told():
        layout = session_at(session)
        summary = summarise(layout)
        report_session(layout, summary)
        console.print(summary.in_words(), highlight=False)
        if json_file is not None:
            json_file.write_text(json.dumps(summary.as_json(), indent=2) + "\n", encoding="utf-8")


@app.command()
def replay(
    session: Session,
    speed: Annotated[
        float | None, typer.Option(help="1 is as recorded; left out: as fast as it goes", min=0.01)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the new session")] = None,
) -> None:
    """Decode SESSION again from its recorded scans, into a new session."""
    console = Console()
    with errors_told():
        # torch takes seconds to import, and no other verb of this file needs it
        from rtdecode.pipeline.replay import replay_session

        recorded = session_at(session)
        started = datetime.now().astimezone()
        parent = recorded.folder.resolve().parent
        into = new_session(parent, started=started) if out is None else named_session(out)
        replay_session(recorded, into, speed=speed)
        summary = summarise(into)
        report_session(into, summary)
        console.print(f"replayed into {into.folder}", highlight=False)
        console.print(summary.in_words(), highlight=False)


@app.command()
def recover(session: Session) -> None:
    """Make the log of a session whole again whose recorder was killed."""
    console = Console()
    with errors_told():
        report = recovered(session)
        if report.was_complete:
            console.print(f"{report.log} is complete; nothing was changed", highlight=False)
            return
        total = sum(report.counts.values())
        console.print(f"{total} messages recovered; as found: {report.damaged}", highlight=False)
