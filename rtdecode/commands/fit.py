"""`rtdecode fit ...`: from a recorded session to a twin, a linear decoder, a mask, the demo mouse.

What needs torch is imported when a command runs: `rtdecode --help` must not take seconds.
"""

import importlib.resources
import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import TrainingLine, errors_told, progress_shown, training_told
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import READOUT_STEPS, STEPS, TrainingConfig

app = typer.Typer(no_args_is_help=True, help="Fit twins, baselines and masks to a session.")

Data = Annotated[
    Path, typer.Option(help="recorded session, ours, Sensorium's or .nwb (see docs/data.md)")
]
Out = Annotated[Path, typer.Option(help="folder to write")]
Seed = Annotated[int, typer.Option(help="of everything that is random")]
Minutes = Annotated[float | None, typer.Option(help="end by then, whatever the steps", min=0.05)]
Threads = Annotated[
    int,
    typer.Option(
        help="CPU threads; 0 for all: fast alone, slow beside other work, where 1 is better", min=0
    ),
]


def threads_used(threads: int) -> int:
    """`threads`, or as many as this process may run on."""
    return threads or len(os.sched_getaffinity(0))


@app.command()
def twin(
    *,
    data: Data,
    out: Out,
    model: Annotated[
        str, typer.Option(help="architecture; compact is the one there is")
    ] = "compact",
    core: Annotated[Path | None, typer.Option(help="fit only a readout to this twin")] = None,
    seed: Seed = 0,
    steps: Annotated[
        int | None,
        typer.Option(help=f"gradient steps; {STEPS}, or {READOUT_STEPS} for a readout", min=50),
    ] = None,
    max_minutes: Minutes = None,
    threads: Threads = 0,
) -> None:
    """Train an encoding model of a session; run the same command again to go on after a kill."""
    console = Console()
    with errors_told():
        from rtdecode.datasets.opening import open_video_session
        from rtdecode.decode.compute import prepare_process
        from rtdecode.train.twin_fit import check_model, fit_compact

        check_model(model)
        prepare_process(threads=threads_used(threads))
        wanted = steps or (STEPS if core is None else READOUT_STEPS)
        config = TrainingConfig(seed=seed, steps=wanted, max_minutes=max_minutes)
        with progress_shown(console) as shown:
            line = TrainingLine(shown, console)
            outcome = fit_compact(
                open_video_session(data),
                out,
                config,
                clock=HostClock(),
                report=lambda now: line.stepped(
                    now.step,
                    now.steps,
                    told=training_told(loss=now.loss, best_r=now.best_r, eta_s=now.eta_s),
                ),
                begun=line.begun,
                core=core,
            )
        r = outcome.single_trial_r
        table = Table("twin", "neurons", "single-trial r", "best at step", "minutes", box=None)
        minutes = outcome.standing.elapsed_s / 60
        table.add_row(
            str(out), str(len(r)), f"{np.nanmean(r):.3f}", str(outcome.standing.best_step),
            f"{minutes:.1f}",
        )  # fmt: skip
        console.print(table)


@app.command()
def ridge(
    *,
    data: Data,
    out: Out,
    lag_frames: Annotated[int, typer.Option(help="frames of activity after a frame", min=0)] = 8,
    threads: Threads = 0,
) -> None:
    """Fit the causal linear decoder at one lag; its penalty is chosen on the validation trials."""
    console = Console()
    with errors_told():
        from rtdecode.datasets.opening import open_video_session
        from rtdecode.decode.compute import prepare_process
        from rtdecode.offline.ridge import fit_ridge

        prepare_process(threads=threads_used(threads))
        tried: list[tuple[float, float]] = []
        with console.status("adding up activity and video"):
            fitted = fit_ridge(
                open_video_session(data),
                lag_frames=lag_frames,
                report=lambda penalty, r: tried.append((penalty, r)),
            )
        fitted.save(out)
        table = Table("penalty", "validation r", box=None)
        for penalty, r in tried:
            table.add_row(f"{penalty:g}" + (" *" if penalty == fitted.penalty else ""), f"{r:.3f}")
        console.print(table)


@app.command()
def mask(
    *,
    data: Data,
    twin: Annotated[Path, typer.Option(help="folder of the session's twin")],
    out: Annotated[Path, typer.Option(help=".npy file to write, (row, col) bool")],
    steps: Annotated[int, typer.Option(help="gradient steps", min=1)] = 1000,
    scored_from: Annotated[float, typer.Option(help="least transparency of a scored pixel")] = 1.0,
    seed: Seed = 0,
    threads: Threads = 0,
) -> None:
    """Find the part of the screen that the population sees; the transparency is kept beside it."""
    console = Console()
    with errors_told():
        from rtdecode.datasets.opening import open_clips
        from rtdecode.decode.compute import prepare_process
        from rtdecode.offline.screen_masks import fit_transparency, save_mask
        from rtdecode.twins.folder import load_twin

        prepare_process(threads=threads_used(threads))
        with progress_shown(console) as shown:
            task = shown.add_task("mask", total=steps, told="")
            alpha = fit_transparency(
                load_twin(twin),
                open_clips(data),
                steps=steps,
                seed=seed,
                report=lambda done: shown.update(task, completed=done),
            )
        scored = save_mask(alpha, out, scored_from=scored_from)
        console.print(f"{out}: {np.count_nonzero(scored)} of {scored.size} pixels are scored")


@app.command("demo-mouse")
def demo_mouse(
    *,
    out: Annotated[Path | None, typer.Option(help="folder; by default the package's own")] = None,
    session: Annotated[Path | None, typer.Option(help="keep the recording here")] = None,
    neurons: Annotated[int | None, typer.Option(help="instead of the demo's number", min=1)] = None,
    seed: Seed = 1,
    steps: Annotated[int, typer.Option(help="gradient steps", min=50)] = STEPS,
    trials: Annotated[int, typer.Option(help="training trials of 30 s", min=1)] = 40,
    max_minutes: Minutes = None,
    threads: Threads = 0,
) -> None:
    """Make the mouse of the demo anew: record the simulated rig, train, write all its files."""
    console = Console()
    with errors_told(), tempfile.TemporaryDirectory() as scratch:
        from rtdecode.decode.compute import prepare_process
        from rtdecode.demo.mouse import DemoPlan, demo_sections, make_demo_mouse

        prepare_process(threads=threads_used(threads))
        folder = Path(str(importlib.resources.files("rtdecode") / "demo_mouse"))
        source, calcium = demo_sections(folder / "demo.yaml", neurons=neurons)
        with progress_shown(console) as shown:
            task = shown.add_task("demo mouse", total=1, told="")
            outcome = make_demo_mouse(
                out or folder,
                session or Path(scratch) / "session",
                DemoPlan(train=trials, seed=seed),
                TrainingConfig(seed=seed, steps=steps, max_minutes=max_minutes),
                source=source,
                calcium=calcium,
                clock=HostClock(),
                report=lambda what, done, total: shown.update(
                    task, description=what, completed=done, total=total
                ),
            )
        console.print(f"{out or folder}: single-trial r {np.nanmean(outcome.single_trial_r):.3f}")
