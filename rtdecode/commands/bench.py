"""`rtdecode bench …`: figures that anybody can measure again with one command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import errors_told
from rtdecode.commands.live import recorded
from rtdecode.report.bench_wire import benchmark_wire
from rtdecode.report.benchmark_file import write_benchmark
from rtdecode.runtime.config_file import read_config

app = typer.Typer(no_args_is_help=True, help="Measure speed and quality.")

Json = Annotated[Path | None, typer.Option("--json", help="write the result to this file")]


@app.command()
def wire(
    count: Annotated[int, typer.Option(help="messages for each size", min=10)] = 300,
    json_file: Json = None,
) -> None:
    """One-way latency between two processes by size and transport; packing and unpacking."""
    console = Console()
    with errors_told():
        rows = benchmark_wire(count=count)
        console.print(table_of(rows))
        if json_file is not None:
            write_benchmark(json_file, name="wire", config={"count": count}, results=rows)


@app.command()
def latency(
    config: Annotated[Path, typer.Option(help="YAML config of the run to measure")],
    seconds: Annotated[float, typer.Option(help="length of the run", min=5)] = 60.0,
    json_file: Json = None,
) -> None:
    """The whole live system as real processes: each stage p50, p99, max; late, gaps, lost."""
    console = Console()
    with errors_told():
        run = read_config(config).model_copy(update={"seconds": seconds})
        summary = recorded(run, out=None, console=console)
        if json_file is not None:
            settings = {"config": str(config), "seconds": seconds}
            write_benchmark(json_file, name="latency", config=settings, results=summary.as_json())


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """A table with one line for each of `rows`, which all have the same keys."""
    table = Table(*rows[0], box=None, header_style="dim")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table
