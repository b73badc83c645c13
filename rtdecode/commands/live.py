"""`rtdecode demo`, `run` and `check`: live sessions and their configs."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.arming import arming_keys
from rtdecode.commands.console import LiveTable, errors_reported, print_plain, print_warning
from rtdecode.commands.photodiode import PhotodiodeRequest, check_photodiode
from rtdecode.commands.sessions import (
    remove_refused,
    require_complete,
    summarise_and_report,
    summarise_failed,
)
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.demo.policies import with_policy
from rtdecode.pipeline.hosts import is_recorded_elsewhere, joined_hosts
from rtdecode.pipeline.run import RunOutcome, run_session
from rtdecode.pipeline.topology import included
from rtdecode.report.summary import SessionSummary, write_summary
from rtdecode.runtime.config_file import config_yaml, read_config
from rtdecode.runtime.disk import write_errors_named
from rtdecode.runtime.stop import stopped_by_signals
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource
from rtdecode.schema.config.control import Arm
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import (
    HostUnknownError,
    MovieNotGivenError,
    NoReconstructionError,
    NotRecordedError,
    RtdecodeError,
)
from rtdecode.schema.messages import Fluorescence, Reconstruction, Responses, Scan
from rtdecode.session.disk_watch import short_of_space
from rtdecode.session.layout import SessionLayout, named_session, new_session
from rtdecode.view.access import unencrypted

app = typer.Typer()

Seconds = Annotated[float, typer.Option(help="length of the run, in s", min=5)]
Json = Annotated[
    Path | None, typer.Option("--json", help="write the summary to this file", dir_okay=False)
]
Out = Annotated[Path | None, typer.Option(help="session folder; a new one by default")]
Photodiode = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="trace of a photodiode on the patch: a .csv, .tsv, .txt, .npy or .wav file, lsl:NAME, "
        "behaviour:running or behaviour:pupil_diameter; scans without a photodiode",
    ),
]
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
) -> None:
    """Run the whole live loop on the embedded simulated rig and write a session."""
    console = Console()
    with errors_reported():
        display = Display.VIRTUAL if headless else Display.AUTO
        purpose = Purpose.DISPLAY if policy is None else Purpose.CONTROL
        config = demo_config(seconds=seconds, display=display, clips=clips, purpose=purpose)
        if policy is not None:
            config = with_policy(config, policy, session=session)
        recorded = record_session(config, out=out, console=console, json_file=json_file)
        _finish(config, recorded.summary, json_file, stopped=recorded.stopped)
        recorded.require_all()


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
        _finish(config, recorded.summary, json_file, stopped=recorded.stopped)
        recorded.require_all()


@app.command(epilog="Example: rtdecode check configs/demo.yaml")
def check(
    config_file: Config,
    *,
    photodiode: Photodiode = None,
    session: Annotated[
        Path | None, typer.Option(help="session that ran while the photodiode was recorded")
    ] = None,
    rate_hz: Annotated[
        float | None, typer.Option(help="sampling rate in Hz of a trace without times", min=1)
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="length in s of the run for an LSL stream", min=10)
    ] = 30.0,
    host: Annotated[
        str, typer.Option(help="check what this joined host needs; by default the main host")
    ] = "",
) -> None:
    """Print CONFIG with all defaults and the timetable of its protocol; start nothing.

    A config with mistakes that a run would meet gets a list of them all instead. With --photodiode,
    the delay from flip to light is measured instead, and written into CONFIG.
    """
    with errors_reported():
        if photodiode is not None:
            measured = PhotodiodeRequest(config_file, photodiode, session, rate_hz, seconds)
            check_photodiode(measured, console=Console())
            return
        given = read_config(config_file)
        if host and host not in (known := joined_hosts(given)):
            raise HostUnknownError(got=f"no host '{host}' joins", hosts=known)
        config = _checked(given, host=host)
        print_plain(Console(), config_yaml(config))
        _print_timetable(config)


def _print_timetable(config: RunConfig) -> None:
    from rtdecode.pipeline.timetable import checked_protocol, timetable

    if Role.STIMULUS in (config.processes or ()) and (found := checked_protocol(config)):
        print_plain(Console(), timetable(config, *found))


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
    config: RunConfig, *, out: Path | None, console: Console, json_file: Path | None = None
) -> Recorded:
    """Run a session with a live table; print its summary and write its report.

    A session that is stopped before it started has no summary, and ends the command. What was
    recorded of a run that fails is summarised too, also in `json_file`.
    """
    _require_movie(config)
    config, existed = _checked(config, folder=out), out is not None and out.exists()
    if config.control is not None and config.control.arm is Arm.AT_START:
        print_warning("control.arm is at_start: the controller acts as soon as the run has started")
    session, table = _session(config, out), LiveTable(console, page_host=_page_host(config))
    print_plain(console, f"recording into {session.folder}")
    try:
        with (
            write_errors_named(session.folder),
            stopped_by_signals() as stop,
            table.displayed(),
            arming_keys(session, console) if config.control else nullcontext(),
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


def _page_host(config: RunConfig) -> str:
    """Name of the host of the page; empty for this one."""
    name = config.network.host_of(Role.VIEW)
    return "" if name == config.network.main_host else name


def _recorder_host(config: RunConfig) -> str:
    """Name and address of the host that records."""
    name = config.network.host_of(Role.RECORDER)
    return f"{name} ({config.network.hosts[name].address})"


def _checked(config: RunConfig, *, folder: Path | None = None, host: str = "") -> RunConfig:
    # numba takes a second to import, which `--help` and other verbs do without
    from rtdecode.pipeline.preflight import checked

    found = checked(config, folder=folder, host=host)
    space = short_of_space(found, folder or found.record.folder)
    page = unencrypted(found.view) if Role.VIEW in (found.processes or ()) else ""
    for warning in filter(None, (space, page)):
        print_warning(warning)
    return found


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


def _finish(
    config: RunConfig,
    summary: SessionSummary | None,
    json_file: Path | None,
    *,
    stopped: bool = False,
) -> None:
    if summary is None:
        if json_file is not None:
            print_warning(f"--json writes nothing: {_recorder_host(config)} has the recording")
        return
    if json_file is not None:
        write_summary(summary, json_file)
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
