"""A reconstruction job: the request, and the summary of its scores, for videos and still images."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.datasets.video_session import Causality
from rtdecode.evaluate.metrics import ClipScores, bootstrap_interval
from rtdecode.offline.methods import Method
from rtdecode.schema.config.decode import Device
from rtdecode.session.environment import environment_here

SUMMARY = "summary.json"
METRICS = ("video_r", "frame_r", "ssim", "shift_ms")
NS_PER_S = 1e9
_BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What to reconstruct, by which method, and the folder to write."""

    data: Path
    out: Path
    method: str
    """`online`, `offline`, `reference`, `direct`, `ridge` or `mean`."""
    tier: str
    twins: tuple[Path, ...]
    """Twin folders; the videos of several twins are averaged."""
    ridge: Path | None
    lag_frames: int
    """Fixed lag of the online method; a direct decoder must have been fitted for it."""
    steps: int
    """Gradient steps for each frame of the online method."""
    iterations: int | None
    """Gradient steps of the offline methods over a whole clip; None for the default."""
    mask: Path | None
    """Screen mask; None for the mask in the folder of the first twin, else the whole screen."""
    source: str
    """A value of `rtdecode.offline.trial.Input`."""
    direct: Path | None = None
    """Folder of a direct decoder."""
    device: Device = Device.CPU
    """Where twins compute; baselines and still images are computed on the CPU."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one trial, and the duration of its reconstruction."""

    trial: int
    scores: ClipScores
    seconds: float
    frames: int


def summary_of(
    done: Sequence[Scored], method: Method, *, name: str, causality: Causality, neurons: int
) -> dict[str, Any]:
    """Content of `summary.json`: metrics with bootstrap intervals over clips, and the cost."""
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
        **provenance(),
    }


def interval_of(per_clip: list[float]) -> dict[str, Any]:
    """A metric in `summary.json`: mean over clips, bootstrap 95 % interval, value of each clip."""
    interval = bootstrap_interval(per_clip, rng=np.random.default_rng(_BOOTSTRAP_SEED))
    return {"mean": interval.mean, "ci95": [interval.low, interval.high], "per_clip": per_clip}


def provenance() -> dict[str, Any]:
    """The git revision and the machine that computed a result."""
    here = environment_here()
    return {
        "commit": here.git_revision,
        "machine": {"cpu": here.cpu, "cores": here.cores, "memory_mb": here.memory_mb},
    }


def write_summary(summary: dict[str, Any], out: Path) -> None:
    """Write `summary.json` into the folder `out`; undefined values are null."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(without_nan(summary), indent=2, allow_nan=False)
    (out / SUMMARY).write_text(text + "\n", encoding="utf-8")


def without_nan(plain: Any) -> Any:
    """`plain` with None in place of NaN and infinity, at any depth, as strict JSON requires."""
    if isinstance(plain, dict):
        return {key: without_nan(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [without_nan(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _interval(done: Sequence[Scored], metric: str) -> dict[str, Any]:
    return interval_of([float(getattr(scored.scores, metric)) for scored in done])
