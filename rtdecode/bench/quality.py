"""`rtdecode bench quality`: all reconstruction methods on the same trials, mask and twin.

The rows are written to `quality.json`, and drawn against lag, compute and number of neurons.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.ablation import cold_start, without_prediction, without_prior
from rtdecode.bench.faults import with_scan_artefacts, with_stuck_neurons
from rtdecode.bench.method_table import Comparison, MethodTable
from rtdecode.bench.quality_figures import draw_figures
from rtdecode.bench.reference_curve import reference_curve, stops_until
from rtdecode.bench.result_file import KeptRows, Row, code_version
from rtdecode.datasets.opening import open_video_session
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.compute import device_name, usable_device
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.noise import NOISE_FILE
from rtdecode.decode.prior import PRIOR_FILE
from rtdecode.evaluate.metrics import ClipScores
from rtdecode.offline.job import Scored
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.methods import (
    Direct,
    LinearDecoder,
    MeanFrame,
    Method,
    Offline,
    Online,
    Reference,
)
from rtdecode.offline.reconstruct import OFFLINE_ITERATIONS, online_config
from rtdecode.offline.ridge import fit_ridge, mean_frame_of
from rtdecode.offline.screen_masks import free_mask, scoring_mask
from rtdecode.offline.trial import Input, Trial
from rtdecode.runtime.cluster import Workers, in_this_process
from rtdecode.schema.config.decode import Device
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.errors import MissingFileError, MissingOptionError
from rtdecode.schema.interfaces import Clock
from rtdecode.train.direct_fit import fit_direct
from rtdecode.twins.record import twin_hash

LAG, STEP_COUNT = 8, 3
RIDGE, ROOT_RIDGE, DIRECT = "ridge", "ridge, square root of activity", "direct"
"""Names of the rows of the decoders that are fitted to the training trials."""
CAUSAL = ", causal input"
"""Ending of the name of a row with raw scans through the online calcium chain."""


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Settings of the online decoder that are compared with the usual ones, and of a baseline."""

    lags: Sequence[int] = (0, 2, 4, LAG, 16, 30)
    steps: Sequence[int] = (1, 2, STEP_COUNT, 10, 30)
    neuron_parts: Sequence[int] = (2, 4, 8)
    """Divisors n: every n-th neuron is used, the others are treated as not measured."""
    direct: DirectConfig = field(default_factory=DirectConfig)
    """Training of the direct decoder."""


@dataclass(frozen=True, slots=True)
class TableRequest:
    """What a table is computed from, as `rtdecode bench quality` receives it."""

    data: Path
    twins: tuple[Path, ...]
    tier: str = "test"
    mask: Path | None = None
    """As for `rtdecode reconstruct`."""
    trials: int | None = None
    """Number of trials, from the first of the tier on; None for all."""
    iterations: int = 0
    """Iterations of the published procedure, which is scored at several of them; 0 for none."""
    device: Device = Device.CPU
    """Where twins compute and the direct decoder is trained; the baselines decode on the CPU."""
    settings: TableSettings = field(default_factory=TableSettings)


def bench_quality(
    request: TableRequest,
    out: Path,
    *,
    clock: Clock,
    report: Callable[[str], None],
    workers: Workers = in_this_process,
) -> list[Row]:
    """Compute the table, write `quality.json` and figures into `out`, and return the rows.

    Each row is written as soon as it is computed, and so are the scores of each trial of the
    published procedure (`reference_trials.json`). An interrupted run resumes when it is repeated
    with the same settings, data, twins, mask and code.

    Raises
    ------
    MissingOptionError
        If `request` names no twin.
    DeviceUnavailableError
        If a GPU is asked for and there is none.
    OtherSettingsError, DamagedResultError
        If `out` holds rows of other settings, or a damaged file; neither is changed.
    """
    if not request.twins:
        raise MissingOptionError(option="--twin", needed_for="bench quality")
    device = usable_device(request.device)
    data = open_video_session(request.data)
    fitted = [
        load_fitted_twin(one, neurons=data.neurons, session=request.data, device=device)
        for one in request.twins
    ]
    mask = scoring_mask(data, request.mask, request.twins)
    free = free_mask(data, request.mask, request.twins)
    compared = Comparison(data, fitted, mask, request.tier, request.trials)
    settings = _config(request, compared, free)
    kept = KeptRows(out / "quality.json", name="quality", config=settings)
    parts = KeptRows(out / "reference_trials.json", name="reference trials", config=settings)
    table = MethodTable(compared, kept, clock=clock, report=report, workers=workers)
    try:
        baseline_rows(table, out, request.settings.direct, clock=clock)
        _online_rows(table, request.settings)
        table.run("offline", Offline(fitted[:1], iterations=OFFLINE_ITERATIONS))
        if request.iterations:
            _reference_rows(table, parts, free, request.iterations)
    finally:
        if kept.rows:
            draw_figures(kept.rows, out)
    return kept.rows


def baseline_rows(
    table: MethodTable,
    out: Path,
    config: DirectConfig,
    *,
    clock: Clock,
    kinds: Sequence[Input] = (Input.RESPONSES,),
) -> None:
    """The baselines that are fitted to the training trials; `out` keeps the fitted decoders.

    They are fitted to the responses of the session; `kinds` are the activity that they decode.
    """
    if not table.has("mean", lag_frames=0, steps=0):
        table.run("mean", MeanFrame(mean_frame_of(table.compared.data)))
    fits: dict[str, Callable[[], Method]] = {
        RIDGE: lambda: _ridge(table, out / f"ridge_lag{LAG}", Transform.NONE),
        ROOT_RIDGE: lambda: _ridge(table, out / f"ridge_sqrt_lag{LAG}", Transform.SQRT),
        DIRECT: lambda: _direct(table, out / f"direct_lag{LAG}", config, clock),
    }
    for name, fit in fits.items():
        titles = {kind: name if kind is Input.RESPONSES else f"{name}{CAUSAL}" for kind in kinds}
        missing = {
            kind: title
            for kind, title in titles.items()
            if not table.has(title, lag_frames=LAG, steps=0)
        }
        if missing:
            method = fit()
            for kind, title in missing.items():
                table.run(title, method, kind=kind)


def _online_rows(table: MethodTable, settings: TableSettings) -> None:
    one = table.compared.twins[:1]
    for lag in settings.lags:
        table.run("online", Online(one, online_config(lag_frames=lag, steps=STEP_COUNT)))
    for steps in settings.steps:
        if steps != STEP_COUNT:
            table.run("online", Online(one, online_config(lag_frames=LAG, steps=steps)))
    usual = online_config(lag_frames=LAG, steps=STEP_COUNT)
    table.run("online, cold start", cold_start(one[0], usual))
    table.run("online, new frames start at the mean", without_prediction(one[0], usual))
    table.run("online, no prior", Online([without_prior(one[0])], usual))
    table.run("online, noise-free", Online(one, usual), kind=Input.PREDICTED)
    if has_traces(table.compared.data):
        table.run(f"online{CAUSAL}", Online(one, usual), kind=Input.TRACES)
    for part in settings.neuron_parts:
        kept = np.arange(table.compared.data.neurons) % part == 0
        table.run(f"online, 1/{part} of the neurons", Online(one, usual), kept=kept)
    table.run("online, 1 % of neurons stuck", Online(one, usual), fault=with_stuck_neurons)
    table.run("online, 5 % of scans × 20", Online(one, usual), fault=with_scan_artefacts)
    for size in range(2, len(table.compared.twins) + 1):
        table.run("online ensemble", Online(table.compared.twins[:size], usual), twins=size)


def _reference_rows(
    table: MethodTable, parts: KeptRows, free: NDArray[np.bool_], iterations: int
) -> None:
    for size in sorted({1, len(table.compared.twins)}):
        twins = [fitted.twin for fitted in table.compared.twins[:size]]
        missing = {
            place: Reference(twins, free, iterations=stop)
            for place, stop in enumerate(stops_until(iterations))
            if not table.has("reference", lag_frames=None, steps=stop, twins=size)
        }
        if missing:
            longest = Reference(twins, free, iterations=iterations)
            curves = _curves(table, parts, longest)
            for place, method in missing.items():
                done = [curve[place] for curve in curves]
                table.add(
                    "reference", method, done, neurons=table.compared.data.neurons, twins=size
                )


def _curves(table: MethodTable, parts: KeptRows, method: Reference) -> list[list[Scored]]:
    """Scores of each trial after each of the iterations, kept in `parts` between runs."""
    size = len(method.twins)
    trials = list(table.compared.trials())
    missing = [one for one in trials if parts.find(twins=size, trial=one.number) is None]
    found = table.workers(_reference_scores, (method, table.compared.mask), missing)
    curves = []
    for trial in trials:
        which = {"twins": size, "trial": trial.number}
        title = f"reference (twins: {size}, trial {trial.number})"
        part = parts.find(**which)
        table.report(title if part is None else f"{title}: exists already")
        if part is None:
            part = {**which, "curve": [asdict(one) for one in next(found)]}
            parts.add(part)
        curves.append([_as_scored(one) for one in part["curve"]])
    return curves


def _reference_scores(shared: tuple[Reference, NDArray[np.bool_]], trial: Trial) -> list[Scored]:
    method, mask = shared
    return reference_curve(
        method.twins, trial, free=method.mask, mask=mask, iterations=method.iterations
    )


def _as_scored(plain: dict[str, Any]) -> Scored:
    return Scored(**{**plain, "scores": ClipScores(**plain["scores"])})


def _ridge(table: MethodTable, folder: Path, transform: Transform) -> LinearDecoder:
    """Fit the linear decoder and save it in `folder`, for `rtdecode reconstruct --ridge`."""
    table.report(f"{folder.name}: fitting")
    ridge = fit_ridge(table.compared.data, lag_frames=LAG, transform=transform)
    ridge.save(folder)
    return LinearDecoder(ridge)


def _direct(table: MethodTable, folder: Path, config: DirectConfig, clock: Clock) -> Direct:
    """Fit the direct decoder into `folder`, for `rtdecode reconstruct --direct`."""
    table.report(f"{folder.name}: fitting")
    data, device = table.compared.data, table.compared.twins[0].device
    fitted = fit_direct(data, folder, config, lag_frames=LAG, clock=clock, device=device)
    return Direct(fitted.decoder)


def has_traces(data: VideoSession) -> bool:
    """Whether the session has raw scans, from which causal activity is computed."""
    try:
        data.traces(0)
    except MissingFileError:
        return False
    return True


def _config(request: TableRequest, compared: Comparison, free: NDArray[np.bool_]) -> dict[str, Any]:
    """All that rows of one file have in common; rows of another config are never mixed in."""
    return {
        "data": str(request.data),
        "twins": [str(path) for path in request.twins],
        "tier": request.tier,
        "trials": request.trials,
        "iterations": request.iterations,
        "device": device_name(compared.twins[0].device),
        "scored_pixels": int(compared.mask.sum()),
        "hash_of_trials": _hash_of_trials(compared.data, request.tier, request.trials),
        "hash_of_twins": [hash_of_twin(path) for path in request.twins],
        "hash_of_masks": _hash([compared.mask.tobytes(), free.tobytes()]),
        "code": code_version(),
    }


def _hash_of_trials(data: VideoSession, tier: str, count: int | None) -> str:
    cuts = (data.segment(number) for number in data.trials(tier)[:count])
    return _hash(a.tobytes() for cut in cuts for a in (cut.video, cut.responses, cut.behaviour))


def hash_of_twin(folder: Path) -> str:
    """Hash of weights, prior and noise: a twin fitted again differs, whatever its folder name."""
    fitted = [(folder / name).read_bytes() for name in (PRIOR_FILE, NOISE_FILE)]
    return _hash([twin_hash(folder).encode(), *fitted])


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]
