"""`rtdecode score`, `replay` and `recover`: what one does with a recorded session."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_told, tell
from rtdecode.report.build import report_session
from rtdecode.report.summary import SessionSummary, summarise, write_summary
from rtdecode.session.layout import SessionLayout, named_session, new_session, session_at
from rtdecode.session.recover import recover as recovered

app = typer.Typer()

Session = Annotated[Path, typer.Argument(help="session folder")]
Json = Annotated[
    Path | None, typer.Option("--json", help="write the summary to this file", dir_okay=False)
]


@app.command()
def score(session: Session, json_file: Json = None) -> None:
    """Sum SESSION up again from its log, and write its report."""
    console = Console()
    with errors_told():
        summary = reported(session_at(session), console)
        if json_file is not None:
            write_summary(summary, json_file)


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
        tell(console, f"replaying into {into.folder}")
        replay_session(recorded, into, speed=speed)
        reported(into, console)


@app.command()
def recover(session: Session) -> None:
    """Make the log of a session whole again whose recorder was killed."""
    console = Console()
    with errors_told():
        report = recovered(session)
        if report.was_complete:
            tell(console, f"{report.log} is complete; nothing was changed")
            return
        total = sum(report.counts.values())
        tell(console, f"{total} messages recovered; as found: {report.damaged}")


def reported(session: SessionLayout, console: Console) -> SessionSummary:
    """Sum `session` up and write its report; the summary, told in words."""
    session.report.mkdir(exist_ok=True)
    try:
        tell(console, "reading the log …")
        summary = summarise(session)
        report_session(session, summary)
    except KeyboardInterrupt:
        tell(console, f"the recording is whole; `rtdecode score {session.folder}` sums it up")
        raise
    tell(console, summary.text())
    tell(console, f"report: {session.report / 'index.html'}")
    return summary
