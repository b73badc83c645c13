"""`rtdecode reconstruct`: reconstruct and score the trials of a tier by one method.

From the command to the solver: `commands/reconstruct.py`, this file, `datasets/opening.py` and
`offline/trial.py` (which read the trials), `offline/methods.py`, `decode/fitted_twin.py`,
`decode/decoder.py`, `decode/solver.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.opening import holds_stills, open_video_session
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.compute import CPU, device_name, usable_device
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.evaluate.metrics import clip_scores
from rtdecode.offline.direct import DirectDecoder
from rtdecode.offline.job import NS_PER_S, Request, Scored, summary_of, write_summary
from rtdecode.offline.methods import (
    Direct,
    LinearDecoder,
    MeanFrame,
    Method,
    Offline,
    Online,
    Reference,
)
from rtdecode.offline.reference import ITERATIONS
from rtdecode.offline.ridge import Ridge, mean_frame_of
from rtdecode.offline.screen_masks import free_mask, scoring_mask
from rtdecode.offline.stills.run import reconstruct_stills
from rtdecode.offline.trial import Input, Trial, causality_of, trials_of
from rtdecode.runtime.cluster import Workers, in_this_process
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import (
    DecoderLagError,
    LeakedClipError,
    MissingOptionError,
    SessionNeuronsError,
)
from rtdecode.schema.interfaces import Clock

OFFLINE_ITERATIONS = 60


def reconstruct(
    request: Request,
    *,
    clock: Clock,
    report: Callable[[int, int, float], None],
    workers: Workers = in_this_process,
) -> dict[str, Any]:
    """Reconstruct the trials that `request` names, score them, and write videos and summary.

    Parameters
    ----------
    request
        What to reconstruct; a session with still images is recognised by its files.
    clock
        Measures the duration of each reconstruction.
    report
        Called after each trial with the trials done, their total, and the last video_r.
    workers
        Who reconstructs the trials of a video session; still images are reconstructed here.

    Returns
    -------
    The content of `summary.json`.

    Raises
    ------
    MissingOptionError, SessionNeuronsError, DecoderLagError, NoSuchTierError
        If the method needs a twin or a decoder that was not given, if that was fitted to another
        number of neurons or to another lag, or if the session has no such tier.
    LeakedClipError
        If a twin or direct decoder was trained on a clip that would be scored.
    DeviceUnavailableError
        If a GPU is asked for and there is none.
    MissingFileError, UnreadableFileError
        If data, twin, decoder or mask cannot be read.
    """
    if holds_stills(request.data):
        summary = reconstruct_stills(request, clock=clock, report=report)
    else:
        summary = _reconstruct_videos(request, clock=clock, report=report, workers=workers)
    write_summary(summary, request.out)
    return summary


def _reconstruct_videos(
    request: Request,
    *,
    clock: Clock,
    report: Callable[[int, int, float], None],
    workers: Workers,
) -> dict[str, Any]:
    device = usable_device(request.device)
    data = open_video_session(request.data)
    total = len(data.trials(request.tier))
    twins = [
        load_fitted_twin(one, neurons=data.neurons, session=request.data, device=device)
        for one in request.twins
    ]
    kind = Input(request.source)
    if kind is Input.PREDICTED and not twins:
        raise MissingOptionError(option="--twin", needed_for="--input predicted")
    mask = scoring_mask(data, request.mask, request.twins)
    method = method_for(request, data, twins)
    done = []
    for scored in scored_trials(
        method,
        trials_of(data, request.tier, kind, twin=twins[0].twin if twins else None),
        mask=mask,
        clock=clock,
        out=request.out,
        trained=trained_clips_of(method, twins),
        workers=workers,
    ):
        done.append(scored)
        report(len(done), total, scored.scores.video_r)
    summary = summary_of(
        done,
        method,
        name=request.method,
        causality=causality_of(data, kind),
        neurons=data.neurons,
    )
    return {**summary, "device": device_name(device if twins else CPU)}


def method_for(request: Request, data: VideoSession, twins: Sequence[FittedTwin]) -> Method:
    """The method that `request` names; MissingOptionError if it lacks a twin or a decoder."""
    if request.method == "mean":
        return MeanFrame(mean_frame_of(data))
    if request.method == "ridge":
        return LinearDecoder(_ridge(request, data))
    if request.method == "direct":
        return Direct(_direct(request, data))
    if not twins:
        raise MissingOptionError(option="--twin", needed_for=f"--method {request.method}")
    if request.method == "offline":
        return Offline(twins, iterations=request.iterations or OFFLINE_ITERATIONS)
    if request.method == "reference":
        return Reference(
            [fitted.twin for fitted in twins],
            free_mask(data, request.mask, request.twins),
            iterations=request.iterations or ITERATIONS,
        )
    return Online(twins, online_config(lag_frames=request.lag_frames, steps=request.steps))


def online_config(*, lag_frames: int, steps: int) -> DecodeConfig:
    """The default decoder at another lag; the horizon grows with lags above 8 frames."""
    defaults = DecodeConfig()
    window = max(defaults.window_frames, defaults.window_frames - 8 + lag_frames)
    return DecodeConfig(window_frames=window, lag_frames=lag_frames, steps=steps)


def scored_trials(
    method: Method,
    trials: Iterable[Trial],
    *,
    mask: NDArray[np.bool_],
    clock: Clock,
    out: Path | None = None,
    trained: Sequence[TrainedClips] = (),
    workers: Workers = in_this_process,
) -> Iterable[Scored]:
    """Reconstruct each trial by `method` and score it, one at a time or by several workers.

    Parameters
    ----------
    mask
        (row, col) True for scored pixels.
    clock
        Measures the duration of each reconstruction.
    out
        Folder for `<trial>.npy`, (frame, row, col) float32 grey levels, NaN in frames for which
        the method gives none; None writes nothing.
    trained
        Training clips of the twins that the method uses.
    workers
        Who reconstructs: each trial is a task.

    Raises
    ------
    LeakedClipError
        If a twin was trained on a clip that would be scored.
    """
    scoring = Scoring(method, mask, clock, tuple(trained))
    for scored, video in workers(_scored, scoring, trials):
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            np.save(out / f"{scored.trial}.npy", video)
        yield scored


@dataclass(frozen=True, slots=True)
class Scoring:
    """What all trials of a method have in common, for the worker that scores one of them."""

    method: Method
    mask: NDArray[np.bool_]
    clock: Clock
    trained: tuple[TrainedClips, ...]


def _scored(scoring: Scoring, trial: Trial) -> tuple[Scored, NDArray[np.float32]]:
    """Scores and video of one trial."""
    refuse_leaks(trial, scoring.trained)
    begun_ns = scoring.clock.now_ns()
    video = scoring.method.video(trial)
    seconds = (scoring.clock.now_ns() - begun_ns) / NS_PER_S
    scores = clip_scores(trial.truth, video, scoring.mask, frame_rate_hz=trial.frame_rate_hz)
    return Scored(trial.number, scores, seconds, len(video)), video.astype(np.float32)


def _require_neurons(what: str, folder: Path, trained: int, data: VideoSession) -> None:
    """Raise SessionNeuronsError where `what` in `folder` is for another number than `data` has."""
    if trained != data.neurons:
        raise SessionNeuronsError(
            what=what, folder=folder, trained=trained, session=data.folder, recorded=data.neurons
        )


def _ridge(request: Request, data: VideoSession) -> Ridge:
    if request.ridge is None:
        raise MissingOptionError(option="--ridge", needed_for="--method ridge")
    ridge = Ridge.load(request.ridge)
    _require_neurons("linear decoder", request.ridge, len(ridge.features.mean_activity), data)
    return ridge


def _direct(request: Request, data: VideoSession) -> DirectDecoder:
    if request.direct is None:
        raise MissingOptionError(option="--direct", needed_for="--method direct")
    decoder = DirectDecoder.load(request.direct)
    _require_neurons("direct decoder", request.direct, decoder.neurons, data)
    if decoder.lag_frames != request.lag_frames:
        raise DecoderLagError(
            decoder=str(request.direct), fitted=decoder.lag_frames, asked=request.lag_frames
        )
    return decoder


def trained_clips_of(method: Method, twins: Sequence[FittedTwin]) -> list[TrainedClips]:
    """Training clips of the twins, and of a direct decoder."""
    hashes = [fitted.twin.spec.training_clips for fitted in twins]
    if isinstance(method, Direct):
        hashes.append(method.decoder.training_clips)
    return [TrainedClips(of_one) for of_one in hashes]


def refuse_leaks(trial: Trial, trained: Sequence[TrainedClips]) -> None:
    """Raise LeakedClipError if a twin or direct decoder was trained on the clip of `trial`."""
    for clips in trained:
        leak = clips.leak(trial.truth)
        if leak is not None:
            raise LeakedClipError(trial=trial.number, clip=leak.clip, fraction=leak.fraction)
