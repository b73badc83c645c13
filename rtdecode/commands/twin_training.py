"""The trainings behind `rtdecode fit twin`, with their progress and their results in a terminal.

Modules that need torch are imported when a command runs, so that `rtdecode --help` is fast.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rtdecode.commands.console import WorkLine, print_plain, print_warning, training_status
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import TrainingConfig


def trained(
    data: list[Path],
    out: Path,
    config: TrainingConfig,
    line: WorkLine,
    *,
    match: Path | None,
    core: Path | None,
) -> Any:
    """The outcome of `fit_compact`, with its progress on `line`; several sessions are joined."""
    from rtdecode.datasets.opening import open_sessions
    from rtdecode.train.twin_fit import fit_compact

    return fit_compact(
        open_sessions(data, match=match),
        out,
        config,
        clock=HostClock(),
        report=_shown_by(line),
        work=line.work(),
        core=core,
    )


def population_trained(
    data: list[Path], out: Path, config: TrainingConfig, line: WorkLine
) -> Mapping[Path, Any]:
    """The outcomes of `fit_population` by folder, with its progress on `line`."""
    from rtdecode.datasets.opening import open_video_session
    from rtdecode.train.population_fit import fit_population

    return fit_population(
        [open_video_session(path) for path in data],
        out,
        config,
        clock=HostClock(),
        report=_shown_by(line),
        work=line.work(),
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
