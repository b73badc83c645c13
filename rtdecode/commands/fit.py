"""`rtdecode fit`: fits a twin, a baseline decoder, a screen mask or the demo mouse to a session.

Modules that need torch are imported when a command runs, so that `rtdecode --help` is fast.
"""

import importlib.resources
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import (
    WorkLine,
    errors_reported,
    print_plain,
    print_warning,
    progress_bar,
)
from rtdecode.commands.twin_training import (
    MaskMethodName,
    TransformName,
    direct_trained,
    let_waiting_threads_sleep,
    mask_made,
    population_trained,
    print_twins,
    trained,
)
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.platform import usable_cores
from rtdecode.schema.config.decode import Device
from rtdecode.schema.config.training import (
    MASK_FRACTION,
    READOUT_STEPS,
    STEPS,
    DirectConfig,
    TrainingConfig,
)

app = typer.Typer(no_args_is_help=True, help="Fit a twin, a decoder or a screen mask to a session.")

_CONTINUES = "the same command continues the training from its last saved step"

Data = Annotated[
    Path,
    typer.Option(help="recorded session: its folder, one of Sensorium, or .nwb (docs/data.md)"),
]
Out = Annotated[Path, typer.Option(help="folder to write")]
Seed = Annotated[int, typer.Option(help="seed of all random numbers")]
Minutes = Annotated[
    float | None, typer.Option(help="time limit of the training, in minutes", min=0.05)
]
Threads = Annotated[
    int,
    typer.Option(help="number of CPU threads; 0 uses all cores (use 1 beside other work)", min=0),
]


Core = Annotated[
    Path | None, typer.Option(help="twin folder whose filters are kept; only a readout is fitted")
]
DeviceOption = Annotated[Device, typer.Option(help="processor: auto, cpu or cuda (docs/data.md)")]
LagFrames = Annotated[int, typer.Option(help="frames of activity after the decoded one", min=0)]


def threads_used(threads: int, *, shared: bool = False) -> int:
    """`threads`; where it is 0 all cores that may be used, or 1 for each of many workers."""
    return threads or (1 if shared else usable_cores())


@app.command(epilog="Example: rtdecode fit twin --data sessions/2026-11-24_10-15-00 --out twin")
def twin(
    *,
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="recorded session: its folder, one of Sensorium, or .nwb (docs/data.md); repeat "
            "the option for several sessions of one mouse, or with --population for several mice",
        ),
    ],
    out: Out,
    model: Annotated[
        str, typer.Option(help="architecture; only compact can be trained")
    ] = "compact",
    match: Annotated[
        Path | None,
        typer.Option(help="table of the places of the same neurons in each --data (docs/data.md)"),
    ] = None,
    population: Annotated[
        bool,
        typer.Option("--population", help="a twin of each --data with shared filters: OUT/NAME"),
    ] = False,
    core: Core = None,
    seed: Seed = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"gradient steps; {STEPS} by default, {READOUT_STEPS} for a readout", min=50
        ),
    ] = None,
    max_minutes: Minutes = None,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 0,
) -> None:
    """Train an encoding model; an interrupted run resumes when the command is repeated."""
    if population and (match or core or len(data) < 2):  # noqa: PLR2004
        raise typer.BadParameter(
            "--population needs two --data or more, and goes with neither --match nor --core"
        )
    if match and len(data) < 2:  # noqa: PLR2004
        raise typer.BadParameter("--match needs two --data or more")
    console = Console()
    with errors_reported(interrupted=_CONTINUES):
        let_waiting_threads_sleep()
        from rtdecode.decode.compute import prepare_process
        from rtdecode.train.twin_fit import check_model

        check_model(model)
        prepare_process(threads=threads_used(threads))
        wanted = steps or (STEPS if core is None else READOUT_STEPS)
        config = TrainingConfig(seed=seed, steps=wanted, max_minutes=max_minutes)
        with progress_bar(console) as progress:
            line = WorkLine(progress, console)
            if population:
                outcomes = population_trained(data, out, config, line, device=device)
            else:
                outcome = trained(data, out, config, line, match=match, core=core, device=device)
                outcomes = {out: outcome}
        print_twins(console, outcomes)


@app.command(epilog="Example: rtdecode fit ridge --data sessions/2026-11-24_10-15-00 --out ridge")
def ridge(
    *,
    data: Data,
    out: Out,
    lag_frames: LagFrames = 8,
    transform: Annotated[
        TransformName, typer.Option(help="function of the activity that is decoded")
    ] = TransformName.NONE,
    threads: Threads = 0,
) -> None:
    """Fit a causal linear decoder at one lag; validation trials choose its penalty."""
    console = Console()
    with errors_reported():
        from rtdecode.datasets.opening import open_video_session
        from rtdecode.decode.compute import prepare_process
        from rtdecode.offline.linear_features import Transform
        from rtdecode.offline.ridge import fit_ridge, ridge_warnings

        prepare_process(threads=threads_used(threads))
        session = open_video_session(data)
        tried: list[tuple[float, float]] = []
        with progress_bar(console) as progress:
            fitted = fit_ridge(
                session,
                lag_frames=lag_frames,
                transform=Transform(transform.value),
                report=lambda penalty, r: tried.append((penalty, r)),
                work=WorkLine(progress, console).work(),
            )
        fitted.save(out)
        table = Table("penalty", "validation r", box=None)
        for penalty, r in tried:
            table.add_row(f"{penalty:g}" + (" *" if penalty == fitted.penalty else ""), f"{r:.3f}")
        console.print(table)
        for warning in ridge_warnings(fitted, session, tried):
            print_warning(warning)
        print_plain(console, f"the linear decoder at a lag of {lag_frames} frames is in {out}")


@app.command(epilog="Example: rtdecode fit direct --data sessions/2026-11-24_10-15-00 --out direct")
def direct(
    *,
    data: Data,
    out: Out,
    lag_frames: LagFrames = 8,
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(help="gradient steps", min=25)] = DirectConfig().steps,
    max_minutes: Minutes = None,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 0,
) -> None:
    """Fit the direct deep decoder, a causal network from activity to video, at one lag."""
    console = Console()
    with errors_reported():
        from rtdecode.decode.compute import prepare_process

        prepare_process(threads=threads_used(threads))
        config = DirectConfig(seed=seed, steps=steps, max_minutes=max_minutes)
        direct_trained(data, out, config, console, lag_frames=lag_frames, device=device)


@app.command(
    epilog="Example: rtdecode fit mask --data sessions/2026-11-24_10-15-00 --twin twin"
    " --out twin/mask.npy"
)
def mask(
    *,
    data: Data,
    twin: Annotated[Path, typer.Option(help="folder of the session's twin")],
    out: Annotated[Path, typer.Option(help="screen mask to write: .npy, (row, col) bool")],
    method: Annotated[
        MaskMethodName | None,
        typer.Option(
            help="posterior: pixels whose variance the activity reduces by --fraction; published: "
            "the procedure of Bauer et al. 2026. By default posterior, where the twin has a prior "
            "and a noise model"
        ),
    ] = None,
    fraction: Annotated[
        float,
        typer.Option(help="posterior: reduction of a scored pixel's variance", min=0.01, max=1),
    ] = MASK_FRACTION,
    steps: Annotated[int, typer.Option(help="published: gradient steps", min=1)] = 1000,
    scored_from: Annotated[
        float,
        typer.Option(help="minimum transparency of a scored pixel; posterior: in --fraction"),
    ] = 1.0,
    seed: Seed = 0,
    device: DeviceOption = Device.AUTO,
    threads: Threads = 0,
) -> None:
    """Fit the screen mask, the pixels that the population represents, and its transparency.

    Where no pixel would be scored, the mask has the whole screen, and a warning says what to do.
    """
    console = Console()
    with errors_reported():
        from rtdecode.decode.compute import prepare_process
        from rtdecode.offline.screen_masks import MaskMethod, MaskSettings, default_method

        prepare_process(threads=threads_used(threads))
        chosen = default_method(twin) if method is None else MaskMethod(method.value)
        settings = MaskSettings(chosen, fraction, steps, scored_from, seed)
        mask_made(twin, data, out, settings, console, device=device)


@app.command("demo-mouse", epilog="Example: rtdecode fit demo-mouse --out mouse --neurons 200")
def demo_mouse(
    *,
    out: Annotated[
        Path | None, typer.Option(help="folder to write; the package's own by default")
    ] = None,
    session: Annotated[Path | None, typer.Option(help="folder that keeps the recording")] = None,
    neurons: Annotated[
        int | None, typer.Option(help="number of neurons; the demo's by default", min=1)
    ] = None,
    seed: Seed = 1,
    steps: Annotated[int, typer.Option(help="gradient steps", min=50)] = STEPS,
    trials: Annotated[int, typer.Option(help="number of training trials of 30 s", min=1)] = 40,
    max_minutes: Minutes = None,
    threads: Threads = 0,
) -> None:
    """Make the demo mouse: record the simulated rig, train its twin, write all its files."""
    console = Console()
    with errors_reported(), tempfile.TemporaryDirectory() as scratch:
        from rtdecode.decode.compute import prepare_process
        from rtdecode.demo.mouse import DemoPlan, demo_rig, make_demo_mouse

        prepare_process(threads=threads_used(threads))
        folder = Path(str(importlib.resources.files("rtdecode") / "demo_mouse"))
        rig = demo_rig(folder / "demo.yaml", neurons=neurons, clock=HostClock())
        with progress_bar(console) as progress:
            line = WorkLine(progress, console)
            outcome = make_demo_mouse(
                out or folder,
                session or Path(scratch) / "session",
                rig,
                DemoPlan(train=trials, seed=seed),
                config=TrainingConfig(seed=seed, steps=steps, max_minutes=max_minutes),
                work=line.work(),
            )
        print_plain(
            console, f"{out or folder}: single-trial r {np.nanmean(outcome.single_trial_r):.3f}"
        )
