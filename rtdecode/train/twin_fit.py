"""`rtdecode fit twin`: train a compact twin on a session and write its folder."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.datasets.video_session import TRAIN, VALIDATION, VideoSession
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.decode.noise import save_noise
from rtdecode.decode.posterior import posterior_sd, save_posterior_sd, smoothed_sd
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.evaluate.fit_checks import chance_warning, warnings
from rtdecode.offline.ridge import clips_warned_of
from rtdecode.offline.trial import Input, first_frames, trials_of
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import UnknownModelError, UnreadableFileError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.train.checkpoint import FILE
from rtdecode.train.distributed import Machines
from rtdecode.train.held_out_error import calibrated_sd, contrast_of
from rtdecode.train.noise_fit import fit_noise
from rtdecode.train.starting_point import (
    Survey,
    fresh_compact,
    receptive_field_centers,
    survey,
    with_core,
)
from rtdecode.train.training import Outcome, Progress, Training
from rtdecode.train.validation import F64, chance_correlations
from rtdecode.twins.compact.network import DEFAULT_SIZES, Compact
from rtdecode.twins.folder import load_twin, save_twin
from rtdecode.twins.record import TRAINING_REPORT, state_loaded
from rtdecode.twins.twin import TwinSpec

MODELS = ("compact",)
_TRIALS = 60
"""Largest number of trials of a tier from which prior and noise model are estimated."""
_KEPT_OF_LIMIT, _MOST_KEPT_S = 0.2, 240.0
"""Part of a time limit that is kept for what is measured after the training."""
_LEAST_OF_LIMIT = 0.1
_NS_PER_S = 1e9
_TRIALS_DECODED, _FRAMES_DECODED = 20, 150
"""Trials and frames of each on which reconstruction errors are measured, at most.

Errors vary more between clips than within one, so many short beginnings are used.
"""


def fit_compact(
    data: VideoSession,
    out: Path,
    config: TrainingConfig,
    *,
    clock: Clock,
    report: Callable[[Progress], None],
    work: Work = UNSEEN,
    core: Path | None = None,
    device: torch.device | None = None,
) -> Outcome:
    """Train a compact twin on `data` and write it to `out`.

    Parameters
    ----------
    data
        Session with training and validation trials; several are joined by `JoinedSessions`.
    out
        Folder to write: twin, prior, noise model, uncertainty, `training.json` with the r of each
        neuron and, during training, a checkpoint.
    config
        Steps, rates, seed and time limit.
    clock, report
        The clock measures elapsed time; `report` is called after each training step.
    work
        Receives the other parts; training leaves them a fifth of the time limit, at most 4 min.
    core, device
        Twin whose filters are kept, so that only the readout is trained; CPU by default.

    Raises
    ------
    NoSuchTierError, TooShortError
        If the session has no training or validation trials, or none that is long enough.
    DivergedError, CheckpointError, UnreadableFileError
        As `Training.run`; the last also if `core` is not a compact twin.
    """
    machines, limit = Machines(), TimeLimit(config.max_minutes, clock)
    data.trials(VALIDATION)  # NoSuchTierError now instead of after the first steps
    work.begun("reading the session")
    twin = untrained_compact(data, config, core=core)
    out.mkdir(parents=True, exist_ok=True)
    training = Training(
        twin.to(device),
        data,
        config,
        checkpoint=out / FILE,
        clock=clock,
        machines=machines,
        limit_s=limit.of_training_s(),
    )
    work.begun("training")
    outcome = training.run(report)
    if machines.leads:
        limited = replace(work, is_over=limit.ends_after(outcome.standing.elapsed_s))
        measure(twin.cpu().requires_grad_(False), data, out, limited)
        outcome = write_twin(twin, outcome, data, out, config)
        training.discard_checkpoint()
    machines.close()
    return outcome


def untrained_compact(
    data: VideoSession, config: TrainingConfig, *, core: Path | None = None
) -> Compact:
    """The twin that the training starts from, with the filters of `core` where it is given."""
    found = survey(data)
    spec = _spec(data, found, config, core=core)
    twin = fresh_compact(spec, found, receptive_field_centers(data), seed=config.seed)
    return twin if core is None else with_core(_compact(core), twin)


class TimeLimit:
    """The time limit of a whole fit, in minutes; None has no end."""

    def __init__(self, minutes: float | None, clock: Clock) -> None:
        self._limit_s, self._clock = None if minutes is None else 60 * minutes, clock
        self._since_ns, self._read_s = clock.now_ns(), 0.0

    def of_training_s(self) -> float | None:
        """Time in s of the training itself, now that the session has been read."""
        self._read_s = (self._clock.now_ns() - self._since_ns) / _NS_PER_S
        if self._limit_s is None:
            return None
        kept_s = min(_KEPT_OF_LIMIT * self._limit_s, _MOST_KEPT_S)
        return max(self._limit_s - kept_s - self._read_s, _LEAST_OF_LIMIT * self._limit_s)

    def ends_after(self, trained_s: float) -> Callable[[], bool]:
        """Whether the time is over, where the training has ended now after `trained_s`."""
        if self._limit_s is None:
            return UNSEEN.is_over
        left_s = self._limit_s - self._read_s - trained_s
        ends_ns = self._clock.now_ns() + round(left_s * _NS_PER_S)
        return lambda: self._clock.now_ns() >= ends_ns


def check_model(model: str) -> None:
    """Raise UnknownModelError unless `model` is an architecture that can be trained."""
    if model not in MODELS:
        raise UnknownModelError(model=model, known=MODELS)


def some_of(trials: Sequence[int], *, most: int = _TRIALS) -> Sequence[int]:
    """At most `most` of `trials`, evenly spaced."""
    return trials[:: math.ceil(len(trials) / most)]


def training_videos(data: VideoSession) -> Iterator[NDArray[np.uint8]]:
    """(frame, row, col) videos of evenly spaced training trials, for the prior."""
    for number in some_of(data.trials(TRAIN)):
        yield data.video(number).astype(np.uint8)


def trials_of_tier(
    data: VideoSession, tier: str, *, most: int = _TRIALS
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Video, behaviour and responses of evenly spaced trials of a tier, for the noise model."""
    for number in some_of(data.trials(tier), most=most):
        cut = data.segment(number)
        yield (
            torch.from_numpy(cut.video),
            torch.from_numpy(cut.behaviour),
            torch.from_numpy(cut.responses),
        )


def _spec(
    data: VideoSession, found: Survey, config: TrainingConfig, *, core: Path | None
) -> TwinSpec:
    sizes = dict(DEFAULT_SIZES) if core is None else dict(_compact(core).spec.sizes)
    return TwinSpec(
        architecture="compact",
        neurons=data.neurons,
        rows_px=data.rows_px,
        cols_px=data.cols_px,
        frame_rate_hz=data.frame_rate_hz,
        luminance_mean=found.luminance_mean,
        luminance_sd=found.luminance_sd,
        behaviour_mean=found.behaviour_mean,
        behaviour_sd=found.behaviour_sd,
        history_frames=sizes["taps"] - 1 + (sizes["response_taps"] - 1) * sizes["temporal_stride"],
        sizes=sizes,
        provenance={
            "session": data.folder.resolve().name,
            "trained": f"Poisson loss, {config.steps} steps, seed {config.seed}",
            "core": "own" if core is None else core.resolve().name,
            **_rois(data),
        },
        training_clips=found.clip_hashes,
    )


def _rois(data: VideoSession) -> dict[str, str]:
    """The hash of the ROIs where it is known, with which a run of the twin is compared."""
    known = getattr(data, "rois_hash", "")
    return {"rois_hash": known} if known else {}


def measure(twin: Compact, data: VideoSession, out: Path, work: Work) -> None:
    """Estimate and write prior, noise model and uncertainty."""
    work.begun("measuring noise")
    prior = fit_prior(training_videos(data))
    noise = fit_noise(twin, trials_of_tier(data, VALIDATION), trials_of_tier(data, TRAIN))
    save_prior(prior, out)
    save_noise(noise, out)
    save_posterior_sd(_uncertainty(FittedTwin(twin, prior, noise), data, work), out)


def _uncertainty(fitted: FittedTwin, data: VideoSession, work: Work) -> Tensor:
    """(back, row, col) SD of a pixel in grey levels, calibrated on held-out trials."""
    sd = smoothed_sd(posterior_sd(fitted.twin, fitted.prior, fitted.noise, work=work))
    held_out = islice(trials_of(data, VALIDATION, Input.RESPONSES), _TRIALS_DECODED)
    beginnings = (first_frames(trial, _FRAMES_DECODED) for trial in held_out)
    total = min(len(data.trials(VALIDATION)), _TRIALS_DECODED)
    part = "measuring uncertainty: errors on held-out trials"
    return calibrated_sd(
        sd,
        fitted,
        work.rounds(part, beginnings, total=total, fewest=1),
        contrast=contrast_of(training_videos(data), fitted.prior.mean.numpy()),
    )


def _compact(folder: Path) -> Compact:
    twin = load_twin(folder)
    if not isinstance(twin, Compact):
        raise UnreadableFileError(
            what="core", path=folder, expected="a compact twin", got=twin.spec.architecture
        )
    return twin


def write_twin(
    twin: Compact, outcome: Outcome, data: VideoSession, out: Path, config: TrainingConfig
) -> Outcome:
    """`outcome` with its warnings, once the twin and the report of its training are written."""
    save_twin(twin, out)
    load_fitted_twin(out)
    state_loaded(out)
    r = outcome.single_trial_r[np.isfinite(outcome.single_trial_r)]
    chance = chance_correlations(twin, data, tier=VALIDATION)
    found = warnings(
        clips_warned_of(data),
        chance_warning(
            float(r.mean()) if r.size else float("nan"),
            chance.tolist(),
            what="the prediction of single trials",
            remedy="check that frame times fit the scans, and that the ROIs are of this session",
        ),
    )
    judged = replace(outcome, warnings=tuple(found))
    _write_report(out, judged, config, chance=chance)
    return judged


def _write_report(out: Path, outcome: Outcome, config: TrainingConfig, *, chance: F64) -> None:
    r = outcome.single_trial_r
    plain = {
        "single_trial_r": {"mean": float(np.nanmean(r)), "median": float(np.nanmedian(r))},
        "single_trial_r_by_chance": [round(float(one), 5) for one in chance],
        "warnings": outcome.warnings,
        "standing": asdict(outcome.standing),
        "config": config.model_dump(mode="json"),
        "single_trial_r_of_neuron": [
            round(float(value), 4) if np.isfinite(value) else None for value in r
        ],
    }
    with written_atomically(out / TRAINING_REPORT) as unfinished:
        unfinished.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
