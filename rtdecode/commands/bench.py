"""`rtdecode bench …`: figures that anybody can measure again with one command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtdecode.bench.result_file import write_benchmark
from rtdecode.bench.wire import benchmark_wire
from rtdecode.commands.console import errors_told
from rtdecode.commands.live import recorded
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
def calcium(
    size: Annotated[int, typer.Option(help="rows and columns of a scan in px", min=64)] = 512,
    cells: Annotated[int, typer.Option(help="neurons in it", min=1)] = 1000,
    scans: Annotated[int, typer.Option(help="timed scans for each setting", min=30)] = 600,
    grow: Annotated[bool, typer.Option(help="time up to five times as many cells too")] = True,
    json_file: Json = None,
) -> None:
    """Time of a scan in the calcium chain on one core, step by step; growth with cells."""
    console = Console()
    with errors_told():
        # the calcium chain takes half a second to import, and no other verb of this file needs it
        from rtdecode.bench.calcium import benchmark_calcium, growth

        with console.status("timing"):
            result = benchmark_calcium(size, cells, scans)
            if grow:
                result["growth"] = growth(size, [cells * n for n in range(1, 6)], scans // 2)
        for table in calcium_tables(result):
            console.print(table)
        if json_file is not None:
            settings = {"size_px": size, "cells": cells, "scans": scans}
            write_benchmark(json_file, name="calcium speed", config=settings, results=result)


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


@app.command()
def decoder(
    *,
    twin: Annotated[Path, typer.Option(help="folder of a compact twin")],
    neurons: Annotated[int, typer.Option(help="made of the twin's own", min=1)] = 2000,
    steps: Annotated[int, typer.Option(help="steps a frame", min=1)] = 3,
    window_frames: Annotated[int, typer.Option(help="frames of the window", min=2)] = 36,
    lag_frames: Annotated[int, typer.Option(help="frames that are waited for", min=0)] = 8,
    frames: Annotated[int, typer.Option(help="timed frames for each setting", min=30)] = 300,
    threads: Annotated[int, typer.Option(help="CPU threads of a step", min=1)] = 1,
    grow: Annotated[bool, typer.Option(help="time other sizes too")] = True,
    json_file: Json = None,
) -> None:
    """Time of a frame in the decoder; growth with neurons, window and steps."""
    console = Console()
    with errors_told():
        # torch takes seconds to import, and no other verb of this file needs it
        from rtdecode.bench.decoder import Setting, benchmark_decoder

        asked = Setting(neurons, window_frames, lag_frames, steps)
        with console.status("timing"):
            rows = benchmark_decoder(twin, asked, frames=frames, threads=threads, grow=grow)
        console.print(table_of(rows))
        if json_file is not None:
            settings = {"twin": str(twin), "frames": frames, "threads": threads}
            write_benchmark(json_file, name="decoder", config=settings, results=rows)


def calcium_tables(result: dict[str, Any]) -> list[Table]:
    """The steps of one setting, then the whole chain for each number of cells."""
    steps = [
        {"step": name, **times, "share_%": 100 * result["share"][name]}
        for name, times in result["steps_cpu_ms"].items()
    ]
    whole = [{"cells": result["cells"], **_flat(result)}]
    grown = [
        {"cells": row["cells"], **_flat(row)} for row in result.get("growth", {"rows": []})["rows"]
    ]
    return [table_of(rows) for rows in (steps, whole, grown) if rows]


def _flat(row: dict[str, Any]) -> dict[str, float]:
    names = {"ms": "ms", "cpu_ms": "cpu ms"}
    spreads = {f"{name} {p}": row[key][p] for key, name in names.items() for p in ("p50", "p99")}
    return {"scans/s": row["scans_per_s"], "by cpu": row["cpu_scans_per_s"], **spreads}


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """A table with one line for each of `rows`, which all have the same keys."""
    table = Table(*rows[0], box=None, header_style="dim")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table
