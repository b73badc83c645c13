"""`rtdecode batch`: runs the commands of a file on the workers of a cluster."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import WorkLine, errors_reported, print_plain, progress_bar
from rtdecode.commands.reconstruct import Cluster, Workers
from rtdecode.runtime.batch import read_lines, run_batch
from rtdecode.runtime.cluster import cluster as named_cluster
from rtdecode.runtime.platform import usable_cores
from rtdecode.schema.errors import MissingFileError

app = typer.Typer()

_VERBS = ("fit", "reconstruct", "bench", "replay", "export", "report", "score")
"""Verbs that end by themselves, and need neither a rig nor a person."""
_FAILED = 1


@app.command(epilog="Example: rtdecode batch jobs.txt --out batch --cluster local --workers 4")
def batch(
    file: Annotated[Path, typer.Argument(help="one rtdecode command a line; # begins a comment")],
    *,
    out: Annotated[Path, typer.Option(help="folder for the outcomes and outputs")],
    cluster: Cluster = None,
    workers: Workers = None,
) -> None:
    """Run the commands in FILE, on several workers at once where --cluster is given.

    Repeat the command to run what failed or is missing. The exit code is 1 if any of them failed.
    """
    console = Console()
    with errors_reported(interrupted="the same command runs what is missing"):
        if not file.is_file():
            remedy = "write one rtdecode command a line into it (docs/cluster.md)"
            raise MissingFileError(what="batch", path=file, remedy=remedy)
        lines = read_lines(file.read_text(encoding="utf-8"), path=file, verbs=_VERBS)
        failed, started = [], workers or usable_cores()
        with (
            progress_bar(console) as progress,
            named_cluster(cluster, workers=started) as shared,
        ):
            line = WorkLine(progress, console)
            line.start_part("commands")
            for done, outcome in enumerate(run_batch(lines, out, workers=shared), start=1):
                line.count(done, len(lines))
                failed += [outcome] if outcome.exit_code else []
                ended = f"exit code {outcome.exit_code}, {outcome.seconds:.0f} s, {outcome.log}"
                print_plain(progress.console, f"{outcome.command}: {ended}")
        print_plain(console, f"{len(lines) - len(failed)} of {len(lines)} commands ended well")
    if failed:
        sys.exit(_FAILED)
