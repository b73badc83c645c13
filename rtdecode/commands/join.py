"""`rtdecode join`: the processes of a run on the computer of a microscope or of a screen."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.pipeline.join import HostJoin, JoinedRun, this_host
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.runtime.stop import stopped_by_signals
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role

app = typer.Typer()


@app.command(epilog="Example: rtdecode join run.yaml --role bridge")
def join(
    config_file: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="the YAML config of the run, as on all hosts")
    ],
    *,
    role: Annotated[
        list[Role] | None,
        typer.Option(help="process of this computer, repeated for several; all of them by default"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="name of this computer in network.hosts; by default that of its key")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="look for what its processes need, and join nothing")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="join one run after the other, until Ctrl-C")
    ] = False,
) -> None:
    """Run the processes that CONFIG gives this computer, in a run that another one starts."""
    console = Console()
    with errors_reported():
        config = read_config(config_file)
        own = KeyFolder(config.network.keys).own()
        key = "" if own is None else own.name
        name = this_host(config, host=host, roles=role or (), keys=key)
        joining = HostJoin(config, name, say=lambda text: print_plain(console, f"{name}: {text}"))
        joining.check()
        if check:
            print_plain(console, f"{name}: ready to join")
            return
        with stopped_by_signals() as stop:
            if wait:
                joining.all_runs(stop=stop, ended=lambda one: _summarise(one, config, console))
                return
            ended = joining.one_run(stop=stop)
        if ended is not None:
            print_plain(console, f"{name}: {ended.reason}")
            _summarise(ended, config, console)
            raise typer.Exit(ended.code)


def _summarise(ended: JoinedRun, config: RunConfig, console: Console) -> None:
    """Summarise and report what was recorded here. Raises DataLostError as `rtdecode run` does."""
    if ended.recorded is None:
        return
    # a computer that does not record needs none of it
    from rtdecode.commands.sessions import (
        require_complete,
        summarise_and_report,
        summarise_failed,
    )
    from rtdecode.session.layout import SessionLayout

    session = SessionLayout(ended.recorded)
    if ended.code:
        summarise_failed(session, console)
        return
    summary = summarise_and_report(session, console)
    require_complete(summary, permitted=config.record.permitted_loss)
