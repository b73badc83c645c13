"""The table: every method on the same trials, mask and twin, as JSON and as figures."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.ablation import cold_start, without_prediction, without_prior
from rtdecode.bench.method_table import MethodTable
from rtdecode.bench.quality_figures import draw_figures
from rtdecode.bench.reference_curve import reference_curve, stops_until
from rtdecode.bench.result_file import KeptRows, Row
from rtdecode.datasets.opening import open_video_session
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.noise import NOISE_FILE
from rtdecode.decode.prior import PRIOR_FILE
from rtdecode.evaluate.metrics import ClipScores
from rtdecode.offline.methods import LinearDecoder, MeanFrame, Offline, Online, Reference
from rtdecode.offline.reconstruct import Scored
from rtdecode.offline.reconstruction_run import (
    OFFLINE_ITERATIONS,
    free_mask,
    online_config,
    scoring_mask,
)
from rtdecode.offline.ridge import Ridge, fit_ridge, mean_frame_of
from rtdecode.offline.trial import Input, Trial
from rtdecode.schema.errors import MissingFileError, MissingOptionError
from rtdecode.schema.interfaces import Clock
from rtdecode.session.environment import git_revision, package_versions
from rtdecode.twins.folder import twin_hash

LAG, STEP_COUNT = 8, 3


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Which settings of the online decoder are compared with the usual ones."""

    lags: Sequence[int] = (0, 2, 4, LAG, 16, 30)
    steps: Sequence[int] = (1, 2, STEP_COUNT, 10, 30)
    neuron_parts: Sequence[int] = (2, 4, 8)
    """The neurons are divided by these; the others count as missing."""


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
    settings_of_rows: TableSettings | None = None,
) -> list[Row]:
    """Run the whole table; writes `quality.json` and figures into `out`, gives the rows.

    The file grows row by row, and the reference's scores trial by trial beside it. What is there
    already, of the same settings, data, twins, mask and commit, is not run again.

    `iterations` are those of the reference, which is scored at several of them; 0 leaves it out.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        If `out` holds rows that cannot be gone on with; they stay as they are.
    """
    if not twins:
        raise MissingOptionError(option="--twin", needed_for="the table")
    data = open_video_session(folder)
    fitted = [load_fitted_twin(path, neurons=data.neurons) for path in twins]
    pixels, free = scoring_mask(data, mask, twins), free_mask(data, mask, twins)
    settings = {
        "data": str(folder),
        "twins": [str(path) for path in twins],
        "tier": tier,
        "trials": trials,
        "iterations": iterations,
        "scored_pixels": int(pixels.sum()),
        "hash_of_trials": _hash_of_trials(data, tier, trials),
        "hash_of_twins": [_hash_of_twin(path) for path in twins],
        "hash_of_masks": _hash([pixels.tobytes(), free.tobytes()]),
        "code": _code(),
    }
    kept = KeptRows(out / "quality.json", name="quality", config=settings)
    parts = KeptRows(out / "reference_trials.json", name="reference trials", config=settings)
    table = MethodTable(
        data, fitted, pixels, kept, tier=tier, trials=trials, clock=clock, report=report
    )
    try:
        _linear_rows(table, out / f"ridge_lag{LAG}")
        _online_rows(table, settings_of_rows or TableSettings())
        table.run("offline", Offline(fitted[:1], iterations=OFFLINE_ITERATIONS))
        if iterations:
            _reference_rows(table, parts, free, iterations)
    finally:
        if kept.rows:
            draw_figures(kept.rows, out)
    return kept.rows


def _linear_rows(table: MethodTable, folder: Path) -> None:
    """The two that are made of the training trials, which takes a while."""
    if not table.has("mean", lag_frames=0, steps=0):
        table.run("mean", MeanFrame(mean_frame_of(table.data)))
    if not table.has("ridge", lag_frames=LAG, steps=0):
        table.run("ridge", LinearDecoder(_ridge(table, folder)))


def _online_rows(table: MethodTable, settings_of_rows: TableSettings) -> None:
    one = table.twins[:1]
    for lag in settings_of_rows.lags:
        table.run("online", Online(one, online_config(lag_frames=lag, steps=STEP_COUNT)))
    for steps in settings_of_rows.steps:
        if steps != STEP_COUNT:
            table.run("online", Online(one, online_config(lag_frames=LAG, steps=steps)))
    usual = online_config(lag_frames=LAG, steps=STEP_COUNT)
    table.run("online, cold start", cold_start(one[0], usual))
    table.run("online, new frames start at the mean", without_prediction(one[0], usual))
    table.run("online, no prior", Online([without_prior(one[0])], usual))
    table.run("online, noise-free", Online(one, usual), kind=Input.PREDICTED)
    if _has_traces(table.data):
        table.run("online, causal input", Online(one, usual), kind=Input.TRACES)
    for part in settings_of_rows.neuron_parts:
        kept = np.arange(table.data.neurons) % part == 0
        table.run(f"online, 1/{part} of the neurons", Online(one, usual), kept=kept)
    for size in range(2, len(table.twins) + 1):
        table.run("online ensemble", Online(table.twins[:size], usual), twins=size)


def _reference_rows(
    table: MethodTable, parts: KeptRows, free: NDArray[np.bool_], iterations: int
) -> None:
    for size in sorted({1, len(table.twins)}):
        twins = [fitted.twin for fitted in table.twins[:size]]
        missing = {
            place: Reference(twins, free, iterations=stop)
            for place, stop in enumerate(stops_until(iterations))
            if not table.has("reference", lag_frames=None, steps=stop, twins=size)
        }
        if missing:
            longest = Reference(twins, free, iterations=iterations)
            curves = [_curve(table, parts, longest, trial) for trial in table.trials()]
            for place, method in missing.items():
                done = [curve[place] for curve in curves]
                table.add("reference", method, done, neurons=table.data.neurons, twins=size)


def _curve(table: MethodTable, parts: KeptRows, method: Reference, trial: Trial) -> list[Scored]:
    """Scores of one trial along the reference's way, kept in `parts` between runs."""
    which = {"twins": len(method.twins), "trial": trial.number}
    title = f"reference (twins: {which['twins']}, trial {trial.number})"
    part = parts.find(**which)
    table.report(title if part is None else f"{title}: there already")
    if part is None:
        scored = reference_curve(
            method.twins,
            trial,
            free=method.mask,
            mask=table.mask,
            iterations=method.iterations,
        )
        part = {**which, "curve": [asdict(one) for one in scored]}
        parts.add(part)
    return [Scored(**{**one, "scores": ClipScores(**one["scores"])}) for one in part["curve"]]


def _ridge(table: MethodTable, folder: Path) -> Ridge:
    """The linear decoder, which is left in `folder` for whoever wants it."""
    table.report("ridge: fitting")
    ridge = fit_ridge(table.data, lag_frames=LAG)
    ridge.save(folder)
    return ridge


def _has_traces(data: VideoSession) -> bool:
    try:
        data.traces(0)
    except MissingFileError:
        return False
    return True


def _hash_of_trials(data: VideoSession, tier: str, count: int | None) -> str:
    cuts = (data.segment(number) for number in data.trials(tier)[:count])
    return _hash(a.tobytes() for cut in cuts for a in (cut.video, cut.responses, cut.behaviour))


def _hash_of_twin(folder: Path) -> str:
    """Of all that takes part: a twin that is fitted again is another, whatever its name."""
    beside = [(folder / name).read_bytes() for name in (PRIOR_FILE, NOISE_FILE)]
    return _hash([twin_hash(folder).encode(), *beside])


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]


def _code() -> str:
    """What rows must have in common beside the settings; uncommitted changes only as `-dirty`."""
    versions = package_versions()
    names = ("rtdecode", "torch", "numpy", "scipy")
    return ", ".join([git_revision(), *(f"{name} {versions.get(name)}" for name in names)])
