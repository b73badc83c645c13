"""`rtdecode score` and `recover`, and what all verbs print of a session."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.report.session_summary import SessionSummary
from rtdecode.report.twin_check import TwinCheckSource, computed_twin_check
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.errors import (
    BadInputError,
    DataLostError,
    RtdecodeError,
    SecondInstanceError,
)
from rtdecode.session.layout import (
    SessionLayout,
    remove_unstarted,
    session_at,
    session_with_config,
)
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover as recovered

app = typer.Typer()

Session = Annotated[Path, typer.Argument(metavar="SESSION", help="session folder")]
Json = Annotated[
    Path | None, typer.Option("--json", help="write the summary to this file", dir_okay=False)
]


@app.command(epilog="Example: rtdecode score sessions/2026-11-24_10-15-00 --json summary.json")
def score(session: Session, json_file: Json = None) -> None:
    """Recompute the summary of SESSION from its log and write its report."""
    console = Console()
    with errors_reported():
        found = session_with_config(session)
        summary = summarise_and_report(found, console, twin_check=computed_twin_check(found))
        write_if_asked(summary, json_file)


@app.command(epilog="Example: rtdecode recover sessions/2026-11-24_10-15-00")
def recover(session: Session) -> None:
    """Repair a log that is damaged or ends early, state what is missing; the old log is kept."""
    console = Console()
    with errors_reported():
        for sentence in recovered(session).sentences():
            print_plain(console, sentence)


def remove_refused(session: SessionLayout, refusal: RtdecodeError) -> bool:
    """Remove the new folder of a session that was refused for bad input; whether that was done.

    It stays where something was recorded or drawn, and where another process uses it.
    """
    is_refusal = refusal.exit_code == BadInputError.exit_code
    if not is_refusal or isinstance(refusal, SecondInstanceError):
        return False
    if _is_recorded(session) or any(session.report.iterdir()):
        return False
    remove_unstarted(session)
    return True


def _is_recorded(session: SessionLayout) -> bool:
    """Whether the log has a message."""
    return session.has_log and any(True for _ in LogReader(session.log).logged())


def summarise_failed(
    session: SessionLayout, console: Console, *, json_file: Path | None = None
) -> None:
    """Print where a run that failed is, what was recorded of it, and how to repair its log.

    The summary is also written to `json_file`.
    An error of the summary is printed, and does not take the place of the failure.
    """
    if not session.folder.is_dir():
        print_plain(console, f"the run failed; {session.folder} was removed or renamed during it")
        return
    print_plain(console, f"the run failed; its session folder is {session.folder}")
    try:
        if not _is_recorded(session):
            print_plain(console, f"nothing was recorded; see {session.folder / 'logs'}")
            return
        if not LogReader(session.log).has_index():
            print_plain(
                console,
                f"its log has no index, because the recorder did not end it: "
                f"`rtdecode recover {session.folder}` repairs it",
            )
        write_if_asked(summarise_and_report(session, console), json_file)
    except RtdecodeError as error:
        print_plain(console, f"no summary: {error}")


def write_if_asked(summary: SessionSummary, json_file: Path | None) -> None:
    """Write `summary` to the file of --json, if there is one; FileWriteError."""
    if json_file is not None:
        from rtdecode.report.summary import write_summary

        write_summary(summary, json_file)


def require_complete(summary: SessionSummary, *, permitted: int) -> None:
    """Raise DataLostError where the log lacks more than `permitted` messages."""
    if summary.lost_messages > permitted:
        where = ", ".join(summary.lost_by_stream)
        raise DataLostError(lost=summary.lost_messages, permitted=permitted, where=where)


def summarise_and_report(
    session: SessionLayout,
    console: Console,
    *,
    twin_check: TwinCheckSource | None = None,
    folder: Path | None = None,
    online_offline: Sequence[str] = (),
) -> SessionSummary:
    """Compute the summary of `session`, write its report and print its sentences.

    Parameters
    ----------
    twin_check
        As `summarise` takes it.
    folder, online_offline
        As `report_session` takes them.

    Raises
    ------
    MissingFileError
        If its folder was removed.
    FileWriteError
        If the report cannot be written; the sentences are printed before.
    """
    session_at(session.folder)
    # matplotlib takes a second to import, which a run needs at its end only
    from rtdecode.report.build import report_session
    from rtdecode.report.collected import Collected
    from rtdecode.report.summary import summarise

    try:
        print_plain(console, "reading the log")
        collected = Collected(frame_rate_hz=read_config(session.config).frame_rate_hz)
        summary = summarise(session, twin_check=twin_check, collected=collected)
        print_plain(console, summary.text())
        print_plain(console, "drawing the report")
        page = report_session(
            session, summary, collected=collected, folder=folder, online_offline=online_offline
        )
    except KeyboardInterrupt:
        print_plain(
            console,
            f"the recording is kept; `rtdecode score {session.folder}` computes its summary",
        )
        raise
    print_plain(console, f"report: {page}")
    return summary
