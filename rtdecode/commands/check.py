"""`rtdecode check`: what a run would do, or every mistake that it would meet."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain, print_warning
from rtdecode.pipeline.hosts import joined_hosts
from rtdecode.runtime.config_file import config_yaml, read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import HostUnknownError
from rtdecode.session.disk_watch import short_of_space
from rtdecode.view.access import unencrypted

app = typer.Typer()

Photodiode = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="trace of a photodiode on the patch: a .csv, .tsv, .txt, .npy or .wav file, lsl:NAME, "
        "behaviour:running or behaviour:pupil_diameter; scans without a photodiode",
    ),
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML config of the run")]


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
    yaml: Annotated[
        bool, typer.Option("--yaml", help="print CONFIG with all defaults instead, as YAML")
    ] = False,
) -> None:
    """Say in sentences what a run of CONFIG would do, and record where; start nothing.

    A config with mistakes that a run would meet gets a list of them all instead. With --photodiode,
    the delay from flip to light is measured instead, and written into CONFIG.
    """
    with errors_reported():
        if photodiode is not None:
            from rtdecode.commands.photodiode import PhotodiodeRequest, check_photodiode

            measured = PhotodiodeRequest(config_file, photodiode, session, rate_hz, seconds)
            check_photodiode(measured, console=Console())
            return
        given = read_config(config_file)
        if host and host not in (known := joined_hosts(given)):
            raise HostUnknownError(got=f"no host '{host}' joins", hosts=known)
        config = checked_with_warnings(given, host=host)
        lines = _timetable(config)
        if yaml:
            # what is printed is a config
            print_plain(Console(), "\n".join([config_yaml(config), *(f"# {one}" for one in lines)]))
            return
        from rtdecode.pipeline.run_plan import run_plan

        plan = run_plan(config, folder=config.record.folder.absolute())
        ending = f"No mistakes were found; `rtdecode run {config_file}` starts the run."
        print_plain(Console(), "\n".join([*plan, *lines, ending]))


def _timetable(config: RunConfig) -> list[str]:
    """Lines of the timetable of the run's protocol; none without one."""
    from rtdecode.pipeline.timetable import checked_protocol, timetable

    if Role.STIMULUS not in (config.processes or ()) or not (found := checked_protocol(config)):
        return []
    return timetable(config, *found)


def checked_with_warnings(
    config: RunConfig, *, folder: Path | None = None, host: str = ""
) -> RunConfig:
    """`config` with its processes by name; what is doubtful is printed, mistakes are raised."""
    from rtdecode.pipeline.preflight import checked

    found = checked(config, folder=folder, host=host)
    space = short_of_space(found, folder or found.record.folder)
    page = unencrypted(found.view) if Role.VIEW in (found.processes or ()) else ""
    for warning in filter(None, (space, page)):
        print_warning(warning)
    return found
