"""One reconstruction as it is asked for on the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.opening import holds_stills, open_video_session
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.evaluate.screen_mask import read_screen_mask, read_transparency
from rtdecode.offline.methods import (
    LinearDecoder,
    MeanFrame,
    Method,
    Offline,
    Online,
    Reference,
)
from rtdecode.offline.reconstruct import (
    Scored,
    reconstruct,
    summary_of,
    write_summary,
)
from rtdecode.offline.reference import ITERATIONS
from rtdecode.offline.ridge import Ridge, mean_frame_of
from rtdecode.offline.screen_mask_fit import TRAINED_FROM
from rtdecode.offline.stills.run import reconstruct_stills
from rtdecode.offline.trial import Input, causality_of, trials_of
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import MissingOptionError, NeuronCountError, UnsuitedOptionError
from rtdecode.schema.interfaces import Clock

OFFLINE_ITERATIONS = 60
MASK_FILE = "mask.npy"


@dataclass(frozen=True, slots=True)
class Request:
    """What to reconstruct, how, and where to write it."""

    data: Path
    out: Path
    method: str
    tier: str
    twins: tuple[Path, ...]
    ridge: Path | None
    lag_frames: int
    steps: int
    iterations: int | None
    mask: Path | None
    source: str


def run_request(
    request: Request, *, clock: Clock, report: Callable[[int, int, float], None]
) -> dict[str, Any]:
    """Reconstruct, score and write; gives what `summary.json` says.

    `report` is told the trials done, their number, and the last one's video_r.
    """
    if holds_stills(request.data):
        return _run_stills(request, clock=clock, report=report)
    data = open_video_session(request.data)
    total = len(data.trials(request.tier))
    twins = [load_fitted_twin(folder, neurons=data.neurons) for folder in request.twins]
    kind = Input(request.source)
    if kind is Input.PREDICTED and not twins:
        raise MissingOptionError(option="--twin", needed_for="--input predicted")
    mask = scoring_mask(data, request.mask, request.twins)
    method = method_for(request, data, twins)
    scored: list[Scored] = []

    def told(now: Scored) -> None:
        scored.append(now)
        report(len(scored), total, now.scores.video_r)

    done = reconstruct(
        method,
        trials_of(data, request.tier, kind, twin=twins[0].twin if twins else None),
        mask=mask,
        clock=clock,
        out=request.out,
        trained=[TrainedClips(fitted.twin.spec.training_clips) for fitted in twins],
        report=told,
    )
    summary = summary_of(
        done,
        method,
        name=request.method,
        causality=causality_of(data, kind),
        neurons=data.neurons,
    )
    write_summary(summary, request.out)
    return summary


def _run_stills(
    request: Request, *, clock: Clock, report: Callable[[int, int, float], None]
) -> dict[str, Any]:
    if request.ridge is not None:
        instead = "leave it out, --method ridge fits its own"
        raise UnsuitedOptionError(option="--ridge", data=request.data, instead=instead)
    if request.source != Input.RESPONSES:
        option = f"--input {request.source}"
        instead = "there is one value a neuron and image, take --input responses"
        raise UnsuitedOptionError(option=option, data=request.data, instead=instead)
    summary = reconstruct_stills(
        request.data,
        request.out,
        tier=request.tier,
        method=request.method,
        twins=request.twins,
        iterations=request.iterations,
        mask=lambda shape: screen_mask(shape, request.mask, request.twins),
        clock=clock,
        report=report,
    )
    write_summary(summary, request.out)
    return summary


def scoring_mask(
    data: VideoSession, path: Path | None, twins: tuple[Path, ...]
) -> NDArray[np.bool_]:
    """The mask in `path`, else the one beside the first twin, else the whole screen."""
    return screen_mask((data.rows_px, data.cols_px), path, twins)


def screen_mask(
    shape: tuple[int, int], path: Path | None, twins: tuple[Path, ...]
) -> NDArray[np.bool_]:
    """As `scoring_mask`, for a screen of so many rows and columns."""
    if path is None and twins and (twins[0] / MASK_FILE).is_file():
        path = twins[0] / MASK_FILE
    return read_screen_mask(path, shape=shape)


def method_for(request: Request, data: VideoSession, twins: list[FittedTwin]) -> Method:
    """The method that `request` names; MissingOptionError where it needs more than it was given."""
    if request.method == "mean":
        return MeanFrame(mean_frame_of(data))
    if request.method == "ridge":
        return LinearDecoder(_ridge(request, data))
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
    """The defaults of the live decoder at another lag; the window grows with a long one."""
    defaults = DecodeConfig()
    window = max(defaults.window_frames, defaults.window_frames - 8 + lag_frames)
    return DecodeConfig(window_frames=window, lag_frames=lag_frames, steps=steps)


def free_mask(data: VideoSession, path: Path | None, twins: tuple[Path, ...]) -> NDArray[np.bool_]:
    """Pixels that the reference may move: a wider mask than the scored one where it is known.

    `rtdecode fit mask` keeps the transparency beside the mask; the published procedure scores
    where it reaches 1 and moves pixels where it reaches a half.
    """
    beside = path or (twins[0] / MASK_FILE if twins else None)
    if beside is not None:
        transparency = beside.with_name(f"{beside.stem}_transparency.npy")
        if transparency.is_file():
            shape = (data.rows_px, data.cols_px)
            return np.asarray(read_transparency(transparency, shape=shape) >= TRAINED_FROM)
    return scoring_mask(data, path, twins)


def _ridge(request: Request, data: VideoSession) -> Ridge:
    if request.ridge is None:
        raise MissingOptionError(option="--ridge", needed_for="--method ridge")
    ridge = Ridge.load(request.ridge)
    if len(ridge.mean_activity) != data.neurons:
        raise NeuronCountError(
            streamed=data.neurons, trained=len(ridge.mean_activity), twin=str(request.ridge)
        )
    return ridge
