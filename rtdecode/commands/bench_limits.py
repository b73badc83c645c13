"""`rtdecode bench resolution|limits|errors`: what limits a reconstruction.

Modules that need torch are imported when a command runs, so that `rtdecode --help` is fast.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain, progress_bar
from rtdecode.commands.fit import DeviceOption, Threads, threads_used
from rtdecode.commands.reconstruct import Mask, Tier, Twins
from rtdecode.schema.config.decode import Device

app = typer.Typer()

Session = Annotated[
    Path | None,
    typer.Option(
        "--data", help="recorded session; by default the demo mouse, whose session is simulated"
    ),
]
Result = Annotated[
    Path, typer.Option("--json", help="write each row to this file when it is computed")
]
Figures = Annotated[Path | None, typer.Option("--out", help="folder for the figure")]
Count = Annotated[
    int | None,
    typer.Option(
        help="number of trials, the first of the tier; by default all, 4 of the demo", min=1
    ),
]

Report = Callable[[str, int, int], None]


@app.command(epilog="Example: rtdecode bench resolution --json resolution.json --out figures")
def resolution(
    *,
    json_file: Result,
    data: Session = None,
    twin: Twins = None,
    out: Figures = None,
    mask: Mask = None,
    clips: Annotated[int, typer.Option(help="clips of each stimulus", min=1)] = 3,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 1,
) -> None:
    """Measure video r over spatial and temporal scale, with noise and gratings as stimuli.

    The twin predicts the activity, without noise and with its noise model. An interrupted run
    resumes when the command is repeated.
    """
    with _study("resolution", threads, device) as (report, found):
        from rtdecode.bench.resolution import ResolutionSettings, bench_resolution
        from rtdecode.bench.resolution_figure import draw_resolution

        subject = _subject(data, twin, mask=mask, tier="test", trials=1, device=found)
        settings = ResolutionSettings(clips=clips)
        rows = bench_resolution(subject, settings, json_file, report=report)
        if out is not None:
            draw_resolution(rows, out)


@app.command(epilog="Example: rtdecode bench limits --json limits.json --out figures --trials 2")
def limits(
    *,
    json_file: Result,
    data: Session = None,
    twin: Twins = None,
    out: Figures = None,
    mask: Mask = None,
    tier: Tier = "test",
    trials: Count = None,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 1,
) -> None:
    """Measure what each limit of neurons, twin, microscope, behaviour and gaze costs in video r.

    Each row has the paired difference to the row without its limit. An interrupted run resumes when
    the command is repeated.
    """
    with _study("limits", threads, device) as (report, found):
        from rtdecode.bench.limits import LimitSettings, bench_limits
        from rtdecode.bench.limits_figure import draw_limits

        subject = _subject(data, twin, mask=mask, tier=tier, trials=trials, device=found)
        rows = bench_limits(subject, LimitSettings(), json_file, report=report)
        if out is not None:
            draw_limits(rows, out)


@app.command(epilog="Example: rtdecode bench errors --json errors.json --out figures --trials 2")
def errors(
    *,
    json_file: Result,
    data: Session = None,
    twin: Twins = None,
    out: Figures = None,
    mask: Mask = None,
    tier: Tier = "test",
    trials: Count = None,
    draws: Annotated[
        int, typer.Option(help="draws of activity for the errors that noise makes", min=4)
    ] = 16,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 1,
) -> None:
    """Measure where and when the reconstruction departs from the display beyond noise.

    Noise is drawn from the noise model of the twin. An interrupted run resumes when the command is
    repeated.
    """
    with _study("errors", threads, device) as (report, found):
        from rtdecode.bench.errors import ErrorSettings, bench_errors
        from rtdecode.bench.errors_figure import draw_errors

        subject = _subject(data, twin, mask=mask, tier=tier, trials=trials, device=found)
        rows = bench_errors(subject, ErrorSettings(draws=draws), json_file, report=report)
        if out is not None:
            draw_errors(rows, out)


@contextmanager
def _study(name: str, threads: int, device: Device) -> Iterator[tuple[Report, Any]]:
    """What a study reports to, a bar and a line for each row; and the device that `device` is."""
    console = Console()
    with errors_reported():
        from rtdecode.decode.compute import prepare_process, usable_device

        prepare_process(threads=threads_used(threads))
        found = usable_device(device)
        with progress_bar(console) as progress:
            task = progress.add_task(name, total=None, status="")

            def report(line: str, done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)
                print_plain(progress.console, f"{done} of {total}: {line}")

            yield report, found


def _subject(
    data: Path | None,
    twins: list[Path] | None,
    *,
    mask: Path | None,
    tier: str,
    trials: int | None,
    device: Any,
) -> Any:
    """The recorded session with its twins, or the demo mouse with its own."""
    if data is None:
        from rtdecode.bench.demo_subject import DemoSettings, demo_subject

        return demo_subject(DemoSettings(clips=trials or DemoSettings().clips), device=device)
    from rtdecode.bench.subject import recorded_subject

    return recorded_subject(data, twins or (), mask=mask, tier=tier, count=trials, device=device)
