"""The ladder: every method on the same trials, mask and twin, as JSON and as figures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.fit.ablation import ColdStart, without_prior
from rtdecode.fit.datasets.opening import open_video_session
from rtdecode.fit.datasets.video_session import VideoSession
from rtdecode.fit.mean_frame import mean_frame_of
from rtdecode.fit.methods import FittedTwin, LinearDecoder, MeanFrame, Method, Offline, Online
from rtdecode.fit.reconstruct import (
    Scored,
    fitted_twin,
    reconstruct,
    summary_of,
    trained_clips,
    without_nan,
)
from rtdecode.fit.reconstruction_run import (
    OFFLINE_ITERATIONS,
    free_mask,
    online_config,
    scoring_mask,
)
from rtdecode.fit.reference_curve import reference_curve
from rtdecode.fit.ridge import Ridge, fit_ridge
from rtdecode.fit.trial import Input, Trial, causality_of, trials_of, with_neurons
from rtdecode.report.benchmark_file import write_benchmark
from rtdecode.report.quality_figures import draw_figures
from rtdecode.schema.errors import MissingFileError, MissingOptionError
from rtdecode.schema.interfaces import Clock

Row = dict[str, Any]

LAG, STEP_COUNT = 8, 3


@dataclass(frozen=True, slots=True)
class Rungs:
    """Which settings of the online decoder are compared with the usual ones."""

    lags: Sequence[int] = (0, 2, 4, LAG, 16, 30)
    steps: Sequence[int] = (1, 2, STEP_COUNT, 10, 30)
    neuron_parts: Sequence[int] = (2, 4, 8)
    """The neurons are divided by these; the others count as missing."""


class Ladder:
    """Runs methods on the trials of one tier and keeps a row for each.

    Parameters
    ----------
    data, twins, mask
        The session, its twins (several make ensembles), and the scored pixels.
    trials
        Numbers of the trials; the same for every rung.
    """

    def __init__(
        self,
        data: VideoSession,
        twins: Sequence[FittedTwin],
        mask: NDArray[np.bool_],
        *,
        tier: str,
        trials: int | None,
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self.data, self.twins, self.mask = data, twins, mask
        self._tier, self._clock, self._report = tier, clock, report
        self._count = len(data.trials(tier)) if trials is None else trials
        self.rows: list[Row] = []

    def trials(self, kind: Input = Input.RESPONSES) -> Iterable[Trial]:
        """The trials, one in memory at a time."""
        found = trials_of(self.data, self._tier, kind, twin=self.twins[0].twin)
        return (trial for _, trial in zip(range(self._count), found, strict=False))

    def run(
        self,
        name: str,
        method: Method,
        *,
        kind: Input = Input.RESPONSES,
        kept: NDArray[np.bool_] | None = None,
        twins: int = 1,
    ) -> None:
        """Add the row of one method; `kept` are the neurons that are heard."""
        self._report(name)
        everyone = np.ones(self.data.neurons, np.bool_) if kept is None else kept
        trials = (with_neurons(trial, everyone) for trial in self.trials(kind))
        done = reconstruct(
            method,
            trials,
            mask=self.mask,
            clock=self._clock,
            trained=trained_clips([fitted.twin for fitted in self.twins]),
        )
        self.add(name, method, done, kind=kind, neurons=int(everyone.sum()), twins=twins)

    def add(
        self,
        name: str,
        method: Method,
        done: Sequence[Scored],
        *,
        neurons: int,
        kind: Input = Input.RESPONSES,
        twins: int = 1,
    ) -> None:
        """Add a row of scores that are there already."""
        row = summary_of(
            done, method, name=name, causality=causality_of(self.data, kind), neurons=neurons
        )
        self.rows.append({**row, "twins": twins})


def bench_quality(
    folder: Path,
    twins: tuple[Path, ...],
    out: Path,
    *,
    tier: str,
    mask: Path | None,
    trials: int | None,
    iterations: int,
    clock: Clock,
    report: Callable[[str], None],
    rungs: Rungs | None = None,
) -> list[Row]:
    """Run the whole ladder; writes `quality.json` and figures into `out`, gives the rows.

    `iterations` are those of the reference, which is scored at several of them; 0 leaves it out.
    """
    if not twins:
        raise MissingOptionError(option="--twin", needed_for="the ladder")
    data = open_video_session(folder)
    fitted = [fitted_twin(path, neurons=data.neurons) for path in twins]
    pixels = scoring_mask(data, mask, twins)
    ladder = Ladder(data, fitted, pixels, tier=tier, trials=trials, clock=clock, report=report)
    ladder.run("mean", MeanFrame(mean_frame_of(data)))
    ladder.run("ridge", LinearDecoder(_ridge(data, out / f"ridge_lag{LAG}", report)))
    _online_rungs(ladder, rungs or Rungs())
    ladder.run("offline", Offline(fitted[:1], iterations=OFFLINE_ITERATIONS))
    if iterations:
        _reference_rungs(ladder, free_mask(data, mask, twins), iterations)
    settings = {
        "data": str(folder),
        "twins": [str(path) for path in twins],
        "tier": tier,
        "trials": trials,
        "iterations": iterations,
        "scored_pixels": int(pixels.sum()),
    }
    results = without_nan(ladder.rows)
    write_benchmark(out / "quality.json", name="quality", config=settings, results=results)
    draw_figures(ladder.rows, out)
    return ladder.rows


def _online_rungs(ladder: Ladder, rungs: Rungs) -> None:
    one = ladder.twins[:1]
    for lag in rungs.lags:
        ladder.run("online", Online(one, online_config(lag_frames=lag, steps=STEP_COUNT)))
    for steps in rungs.steps:
        if steps != STEP_COUNT:
            ladder.run("online", Online(one, online_config(lag_frames=LAG, steps=steps)))
    usual = online_config(lag_frames=LAG, steps=STEP_COUNT)
    ladder.run("online, cold start", ColdStart(one[0], usual))
    ladder.run("online, no prior", Online([without_prior(one[0])], usual))
    ladder.run("online, noise-free", Online(one, usual), kind=Input.PREDICTED)
    if _has_traces(ladder.data):
        ladder.run("online, strict", Online(one, usual), kind=Input.TRACES)
    for part in rungs.neuron_parts:
        kept = np.arange(ladder.data.neurons) % part == 0
        ladder.run(f"online, 1/{part} of the neurons", Online(one, usual), kept=kept)
    for size in range(2, len(ladder.twins) + 1):
        ladder.run("online ensemble", Online(ladder.twins[:size], usual), twins=size)


def _reference_rungs(ladder: Ladder, free: NDArray[np.bool_], iterations: int) -> None:
    sizes = sorted({1, len(ladder.twins)})
    for size in sizes:
        curve = reference_curve(
            [fitted.twin for fitted in ladder.twins[:size]],
            ladder.trials(),
            free=free,
            mask=ladder.mask,
            iterations=iterations,
        )
        for method, done in curve:
            ladder.add("reference", method, done, neurons=ladder.data.neurons, twins=size)


def _ridge(data: VideoSession, folder: Path, report: Callable[[str], None]) -> Ridge:
    """The linear decoder, kept in `folder` between runs."""
    report("ridge: fitting")
    try:
        return Ridge.load(folder)
    except MissingFileError:
        ridge = fit_ridge(data, lag_frames=LAG)
        ridge.save(folder)
        return ridge


def _has_traces(data: VideoSession) -> bool:
    try:
        data.traces(0)
    except MissingFileError:
        return False
    return True
