"""`rtdecode demo` and `run`: live sessions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.arming import arming_keys
from rtdecode.commands.check import checked_with_warnings
from rtdecode.commands.console import (
    LiveTable,
    errors_reported,
    open_in_browser,
    print_plain,
    print_warning,
)
from rtdecode.commands.sessions import (
    remove_refused,
    require_complete,
    summarise_and_report,
    summarise_failed,
    write_if_asked,
)
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.demo.policies import with_policy
from rtdecode.pipeline.hosts import is_recorded_elsewhere
from rtdecode.pipeline.run import RunOutcome, run_session
from rtdecode.pipeline.topology import included
from rtdecode.report.session_summary import SessionSummary
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.stop import stopped_by_signals
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource
from rtdecode.schema.config.control import Arm
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import (
    MovieNotGivenError,
    NoReconstructionError,
    NotRecordedError,
    RtdecodeError,
)
from rtdecode.schema.messages import Fluorescence, Reconstruction, Responses, Scan
from rtdecode.session.layout import SessionLayout, named_session, new_session

app = typer.Typer()

_AFTER_START_S = 15.0
"""Time in s from a command until the processes of its run have started, on a slow computer too."""

Seconds = Annotated[float, typer.Option(help="length of the run, in s", min=5)]
Json = Annotated[
    Path | None, typer.Option("--json", help="write the summary to this file", dir_okay=False)
]
Out = Annotated[Path | None, typer.Option(help="session folder; a new one by default")]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML config of the run")]


@app.command(epilog="Example: rtdecode demo --headless --seconds 30")
def demo(
    *,
    seconds: Seconds = 60.0,
    headless: Annotated[
        bool, typer.Option("--headless", help="display the stimulus on a virtual screen")
    ] = False,
    json_file: Json = None,
    out: Out = None,
    clips: Annotated[
        Path | None, typer.Option(help="folder of videos to display instead of the embedded ones")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="close the loop with this policy, armed at the start")
    ] = None,
    session: Annotated[
        Path | None, typer.Option(help="session whose actions the policy sham repeats")
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option(help="open the page in a browser; by default from a terminal with a display"),
    ] = None,
) -> None:
    """Run the whole live loop on the embedded simulated rig and write a session."""
    console = Console()
    with errors_reported():
        display = Display.VIRTUAL if headless else Display.AUTO
        purpose = Purpose.DISPLAY if policy is None else Purpose.CONTROL
        config = demo_config(seconds=seconds, display=display, clips=clips, purpose=purpose)
        if policy is not None:
            config = with_policy(config, policy, session=session)
        opens = (console.is_terminal and not headless) if browser is None else browser
        recorded = record_session(
            config,
            out=out,
            console=console,
            json_file=json_file,
            on_page=open_in_browser if opens else _not_opened,
        )
        finish(config, recorded.summary, json_file, stopped=recorded.stopped)
        recorded.require_all()


def _not_opened(_address: str) -> None:
    """Leave the page to its user."""


@app.command(epilog="Example: rtdecode run configs/real_scans.yaml --movie recording.raw")
def run(
    config_file: Config,
    movie: Annotated[
        Path | None, typer.Option(help="raw movie of scans, read instead of the config's")
    ] = None,
    json_file: Json = None,
    out: Out = None,
    wait_for_start: Annotated[
        bool,
        typer.Option("--wait-for-start", help="get ready, and start with `rtdecode start`"),
    ] = False,
) -> None:
    """Run a session with the settings of CONFIG, until Ctrl-C or the end of its source."""
    console = Console()
    with errors_reported():
        config = read_config(config_file)
        if wait_for_start:
            config = config.model_copy(update={"start": StartOn.ON_REQUEST})
        if movie is not None:
            config = config.with_movie(movie)
        recorded = record_session(config, out=out, console=console, json_file=json_file)
        finish(config, recorded.summary, json_file, stopped=recorded.stopped)
        recorded.require_all()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded session; `stopped` where a signal ended it before its time."""

    summary: SessionSummary | None
    """None where it was recorded on another host, which summarises it."""
    stopped: bool
    outcome: RunOutcome

    def require_all(self) -> None:
        """Raise NotRecordedError where the last messages of a process are not in the log."""
        without_end = () if self.summary is None else self.summary.without_end
        if names := self.outcome.unrecorded(without_end):
            raise NotRecordedError(names=names, folder=self.outcome.folder)


def record_session(
    config: RunConfig,
    *,
    out: Path | None,
    console: Console,
    json_file: Path | None = None,
    on_page: Callable[[str], object] = _not_opened,
) -> Recorded:
    """Run a session with a live table; print its summary and write its report.

    `on_page` is called with the address of the page.

    A session that is stopped before it started has no summary, and ends the command. What was
    recorded of a run that fails is summarised too, also in `json_file`.
    """
    _require_movie(config)
    config, existed = checked_with_warnings(config, folder=out), out is not None and out.exists()
    if config.control is not None and config.control.arm is Arm.AT_START:
        print_warning("control.arm is at_start: the controller acts as soon as the run has started")
    session = _session(config, out)
    table = LiveTable(console, page_host=_page_host(config), on_page=on_page)
    print_plain(console, f"recording into {session.folder}")
    try:
        with (
            write_errors_named(session.folder),
            stopped_by_signals() as stop,
            table.displayed(),
            arming_keys(session, console) if config.control else nullcontext(),
            _report_imported_meanwhile(),
        ):
            outcome = run_session(config, session, stop=stop, on_health=table.update)
    except RtdecodeError as failure:
        if is_recorded_elsewhere(config):
            print_plain(console, f"the run failed; {_recorder_host(config)} has what was recorded")
        elif existed or not remove_refused(session, failure):
            summarise_failed(session, console, json_file=json_file)
        raise
    if not outcome.began:
        print_plain(console, f"{outcome.reason}: nothing was recorded")
        raise typer.Exit
    print_plain(console, f"ended: {outcome.reason}")
    if is_recorded_elsewhere(config):
        host = _recorder_host(config)
        print_plain(console, f"{host} has the recording of {session.folder.name}, and its report")
        return Recorded(None, stopped=stop.is_set(), outcome=outcome)
    summary = summarise_and_report(session, console)
    return Recorded(summary, stopped=stop.is_set(), outcome=outcome)


@contextmanager
def _report_imported_meanwhile() -> Iterator[None]:
    """Import what draws the report while the run lasts, so that neither start nor end waits."""
    importing = Timer(_AFTER_START_S, import_module, ("rtdecode.report.build",))
    importing.daemon = True
    importing.start()
    try:
        yield
    finally:
        importing.cancel()
        importing.join()


def _page_host(config: RunConfig) -> str:
    """Name of the host of the page; empty for this one."""
    name = config.network.host_of(Role.VIEW)
    return "" if name == config.network.main_host else name


def _recorder_host(config: RunConfig) -> str:
    """Name and address of the host that records."""
    name = config.network.host_of(Role.RECORDER)
    return f"{name} ({config.network.hosts[name].address})"


def _require_movie(config: RunConfig) -> None:
    """Raise MovieNotGivenError; `check` accepts such a config, since `run` has --movie."""
    source = config.acquisition.source
    bridged = config.processes is None or Role.BRIDGE in config.processes
    if bridged and isinstance(source, RawMovieSource) and source.path is None:
        raise MovieNotGivenError


def _session(config: RunConfig, out: Path | None) -> SessionLayout:
    if out is not None:
        return named_session(out)
    return new_session(config.record.folder, started=datetime.now().astimezone())


def finish(
    config: RunConfig,
    summary: SessionSummary | None,
    json_file: Path | None,
    *,
    stopped: bool = False,
) -> None:
    """Write the summary; raise where a run has no reconstruction, or lost more than permitted."""
    if summary is None:
        if json_file is not None:
            print_warning(f"--json writes nothing: {_recorder_host(config)} has the recording")
        return
    write_if_asked(summary, json_file)
    _require_reconstructions(config, summary, stopped=stopped)
    require_complete(summary, permitted=config.record.permitted_loss)


def _require_reconstructions(config: RunConfig, summary: SessionSummary, *, stopped: bool) -> None:
    """Raise NoReconstructionError if the run had a decoder and the log has no reconstruction.

    A run that was stopped before a frame was due, at `lag_frames` + 1 responses, is no failure.
    """

    def recorded(*kinds: str) -> int:
        streams = summary.messages.items()
        return sum(count for stream, count in streams if stream.partition("/")[2] in kinds)

    started = {row.role for row in included(config)}
    if config.decode is None or Role.DECODER not in started or recorded(Reconstruction.kind):
        return
    if stopped and recorded(Responses.kind) <= config.decode.lag_frames:
        return
    raise NoReconstructionError(
        scans=recorded(Scan.kind) or recorded(Fluorescence.kind),
        responses=recorded(Responses.kind),
        session=summary.session,
    )
