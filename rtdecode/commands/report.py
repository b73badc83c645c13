"""`rtdecode report`: build the report of a recorded session again, and compare with offline."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import WorkLine, errors_reported, print_plain, progress_bar
from rtdecode.commands.sessions import summarise_and_report
from rtdecode.report import html
from rtdecode.report.twin_check import computed_twin_check
from rtdecode.schema.errors import BadInputError
from rtdecode.session.layout import SessionLayout, session_with_config

app = typer.Typer()

Session = Annotated[Path, typer.Argument(metavar="SESSION", help="session folder")]


@app.command(epilog="Example: rtdecode report sessions/2026-11-24_10-15-00 --offline")
def report(
    session: Session,
    *,
    out: Annotated[
        Path | None, typer.Option(help="folder to write into; SESSION/report by default")
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="compare with the offline estimate of some clips: minutes"),
    ] = False,
) -> None:
    """Write the report of SESSION: one page that opens anywhere, and its figures beside it."""
    console = Console()
    with errors_reported():
        found = session_with_config(session)
        if out is not None and out.exists() and not out.is_dir():
            raise typer.BadParameter(f"{out} is a file: give a folder", param_hint="--out")
        folder = found.report if out is None else out
        compared = _compared(found, console, folder) if offline else []
        check = computed_twin_check(found)
        summarise_and_report(found, console, twin_check=check, folder=out, online_offline=compared)


def _compared(session: SessionLayout, console: Console, folder: Path) -> list[str]:
    """Parts of the section that compares online with offline; why not, where that cannot be."""
    # torch and numba take seconds to import, which a report without this section does without
    from rtdecode.report.offline_section import offline_section

    with progress_bar(console) as progress:
        line = WorkLine(progress, console)
        line.start_part("inverting the responses of some clips offline")
        try:
            return offline_section(session, folder, line.count)
        except BadInputError as error:
            print_plain(console, f"no offline estimate: {error}")
            return [html.missing(f"The offline estimate was not computed: {error}.")]
