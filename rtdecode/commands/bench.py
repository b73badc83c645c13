"""`rtdecode bench`: measurements of speed and quality, each repeatable with one command."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtdecode.bench.wire import benchmark_wire
from rtdecode.commands.bench_limits import app as limits_app
from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.commands.fit import DeviceOption
from rtdecode.commands.live import record_session
from rtdecode.commands.reconstruct import bench_app
from rtdecode.demo.config import demo_config
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import Device
from rtdecode.schema.config.stimulus import Display

app = typer.Typer(no_args_is_help=True, help="Measure speed and quality.")

_WIDEST = 1000
"""Columns of text that no table exceeds."""
Json = Annotated[Path | None, typer.Option("--json", help="write the result to this file")]


@app.command(epilog="Example: rtdecode bench wire --json wire.json")
def wire(
    count: Annotated[int, typer.Option(help="number of messages for each size", min=10)] = 300,
    json_file: Json = None,
) -> None:
    """Measure latency between two processes by message size and transport, and the codec's time."""
    console = Console()
    with errors_reported():
        rows = benchmark_wire(count=count)
        print_table(console, table_of(rows))
        _write_result(json_file, name="wire", config={"count": count}, results=rows)


@app.command(epilog="Example: rtdecode bench calcium --size 512 --cells 1000")
def calcium(
    size: Annotated[int, typer.Option(help="rows and columns of a scan, in px", min=64)] = 512,
    cells: Annotated[int, typer.Option(help="number of ROIs in it", min=1)] = 1000,
    scans: Annotated[
        int, typer.Option(help="number of timed scans for each setting", min=30)
    ] = 600,
    grow: Annotated[bool, typer.Option(help="also measure two to five times as many ROIs")] = True,
    json_file: Json = None,
) -> None:
    """Measure the calcium chain's time for a scan on one core, in ms, by step and ROI count."""
    console = Console()
    with errors_reported():
        # the calcium chain takes half a second to import, and no other verb of this file needs it
        from rtdecode.bench.calcium import benchmark_calcium, growth

        with console.status("measuring"):
            result = benchmark_calcium(size, cells, scans)
            if grow:
                result["growth"] = growth(size, [cells * n for n in range(1, 6)], scans // 2)
        for table in calcium_tables(result):
            print_table(console, table)
        settings = {"size_px": size, "cells": cells, "scans": scans}
        _write_result(json_file, name="calcium speed", config=settings, results=result)


@app.command(epilog="Example: rtdecode bench latency --config configs/demo.yaml --seconds 60")
def latency(
    config: Annotated[Path, typer.Option(help="YAML config of the run to measure")],
    seconds: Annotated[float, typer.Option(help="length of the run, in s", min=5)] = 60.0,
    json_file: Json = None,
) -> None:
    """Run a session and write its summary: latency of each stage in ms, late frames, losses."""
    console = Console()
    with errors_reported():
        run = read_config(config).model_copy(update={"seconds": seconds})
        summary = record_session(run, out=None, console=console).summary
        results = {} if summary is None else summary.as_json()
        settings = {"config": str(config), "seconds": seconds}
        _write_result(json_file, name="latency", config=settings, results=results)


@app.command(epilog="Example: rtdecode bench decoder --twin rtdecode/demo_mouse --steps 3")
def decoder(
    *,
    twin: Annotated[Path, typer.Option(help="folder of a compact twin")],
    neurons: Annotated[
        int, typer.Option(help="number of neurons, drawn from the twin's own", min=1)
    ] = 2000,
    steps: Annotated[int, typer.Option(help="gradient steps per frame", min=1)] = 3,
    window_frames: Annotated[
        int, typer.Option(help="length of the horizon, in frames", min=2)
    ] = 36,
    lag_frames: Annotated[int, typer.Option(help="fixed lag, in frames", min=0)] = 8,
    frames: Annotated[
        int, typer.Option(help="number of timed frames for each setting", min=30)
    ] = 300,
    device: DeviceOption = Device.AUTO,
    threads: Annotated[int, typer.Option(help="number of CPU threads", min=1)] = 1,
    grow: Annotated[bool, typer.Option(help="also measure other sizes")] = True,
    json_file: Json = None,
) -> None:
    """Measure the decoder's time for a frame, in ms, by neurons, horizon and steps."""
    console = Console()
    with errors_reported():
        # torch takes seconds to import, and no other verb of this file needs it
        from rtdecode.bench.decoder import Setting, benchmark_decoder
        from rtdecode.decode.compute import device_name, usable_device

        asked, found = Setting(neurons, window_frames, lag_frames, steps), usable_device(device)
        with console.status("measuring"):
            rows = benchmark_decoder(
                twin, asked, frames=frames, threads=threads, grow=grow, device=found
            )
        print_table(console, table_of(rows))
        settings = {"twin": str(twin), "frames": frames, "threads": threads}
        settings |= {"device": device_name(found)}
        _write_result(json_file, name="decoder", config=settings, results=rows)


@app.command(epilog="Example: rtdecode bench loop --json loop.json --figure loop_frontier.png")
def loop(
    config: Annotated[
        Path | None, typer.Option(help="config with a simulated rig; that of the demo by default")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="draw video r against content age into this file")
    ] = None,
    json_file: Json = None,
) -> None:
    """Measure quality against latency of a closed loop, by lags, steps and scan rate."""
    console = Console()
    with errors_reported():
        # torch and matplotlib take seconds to import, and few verbs of this file need them
        from rtdecode.bench.loop import LoopSettings, bench_loop
        from rtdecode.bench.loop_figure import draw_frontier
        from rtdecode.decode.compute import prepare_process

        settings = LoopSettings()
        run = _demo() if config is None else read_config(config)
        prepare_process(threads=1)
        rows = bench_loop(run, settings, report=lambda line: print_plain(console, line))
        shown = {"config": str(config or "demo"), **asdict(settings)}
        _write_result(json_file, name="loop", config=shown, results=rows)
        if figure is not None:
            draw_frontier(rows, figure)


app.registered_commands += bench_app.registered_commands + limits_app.registered_commands


def _demo() -> RunConfig:
    return demo_config(seconds=1.0, display=Display.VIRTUAL, clips=None)


def _write_result(path: Path | None, *, name: str, config: dict[str, Any], results: Any) -> None:
    if path is not None:
        # imports torch, which takes seconds
        from rtdecode.bench.result_file import write_benchmark

        write_benchmark(path, name=name, config=config, results=results)


def calcium_tables(result: dict[str, Any]) -> list[Table]:
    """Tables of the steps of one setting, and of the whole chain for each number of ROIs."""
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
    """Table with a line for each of `rows`, which all have the same keys.

    The names of columns are broken between words, so that a narrow terminal does not cut them.
    """
    table = Table(box=None, header_style="dim")
    for name in rows[0]:
        words = name.split("_")
        table.add_column(" ".join(words), min_width=max(map(len, words)))
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


def print_table(console: Console, table: Table) -> None:
    """Print `table`, in a file or a pipe as wide as it is: there a console has 80 columns."""
    if not console.is_terminal:
        console.width = max(console.width, _natural_width(table))
    console.print(table)


def _natural_width(table: Table) -> int:
    """Columns of text that `table` needs where no line is broken."""
    return Console(width=_WIDEST).measure(table).maximum
