"""`rtdecode fit twin`: train a compact twin on a session and write its folder."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.video_session import TRAIN, VALIDATION, VideoSession
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.noise import save_noise
from rtdecode.decode.posterior import posterior_sd, save_posterior_sd, smoothed_sd
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.offline.trial import Input, first_frames, trials_of
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import UnknownModelError, UnreadableFileError
from rtdecode.schema.interfaces import Clock
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
from rtdecode.twins.compact.network import DEFAULT_SIZES, Compact
from rtdecode.twins.folder import TRAINING_REPORT, load_twin, save_twin
from rtdecode.twins.twin import TwinSpec

MODELS = ("compact",)
_TRIALS = 60
"""Largest number of trials of a tier from which prior and noise model are estimated."""
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
    begun: Callable[[str], None] = lambda _part: None,
    core: Path | None = None,
    device: torch.device | None = None,
) -> Outcome:
    """Train a compact twin on `data` and write it to `out`.

    Parameters
    ----------
    data
        Session with training and validation trials.
    out
        Folder to write: twin, prior, noise model, uncertainty, `training.json` with the
        single-trial correlation of each neuron and, during training, a checkpoint.
    config
        Steps, rates, seed and time limit.
    clock
        Measures elapsed time.
    report, begun
        Called after each training step, and with the name of each part of the work.
    core
        Twin whose filters are kept fixed; only the readout is trained.
    device
        Device of the training; the CPU by default.

    Raises
    ------
    NoSuchTierError, TooShortError
        If the session has no training or validation trials, or none that is long enough.
    DivergedError, CheckpointError, UnreadableFileError
        As `Training.run`; the last also if `core` is not a compact twin.
    """
    machines = Machines()
    data.trials(VALIDATION)  # NoSuchTierError now instead of after the first steps
    begun("reading the session")
    found = survey(data)
    spec = _spec(data, found, config, core=core)
    twin = fresh_compact(spec, found, receptive_field_centers(data), seed=config.seed)
    if core is not None:
        twin = with_core(_compact(core), twin)
    out.mkdir(parents=True, exist_ok=True)
    training = Training(
        twin.to(device), data, config, checkpoint=out / FILE, clock=clock, machines=machines
    )
    begun("training")
    outcome = training.run(report)
    if machines.leads:
        _measure(twin.cpu().requires_grad_(False), data, out, begun)
        save_twin(twin, out)
        _write_report(out, outcome, config)
        training.discard_checkpoint()
    machines.close()
    return outcome


def check_model(model: str) -> None:
    """Raise UnknownModelError unless `model` is an architecture that can be trained."""
    if model not in MODELS:
        raise UnknownModelError(model=model, known=MODELS)


def some_of(trials: Sequence[int]) -> Sequence[int]:
    """At most `_TRIALS` of `trials`, evenly spaced."""
    return trials[:: math.ceil(len(trials) / _TRIALS)]


def training_videos(data: VideoSession) -> Iterator[NDArray[np.uint8]]:
    """(frame, row, col) videos of evenly spaced training trials, for the prior."""
    for number in some_of(data.trials(TRAIN)):
        yield data.video(number).astype(np.uint8)


def trials_of_tier(data: VideoSession, tier: str) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Video, behaviour and responses of evenly spaced trials of a tier, for the noise model."""
    for number in some_of(data.trials(tier)):
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
    known = isinstance(data, OwnSession) and data.rois_hash
    return {"rois_hash": known} if known else {}


def _measure(twin: Compact, data: VideoSession, out: Path, begun: Callable[[str], None]) -> None:
    """Estimate and write prior, noise model and uncertainty."""
    begun("measuring noise")
    prior = fit_prior(training_videos(data))
    noise = fit_noise(twin, trials_of_tier(data, VALIDATION), trials_of_tier(data, TRAIN))
    save_prior(prior, out)
    save_noise(noise, out)
    begun("measuring uncertainty")
    save_posterior_sd(_uncertainty(FittedTwin(twin, prior, noise), data), out)


def _uncertainty(fitted: FittedTwin, data: VideoSession) -> Tensor:
    """(back, row, col) SD of a pixel in grey levels, calibrated on held-out trials."""
    sd = smoothed_sd(posterior_sd(fitted.twin, fitted.prior, fitted.noise))
    held_out = islice(trials_of(data, VALIDATION, Input.RESPONSES), _TRIALS_DECODED)
    return calibrated_sd(
        sd,
        fitted,
        (first_frames(trial, _FRAMES_DECODED) for trial in held_out),
        contrast=contrast_of(training_videos(data), fitted.prior.mean.numpy()),
    )


def _compact(folder: Path) -> Compact:
    twin = load_twin(folder)
    if not isinstance(twin, Compact):
        raise UnreadableFileError(
            what="core", path=folder, expected="a compact twin", got=twin.spec.architecture
        )
    return twin


def _write_report(out: Path, outcome: Outcome, config: TrainingConfig) -> None:
    r = outcome.single_trial_r
    plain = {
        "single_trial_r": {"mean": float(np.nanmean(r)), "median": float(np.nanmedian(r))},
        "standing": asdict(outcome.standing),
        "config": config.model_dump(mode="json"),
        "single_trial_r_of_neuron": [
            round(float(value), 4) if np.isfinite(value) else None for value in r
        ],
    }
    (out / TRAINING_REPORT).write_text(json.dumps(plain, indent=1) + "\n")
