"""`rtdecode reconstruct` and `rtdecode bench quality`: reconstruct recorded trials, score them.

Modules that need torch are imported when a command runs, so that `rtdecode --help` is fast.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import (
    errors_reported,
    print_plain,
    print_warning,
    progress_bar,
)
from rtdecode.commands.fit import Data, threads_used
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.cluster import Workers as SharedBy
from rtdecode.runtime.cluster import cluster as named_cluster
from rtdecode.runtime.platform import usable_cores
from rtdecode.schema.config.decode import Device

app = typer.Typer()
bench_app = typer.Typer()

Twins = Annotated[
    list[Path] | None, typer.Option("--twin", help="twin folder; repeat the option for an ensemble")
]
Mask = Annotated[
    Path | None,
    typer.Option(help="screen mask: .npy, (row, col) bool, True where pixels are scored"),
]
Tier = Annotated[str, typer.Option(help="tier of the trials: train, oracle (validation) or test")]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="share the work: local, slurm, or the address of a Dask scheduler (docs/cluster.md)"
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(help="number of workers of local or slurm; one for each core by default", min=1),
]


Threads = Annotated[
    int,
    typer.Option(
        help="number of CPU threads, of each worker with --cluster; 0 uses all cores, "
        "and 1 with --cluster",
        min=0,
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(help="processor of the twins: auto, cpu or cuda; with --cluster always cpu"),
]


class MethodName(StrEnum):
    """Methods of reconstruction."""

    ONLINE = "online"
    OFFLINE = "offline"
    REFERENCE = "reference"
    DIRECT = "direct"
    RIDGE = "ridge"
    MEAN = "mean"


class InputName(StrEnum):
    """Activity that a method decodes."""

    RESPONSES = "responses"
    TRACES = "traces"
    PREDICTED = "predicted"


@app.command(
    epilog="Example: rtdecode reconstruct --data sessions/2026-11-24_10-15-00 --twin twin --out out"
)
def reconstruct(
    *,
    data: Data,
    out: Annotated[Path, typer.Option(help="folder to write")],
    method: Annotated[
        MethodName, typer.Option(help="method of reconstruction")
    ] = MethodName.ONLINE,
    tier: Tier = "test",
    twin: Twins = None,
    ridge: Annotated[Path | None, typer.Option(help="folder of `rtdecode fit ridge`")] = None,
    direct: Annotated[Path | None, typer.Option(help="folder of `rtdecode fit direct`")] = None,
    lag_frames: Annotated[
        int, typer.Option(help="online, direct: fixed lag, in frames", min=0)
    ] = 8,
    steps: Annotated[int, typer.Option(help="online: gradient steps per frame", min=1)] = 3,
    iterations: Annotated[
        int | None, typer.Option(help="offline, reference: gradient steps", min=1)
    ] = None,
    mask: Mask = None,
    source: Annotated[
        InputName, typer.Option("--input", help="activity that is decoded")
    ] = InputName.RESPONSES,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 0,
    cluster: Cluster = None,
    workers: Workers = None,
) -> None:
    """Reconstruct and score the trials of a tier; write each video and summary.json."""
    console = Console()
    with errors_reported():
        from rtdecode.offline.job import Request
        from rtdecode.offline.reconstruct import reconstruct as run
        from rtdecode.offline.screen_masks import whole_screen_warning

        request = Request(
            data=data,
            out=out,
            method=method.value,
            tier=tier,
            twins=tuple(twin or ()),
            ridge=ridge,
            direct=direct,
            lag_frames=lag_frames,
            steps=steps,
            iterations=iterations,
            mask=mask,
            source=source.value,
            device=_device_with(cluster, device),
        )
        with progress_bar(console) as progress:
            task = progress.add_task(method.value, total=None, status="")

            def report(done: int, total: int, video_r: float) -> None:
                progress.update(task, completed=done, total=total, status=f"video r {video_r:.3f}")

            with computing(threads, cluster, workers) as shared:
                summary = run(request, clock=HostClock(), report=report, workers=shared)
        console.print(summary_table(summary))
        if warning := whole_screen_warning(request.mask, request.twins):
            print_warning(warning)


@bench_app.command(
    epilog="Example: rtdecode bench quality --data sessions/2026-11-24_10-15-00 --twin twin"
    " --out quality"
)
def quality(
    *,
    data: Data,
    twin: Twins = None,
    out: Annotated[Path, typer.Option(help="folder for quality.json and figures")],
    tier: Tier = "test",
    mask: Mask = None,
    trials: Annotated[
        int | None,
        typer.Option(help="number of trials, the first of the tier; all by default", min=1),
    ] = None,
    iterations: Annotated[
        int, typer.Option(help="gradient steps of the reference method; 0 leaves it out", min=0)
    ] = 200,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 0,
    cluster: Cluster = None,
    workers: Workers = None,
) -> None:
    """Compare the methods on the same trials, and vary lag, steps and neurons.

    Each row is written to quality.json when it is measured; an interrupted run resumes when the
    command is repeated.
    """
    console = Console()
    with errors_reported():
        from rtdecode.bench.quality import TableRequest, bench_quality
        from rtdecode.offline.screen_masks import whole_screen_warning

        with progress_bar(console) as progress:
            task = progress.add_task("quality", total=None, status="")

            def report(what: str) -> None:
                progress.update(task, status=what)
                print_plain(progress.console, what)

            request = TableRequest(
                data,
                tuple(twin or ()),
                tier=tier,
                mask=mask,
                trials=trials,
                iterations=iterations,
                device=_device_with(cluster, device),
            )
            with computing(threads, cluster, workers) as shared:
                rows = bench_quality(request, out, clock=HostClock(), report=report, workers=shared)
        console.print(quality_table(rows))
        if warning := whole_screen_warning(request.mask, request.twins):
            print_warning(warning)


def _device_with(cluster: str | None, device: Device) -> Device:
    """The device where trials are shared by `cluster`, whose workers have the CPU alone."""
    if cluster is not None and device is Device.CUDA:
        raise typer.BadParameter("--device cuda does not go with --cluster: leave one of them out")
    return device if cluster is None else Device.CPU


@contextmanager
def computing(threads: int, cluster: str | None, workers: int | None) -> Iterator[SharedBy]:
    """Workers of `--cluster` and `--workers`; each computes with as many threads as this process.

    Sums depend on the number of threads in their last digits.
    """
    from rtdecode.decode.compute import prepare_process

    used = threads_used(threads, shared=cluster is not None)
    prepare = partial(prepare_process, threads=used)
    prepare()
    with named_cluster(cluster, workers=workers or usable_cores(), prepare=prepare) as shared:
        yield shared


def summary_table(summary: dict[str, Any]) -> Table:
    """Table of each metric with its interval, and of the computing cost."""
    table = Table("metric", "mean", "95 % interval over clips", box=None, header_style="dim")
    for metric in ("video_r", "frame_r", "ssim", "shift_ms"):
        value = summary[metric]
        low, high = value["ci95"]
        if value["mean"] is None:  # still images have no time
            continue
        table.add_row(metric, f"{value['mean']:.3f}", f"{low:.3f} to {high:.3f}")
    table.add_row("twin passes per frame", f"{summary['twin_passes_per_frame']:.3g}", "")
    table.add_row("ms per frame", f"{1000 * summary['seconds_per_frame']:.2f}", "")
    return table


def quality_table(rows: list[dict[str, Any]]) -> Table:
    """Benchmark table with a row for each method and setting."""
    table = Table(
        "method", "lag", "steps", "neurons", "video r", "95 %", "frame r", "passes per frame"
    )
    for row in rows:
        low, high = row["video_r"]["ci95"]
        table.add_row(
            row["method"],
            "clip" if row["lag_frames"] is None else str(row["lag_frames"]),
            str(row["steps"]),
            str(row["neurons"]),
            f"{row['video_r']['mean']:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{row['frame_r']['mean']:.3f}",
            f"{row['twin_passes_per_frame']:.3g}",
        )
    return table
