"""`rtdecode join`: the processes of a run on the computer of a microscope or of a screen."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.pipeline.join import HostJoin, this_host
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.runtime.stop import stopped_by_signals
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
    wait: Annotated[
        bool, typer.Option("--wait", help="join one run after the other, until Ctrl-C")
    ] = False,
) -> None:
    """Run the processes that CONFIG gives this computer, in a run that another one has started."""
    console = Console()
    with errors_reported():
        config = read_config(config_file)
        own = KeyFolder(config.network.keys).own()
        key = "" if own is None else own.name
        name = this_host(config, host=host, roles=role or (), keys=key)
        joining = HostJoin(config, name, say=lambda text: print_plain(console, f"{name}: {text}"))
        with stopped_by_signals() as stop:
            if wait:
                joining.all_runs(stop=stop)
                return
            ended = joining.one_run(stop=stop)
        if ended is not None:
            print_plain(console, ended.reason)
            raise typer.Exit(ended.code)
