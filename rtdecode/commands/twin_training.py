"""The fits of `rtdecode fit twin`, `direct` and `mask`, with progress and results in a terminal.

Modules that need torch are imported when a command runs, so that `rtdecode --help` is fast.
"""

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import (
    WorkLine,
    print_plain,
    print_warning,
    progress_bar,
    training_status,
)
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.decode import Device
from rtdecode.schema.config.training import DirectConfig, TrainingConfig


def let_waiting_threads_sleep() -> None:
    """Let threads of OpenMP sleep while they wait for others, unless the user has set otherwise.

    It must be called before torch is imported, which reads the variable. By default they spin, and
    take the processor from the very threads that they wait for: on two cores with much other work a
    step took 2.1 to 3.3 times as long (three interleaved runs), and 2.7 to 3.7 times the CPU time.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class TransformName(StrEnum):
    """Function of the activity that a linear decoder starts from."""

    NONE = "none"
    SQRT = "sqrt"


class MaskMethodName(StrEnum):
    """Procedures of `fit mask`."""

    POSTERIOR = "posterior"
    PUBLISHED = "published"


def trained(
    data: list[Path],
    out: Path,
    config: TrainingConfig,
    line: WorkLine,
    *,
    match: Path | None,
    core: Path | None,
    device: Device,
) -> Any:
    """The outcome of `fit_compact`, with its progress on `line`; several sessions are joined."""
    from rtdecode.datasets.opening import open_sessions
    from rtdecode.decode.compute import usable_device
    from rtdecode.train.twin_fit import fit_compact

    found = usable_device(device)  # before anything long
    return fit_compact(
        open_sessions(data, match=match),
        out,
        config,
        clock=HostClock(),
        report=_shown_by(line),
        work=line.work(),
        core=core,
        device=found,
    )


def population_trained(
    data: list[Path], out: Path, config: TrainingConfig, line: WorkLine, *, device: Device
) -> Mapping[Path, Any]:
    """The outcomes of `fit_population` by folder, with its progress on `line`."""
    from rtdecode.datasets.opening import open_video_session
    from rtdecode.decode.compute import usable_device
    from rtdecode.train.population_fit import fit_population

    found = usable_device(device)
    return fit_population(
        [open_video_session(path) for path in data],
        out,
        config,
        clock=HostClock(),
        report=_shown_by(line),
        work=line.work(),
        device=found,
    )


def direct_trained(
    data: Path,
    out: Path,
    config: DirectConfig,
    console: Console,
    *,
    lag_frames: int,
    device: Device,
) -> None:
    """Fit a direct decoder into `out`; print its r by step, and what it warns of."""
    from rtdecode.datasets.opening import open_video_session
    from rtdecode.decode.compute import usable_device
    from rtdecode.train.direct_fit import fit_direct

    found = usable_device(device)
    with progress_bar(console) as progress:
        line = WorkLine(progress, console)
        outcome = fit_direct(
            open_video_session(data),
            out,
            config,
            lag_frames=lag_frames,
            clock=HostClock(),
            report=_shown_by(line),
            work=line.work(),
            device=found,
        )
    table = Table("step", "validation r", box=None)
    for step, r in outcome.validation_r:
        title = "linear estimate" if step == 0 else str(step)
        table.add_row(title + (" *" if step == outcome.best[0] else ""), f"{r:.3f}")
    console.print(table)
    for warning in outcome.warnings:
        print_warning(warning)
    print_plain(console, f"the direct decoder at a lag of {lag_frames} frames is in {out}")


def mask_made(
    twin: Path, data: Path, out: Path, settings: Any, console: Console, *, device: Device
) -> None:
    """Fit a screen mask by the `MaskSettings` and write it to `out`; print how much is scored."""
    from rtdecode.datasets.opening import open_clips
    from rtdecode.decode.compute import usable_device
    from rtdecode.offline.screen_masks import make_mask

    found = usable_device(device)
    with progress_bar(console) as progress:
        work = WorkLine(progress, console).work()
        scored, warning = make_mask(twin, open_clips(data), out, settings, work=work, device=found)
    if warning is not None:
        print_warning(warning)
    print_plain(
        console,
        f"{out}: {np.count_nonzero(scored)} of {scored.size} pixels are scored "
        f"(method {settings.method.value})",
    )


def _shown_by(line: WorkLine) -> Callable[[Any], None]:
    """Reports the progress of a training to `line`."""
    return lambda now: line.advance(
        now.step,
        now.steps,
        status=training_status(loss=now.loss, best_r=now.best_r, eta_s=now.eta_s),
    )


def print_twins(console: Console, outcomes: Mapping[Path, Any]) -> None:
    """Print a table of the twins that were trained, and what each should not be relied on for."""
    table = Table("twin", "neurons", "single-trial r", "best at step", "minutes", box=None)
    for folder, outcome in outcomes.items():
        r, standing = outcome.single_trial_r, outcome.standing
        table.add_row(
            str(folder), str(len(r)), f"{np.nanmean(r):.3f}", str(standing.best_step),
            f"{standing.elapsed_s / 60:.1f}",
        )  # fmt: skip
    console.print(table)
    for folder, outcome in outcomes.items():
        for warning in outcome.warnings:
            print_warning(warning)
        print_plain(console, f"twin, prior, noise model and uncertainty are in {folder}")
