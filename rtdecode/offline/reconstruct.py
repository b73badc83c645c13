"""`rtdecode reconstruct`: videos of a tier by one method, with their scores, as files."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.video_session import Causality
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.evaluate.metrics import ClipScores, bootstrap_interval, clip_scores
from rtdecode.offline.methods import Method
from rtdecode.offline.trial import Trial
from rtdecode.schema.errors import LeakedClipError, NeuronCountError
from rtdecode.schema.interfaces import Clock
from rtdecode.session.environment import environment_here
from rtdecode.twins.folder import load_twin
from rtdecode.twins.twin import Twin

SUMMARY = "summary.json"
METRICS = ("video_r", "frame_r", "ssim", "shift_ms")
_NS_PER_S = 1e9
_BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one trial, and how long its reconstruction took."""

    trial: int
    scores: ClipScores
    seconds: float
    frames: int


def reconstruct(
    method: Method,
    trials: Iterable[Trial],
    *,
    mask: NDArray[np.bool_],
    clock: Clock,
    out: Path | None = None,
    trained: Sequence[TrainedClips] = (),
    report: Callable[[Scored], None] = lambda _scored: None,
) -> list[Scored]:
    """Reconstruct `trials` and score them.

    Parameters
    ----------
    method
        How.
    mask
        (row, col) pixels that are scored.
    clock
        For the time that it takes.
    out
        Folder for `<trial>.npy`, (frame, row, col) float32 grey levels, NaN in frames for which
        the method gives none; None writes nothing.
    trained
        Training clips of the twins that take part.
    report
        Told each trial's scores.

    Raises
    ------
    LeakedClipError
        If a twin was trained on a clip that would be scored.
    """
    done: list[Scored] = []
    for trial in trials:
        _refuse_leaks(trial, trained)
        begun_ns = clock.now_ns()
        video = method.video(trial)
        seconds = (clock.now_ns() - begun_ns) / _NS_PER_S
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            np.save(out / f"{trial.number}.npy", video.astype(np.float32))
        scores = clip_scores(trial.truth, video, mask)
        done.append(Scored(trial.number, scores, seconds, len(video)))
        report(done[-1])
    return done


def summary_of(
    done: Sequence[Scored], method: Method, *, name: str, causality: Causality, neurons: int
) -> dict[str, Any]:
    """What `summary.json` says: metrics with bootstrap intervals over clips, and the cost."""
    frames = sum(scored.frames for scored in done)
    return {
        **{metric: _interval(done, metric) for metric in METRICS},
        "twin_passes_per_frame": method.passes_per_frame(done[0].frames),
        "seconds_per_frame": sum(scored.seconds for scored in done) / frames,
        "method": name,
        "lag_frames": method.lag_frames,
        "steps": method.steps,
        "causality": causality.value,
        "neurons": neurons,
        **made_here(),
    }


def interval_of(per_clip: list[float]) -> dict[str, Any]:
    """How `summary.json` states a metric: mean over clips, bootstrap 95 % interval, each clip."""
    interval = bootstrap_interval(per_clip, rng=np.random.default_rng(_BOOTSTRAP_SEED))
    return {"mean": interval.mean, "ci95": [interval.low, interval.high], "per_clip": per_clip}


def made_here() -> dict[str, Any]:
    """By which version, and on what."""
    here = environment_here()
    return {
        "commit": here.git_revision,
        "machine": {"cpu": here.cpu, "cores": here.cores, "memory_mb": here.memory_mb},
    }


def write_summary(summary: dict[str, Any], out: Path) -> None:
    """Write `summary.json` beside the videos; a figure that cannot be had is null in it."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(without_nan(summary), indent=2, allow_nan=False)
    (out / SUMMARY).write_text(text + "\n", encoding="utf-8")


def without_nan(plain: Any) -> Any:
    """`plain` with None for NaN and infinity, at any depth: strict JSON has no word for them."""
    if isinstance(plain, dict):
        return {key: without_nan(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [without_nan(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def twin_of(folder: Path, *, neurons: int) -> Twin:
    """The twin in `folder` alone; raises NeuronCountError for other neurons."""
    twin = load_twin(folder)
    if twin.spec.neurons != neurons:
        raise NeuronCountError(streamed=neurons, trained=twin.spec.neurons, twin=str(folder))
    return twin


def _interval(done: Sequence[Scored], metric: str) -> dict[str, Any]:
    return interval_of([float(getattr(scored.scores, metric)) for scored in done])


def _refuse_leaks(trial: Trial, trained: Sequence[TrainedClips]) -> None:
    for clips in trained:
        leak = clips.leak(trial.truth)
        if leak is not None:
            raise LeakedClipError(trial=trial.number, clip=leak.clip, fraction=leak.fraction)
