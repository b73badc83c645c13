"""`rtdecode bench limits`: what each limit of recording, twin and behaviour costs in video_r.

All rows are of the same clips. Each has the paired difference to the row that lacks its limit, and
states whether its activity was recorded or simulated from the twin.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.gaze import GazeCorrectedTwin, GazeMap, gaze_map, moving_mask, on_retina
from rtdecode.bench.paired_rows import PairedRows, Report, scores_of
from rtdecode.bench.result_file import KeptRows, Row
from rtdecode.bench.simulated_activity import noise_free, perturbed, simulated, single_trial_r
from rtdecode.bench.subject import Subject, Trials
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, pearson_r
from rtdecode.offline.methods import Method, Offline, Online
from rtdecode.offline.reconstruct import OFFLINE_ITERATIONS, online_config
from rtdecode.offline.trial import Trial, predicted_activity, with_neurons
from rtdecode.schema.config.decode import DecodeConfig

F32 = NDArray[np.float32]
_SEED = 0


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Limits that are compared, and the decoder."""

    lag_frames: int = 8
    steps: int = 3
    offline_iterations: int = OFFLINE_ITERATIONS
    neuron_parts: Sequence[int] = (2, 4, 8)
    """Divisors n: every n-th neuron is kept."""
    weight_errors: Sequence[float] = (0.1, 0.2, 0.4)
    """SD of errors in the twin's weights, relative to their RMS."""
    gaze_sd_px: float = 2.0
    """SD of simulated eye movements in pixels of the video."""

    @property
    def decoder(self) -> DecodeConfig:
        """The online decoder of all rows."""
        return online_config(lag_frames=self.lag_frames, steps=self.steps)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A row to compute: its limit, and the scores of the clips under it."""

    group: str
    name: str
    scores: Callable[[], Sequence[float]]
    compared_with: tuple[str, str] | None
    """Group and name of the row without the limit."""
    activity: str
    """`recorded` or `simulated`."""
    value: float = 0.0
    """Size of the limit, for the abscissa of the figure."""
    twin_r: Callable[[], float] | None = None
    """Single-trial r of the twin on these clips."""


DEFAULT = ("default", "online, recorded activity")
_SIMULATED = ("noise", "simulated from the twin")
_RECORDED, _MODELLED = "recorded", "simulated"


def bench_limits(
    subject: Subject, settings: LimitSettings, json_file: Path, *, report: Report
) -> list[Row]:
    """Compute all rows, keep each in `json_file`, and return them.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        If `json_file` holds rows of other settings, or is damaged; it is not changed.
    """
    kept = KeptRows(json_file, name="limits", config=subject.identity | asdict(settings))
    cases = list(cases_of(subject, settings))
    rows = PairedRows(kept, total=len(cases), report=report)
    for case in cases:
        _add(rows, case)
    return kept.rows


def cases_of(subject: Subject, settings: LimitSettings) -> Iterator[Case]:
    """The cases, each after the one with which it is compared."""
    usual = Online([subject.fitted], settings.decoder)
    run = _Runs(subject, usual)
    yield Case(*DEFAULT, run.on(subject.trials), None, _RECORDED, twin_r=run.twin_r(subject.fitted))
    yield from _noise_cases(subject, settings, run)
    yield from _neuron_cases(subject, settings, run)
    yield from _twin_cases(subject, settings, run)
    yield from _recording_cases(subject, run)
    neutral = np.array(subject.fitted.twin.spec.behaviour_mean, np.float32)
    withheld = [replace(t, behaviour=np.tile(neutral, (len(t.truth), 1))) for t in subject.trials]
    yield Case("behaviour", "withheld", run.on(withheld), DEFAULT, _RECORDED)
    yield from _gaze_cases(subject, settings, run)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Scores of a subject's trials, computed when a case needs them."""

    subject: Subject
    usual: Method

    def on(
        self, trials: Trials | Callable[[], Trials], method: Method | None = None
    ) -> Callable[[], list[float]]:
        """Scores of `trials` by `method`, by default the online decoder."""

        def scores() -> list[float]:
            found = trials() if callable(trials) else trials
            return scores_of(method or self.usual, found, self.subject.mask)

        return scores

    def each(self, change: Callable[[Trial], Trial]) -> Callable[[], list[Trial]]:
        """The subject's trials, each changed by `change`."""
        return lambda: [change(trial) for trial in self.subject.trials]

    def twin_r(self, fitted: FittedTwin) -> Callable[[], float]:
        """Single-trial r of a twin on the subject's trials, mean over clips and neurons."""
        return lambda: float(np.mean([_response_r(fitted, one) for one in self.subject.trials]))


def _noise_cases(subject: Subject, settings: LimitSettings, run: _Runs) -> Iterator[Case]:
    """Noise ceiling, and what misfit and variability cost, online and offline."""
    fitted = subject.fitted
    free = run.each(lambda trial: noise_free(fitted, trial))
    drawn = run.each(lambda trial: simulated(fitted, trial, draw=_SEED))
    offline = Offline([fitted], iterations=settings.offline_iterations)
    yield Case(*_SIMULATED, run.on(drawn), DEFAULT, _MODELLED)
    yield Case("noise", "noise-free", run.on(free), _SIMULATED, _MODELLED)
    yield Case("offline", "recorded", run.on(subject.trials, offline), DEFAULT, _RECORDED)
    yield Case("offline", "simulated", run.on(drawn, offline), _SIMULATED, _MODELLED)
    yield Case("offline", "noise-free", run.on(free, offline), ("noise", "noise-free"), _MODELLED)


def _neuron_cases(subject: Subject, settings: LimitSettings, run: _Runs) -> Iterator[Case]:
    count = subject.trials[0].responses.shape[1]
    for part in settings.neuron_parts:
        kept = np.arange(count) % part == 0
        for name, change in (("missing", with_neurons), ("silent", with_silent_neurons)):
            trials = run.each(lambda trial, change=change, kept=kept: change(trial, kept))  # type: ignore[misc]
            yield Case(
                f"neurons {name}",
                f"1/{part} recorded",
                run.on(trials),
                DEFAULT,
                _RECORDED,
                value=1 / part,
            )


def with_silent_neurons(trial: Trial, kept: NDArray[np.bool_]) -> Trial:
    """`trial` with activity 0 for the neurons outside `kept`, as in the published ablation."""
    return replace(trial, responses=np.where(kept, trial.responses, np.float32(0)))


def _twin_cases(subject: Subject, settings: LimitSettings, run: _Runs) -> Iterator[Case]:
    for size in range(2, len(subject.twins) + 1):
        method = Online(subject.twins[:size], settings.decoder)
        scores = run.on(subject.trials, method)
        yield Case("ensemble", f"{size} twins", scores, DEFAULT, _RECORDED, value=size)
    for error in settings.weight_errors:
        worse = perturbed(subject.fitted, relative_sd=error, seed=_SEED)
        scores = run.on(subject.trials, Online([worse], settings.decoder))
        name = f"weights with errors of {error:.0%}"
        yield Case("twin", name, scores, DEFAULT, _RECORDED, value=error, twin_r=run.twin_r(worse))


def _recording_cases(subject: Subject, run: _Runs) -> Iterator[Case]:
    defaults = {one.group: (one.group, one.name) for one in subject.variants if one.is_default}
    for one in sorted(subject.variants, key=lambda one: not one.is_default):
        other = None if one.is_default else defaults[one.group]
        yield Case(one.group, one.name, run.on(one.trials), other, _RECORDED, value=one.value)


def _gaze_cases(subject: Subject, settings: LimitSettings, run: _Runs) -> Iterator[Case]:
    """Activity simulated for a display that moves on the retina, decoded without and with gaze."""
    fitted = subject.fitted
    gaze = gaze_map([one.behaviour for one in subject.trials], sd_px=settings.gaze_sd_px)
    seen = run.each(lambda trial: seen_trial(fitted, trial, gaze))
    usual = run.usual
    corrected = Online(
        [replace(fitted, twin=GazeCorrectedTwin(fitted.twin, gaze))], settings.decoder
    )
    group = "eye movements"
    for name, method, mask in (
        ("not corrected", usual, _fixed),
        ("twin input corrected", corrected, _fixed),
        ("twin input and mask corrected", corrected, _moving),
    ):

        def scores(
            method: Method = method, mask: Callable[..., NDArray[np.bool_]] = mask
        ) -> list[float]:
            return [
                masked_r(one.truth, method.video(one), mask(subject.mask, one, gaze))
                for one in seen()
            ]

        value = settings.gaze_sd_px
        yield Case(group, name, scores, _SIMULATED, _MODELLED, value=value)


def _fixed(mask: NDArray[np.bool_], trial: Trial, _gaze: GazeMap) -> NDArray[np.bool_]:
    return np.broadcast_to(mask, trial.truth.shape)


def _moving(mask: NDArray[np.bool_], trial: Trial, gaze: GazeMap) -> NDArray[np.bool_]:
    return moving_mask(mask, gaze.gaze_px(trial.behaviour))


def seen_trial(fitted: FittedTwin, trial: Trial, gaze: GazeMap) -> Trial:
    """`trial` with activity simulated for its display as the moving eye has it."""
    retinal = replace(trial, truth=on_retina(trial.truth, gaze.gaze_px(trial.behaviour)))
    return replace(simulated(fitted, retinal, draw=_SEED), truth=trial.truth)


def masked_r(truth: F32, video: F32, mask: NDArray[np.bool_]) -> float:
    """video_r over the scored frames with a mask that is (frame, row, col)."""
    estimated = np.isfinite(video).all((1, 2), keepdims=True)
    kept = mask & estimated
    kept[:FIRST_SCORED_FRAME] = False
    return pearson_r(truth[kept], video[kept])


def _response_r(fitted: FittedTwin, trial: Trial) -> float:
    cut = slice(FIRST_SCORED_FRAME, None)
    predicted = predicted_activity(fitted.twin, trial.truth, trial.behaviour)
    return single_trial_r(predicted[cut], trial.responses[cut], trial.valid[cut])


def _add(rows: PairedRows, case: Case) -> None:
    facts: dict[str, Any] = {"value": case.value, "activity": case.activity}
    twin_r = case.twin_r
    other = case.compared_with
    rows.add(
        f"{case.group}, {case.name}",
        {"group": case.group, "name": case.name},
        case.scores,
        compared_with=other and {"group": other[0], "name": other[1]},
        facts=lambda: facts if twin_r is None else {**facts, "twin_r": twin_r()},
    )
