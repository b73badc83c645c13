"""`rtdecode fit direct`: train the direct deep decoder on a session."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.datasets.video_session import TRAIN, VALIDATION, VideoSession, segments
from rtdecode.evaluate.fit_checks import chance_warning, warnings
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME
from rtdecode.offline.direct import DirectDecoder, Refinement
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.ridge import clips_warned_of, mean_frame_of, r_by_chance
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.train.direct_crops import check_lengths
from rtdecode.train.direct_readin import CrossFit, cross_fit
from rtdecode.train.direct_training import DirectOutcome, DirectProgress, NetworkTraining
from rtdecode.train.starting_point import survey

F32 = NDArray[np.float32]

RECORD = "direct.json"
TRANSFORM = Transform.SQRT
"""Function of the activity that the linear maps start from (docs/decisions/0071)."""
_NS_PER_S = 1e9


def fit_direct(
    data: VideoSession,
    out: Path,
    config: DirectConfig,
    *,
    lag_frames: int,
    clock: Clock,
    report: Callable[[DirectProgress], None] = lambda _: None,
    work: Work = UNSEEN,
    device: torch.device | None = None,
) -> DirectOutcome:
    """Fit the direct decoder of a session, and write it with its record into `out`.

    Parameters
    ----------
    data
        Session with training and validation trials.
    out
        Folder for the decoder, and for `direct.json`: its r by step, and what it warns of.
    config
        Size of the network, steps, rates, seed and time limit.
    lag_frames
        Frames between the decoded frame and the newest activity.
    clock, report, work
        The clock measures elapsed time; `report` is called after each training step, `work`
        receives the other parts.
    device
        Where the network is trained, by default the CPU. The linear maps are fitted on the CPU, to
        which the trained network returns.

    Raises
    ------
    NoSuchTierError, TooShortError
        If the session has no training or validation trials, or one that is too short.
    DivergedError
        If a gradient is not finite.
    """
    check_lengths(data, lag_frames)  # now instead of after the linear fit
    begun_ns = clock.now_ns()

    def elapsed_s() -> float:
        return (clock.now_ns() - begun_ns) / _NS_PER_S

    fit, decoder = _untrained(data, config, lag_frames=lag_frames, work=work)
    decoder.network.to(device)
    outcome = DirectOutcome(decoder, fit.penalty)
    work.begun("training")
    NetworkTraining(data, fit, outcome, config, elapsed_s=elapsed_s).run(report)
    decoder.network.cpu()
    work.begun("comparing with chance")
    outcome.r_by_chance = r_by_chance(decoded_validation(decoder, data))
    outcome.warnings = tuple(_warnings(outcome, data))
    outcome.elapsed_s = elapsed_s()
    decoder.save(out)
    _write_record(out, outcome, config)
    return outcome


def decoded_validation(decoder: DirectDecoder, data: VideoSession) -> Iterator[tuple[F32, F32]]:
    """Displayed and decoded frames of each validation trial, without those that are not scored."""
    for cut in segments(data, VALIDATION):
        scored = np.s_[FIRST_SCORED_FRAME : len(cut.video) - decoder.lag_frames]
        yield cut.video[scored], decoder.video(cut.responses, cut.behaviour)[scored]


def _untrained(
    data: VideoSession, config: DirectConfig, *, lag_frames: int, work: Work
) -> tuple[CrossFit, DirectDecoder]:
    mean_frame = mean_frame_of(data, work)
    squares = [np.square(data.video(k)[::6] - mean_frame).mean() for k in data.trials(TRAIN)]
    contrast = max(float(np.sqrt(np.mean(squares))), 1.0)
    fit = cross_fit(
        data,
        mean_frame=mean_frame,
        contrast=contrast,
        lag_frames=lag_frames,
        transform=TRANSFORM,
        work=work,
    )
    found = survey(data)
    bins, _, rows, cols = fit.readin.weights.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Refinement(bins, config.channels, rows, cols)
    return fit, DirectDecoder(
        lag_frames,
        fit.readin,
        network,
        mean_frame,
        contrast,
        np.array([found.behaviour_mean, found.behaviour_sd], np.float32),
        found.clip_hashes,
    )


def _warnings(outcome: DirectOutcome, data: VideoSession) -> Iterator[str]:
    step, r = outcome.best
    return warnings(
        clips_warned_of(data),
        "no step of the training was better than the linear estimate, which is what the decoder "
        "gives: record more training trials"
        if step == 0
        else None,
        chance_warning(
            r,
            outcome.r_by_chance,
            what="the decoded video of validation trials",
            remedy="check that the frame times fit the scans",
        ),
    )


def _write_record(out: Path, outcome: DirectOutcome, config: DirectConfig) -> None:
    step, r = outcome.best
    plain = {
        "lag_frames": outcome.decoder.lag_frames,
        "neurons": outcome.decoder.neurons,
        "transform": outcome.decoder.readin.transform.value,
        "penalty": outcome.penalty,
        "validation_r": {"best": r, "at_step": step, "by_step": outcome.validation_r},
        "validation_r_by_chance": [round(one, 5) for one in outcome.r_by_chance],
        "warnings": outcome.warnings,
        "elapsed_s": outcome.elapsed_s,
        "config": config.model_dump(mode="json"),
    }
    with written_atomically(out / RECORD) as unfinished:
        unfinished.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
