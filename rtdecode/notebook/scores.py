"""Scores of reconstructed frames in a notebook: those of `rtdecode score` and `reconstruct`."""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME, ClipScores, clip_scores
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.screen_mask import read_screen_mask
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import ArgumentValueError, NoFrameScoredError, ShapeError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Received, Reconstruction, Score, Stamped
from rtdecode.session.layout import SessionLayout
from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.series import I64, Series

Timed = Series | RecordedStream
MaskLike = ArrayLike | str | PathLike[str]
_NO_PAIR = (
    "no frame after the warm-up is in both: check that they are of the same session and time "
    "(warm_up_s=0 scores from the first frame)"
)
_TOO_SHORT = "{} frames are no more than the {} that fill the estimation window (first_frame)"
_ALL_NAN = "all have NaN inside the mask, in one video or the other"
_NO_VARIANCE = (
    "the displayed frames do not differ inside the mask, so nothing correlates with them: check "
    "that they are frames, and that they are those of the reconstruction"
)
_RATE_HZ = 30.0
_VIDEO_AXES = 3


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement of reconstructed with displayed frames inside the screen mask."""

    video_r: float
    """Pearson correlation over all pixels and frames; in a session its mean over clips."""
    frame_r: float
    """Mean over frames of the correlation over pixels."""
    ssim: float
    """Mean over frames of the structural similarity."""
    shift_ms: float
    """Shift in time in ms that maximises video_r; positive where the reconstruction is late."""
    n_frames: int
    """Frames that were scored."""


def score(
    displayed: Timed | ArrayLike,
    decoded: Timed | ArrayLike,
    mask: MaskLike | None = None,
    *,
    frame_rate_hz: float | None = None,
    warm_up_s: float | None = None, first_frame: int = FIRST_SCORED_FRAME,
) -> Scores:  # fmt: skip
    """Score reconstructed frames against displayed ones.

    Streams and series of a session are aligned by their times: the ground truth of a reconstructed
    frame is what was on the screen in its middle. Of two arrays, frame k belongs to frame k.

    Parameters
    ----------
    displayed, decoded
        Streams or series, or (frame, row, col) arrays in grey levels; NaN is left out.
    mask
        (row, col) bool, True where pixels are scored, or the .npy file of one. By default the one
        that the session was scored with, and for arrays all pixels.
    frame_rate_hz
        Frame rate, with which the shift is stated in ms; by default that of the session, and for
        arrays 30 Hz.
    warm_up_s
        Time in s from the first reconstruction of a stream that is not scored; by default that of
        the session's config.
    first_frame
        The first frame of arrays that is scored: those before it fill the estimation window.

    Returns
    -------
    Scores
        For arrays of a trial those of `rtdecode reconstruct`, and for whole streams of a session
        those of `rtdecode score`, which leaves out frames that were emitted more than 10 s late.

    Raises
    ------
    ShapeError
        If frames or mask differ in shape, or only one of the two has times.
    NoFrameScoredError
        If no frame can be scored: all have NaN, or the displayed ones do not differ.
    ArgumentValueError
        If a rate, a time or the first frame has no meaning.

    Examples
    --------
    The score of a whole session:

        session = rtdecode.open_session("sessions/2026-11-30_09-00-00")
        rtdecode.score(session.displayed, session.decoded).video_r
    """
    _require_positive(frame_rate_hz, warm_up_s, first_frame)
    if isinstance(displayed, Timed) and isinstance(decoded, Timed):
        return _of_streams(displayed, decoded, mask, frame_rate_hz, warm_up_s)
    if isinstance(displayed, Timed) or isinstance(decoded, Timed):
        expected = "times, as the other one: give two streams, or two arrays of the same frames"
        without = decoded if isinstance(displayed, Timed) else displayed
        raise ShapeError("displayed and decoded", expected=expected, got=np.asarray(without))
    truth, rate_hz = np.asarray(displayed), frame_rate_hz or _RATE_HZ
    return _of_arrays(truth, np.asarray(decoded), mask, rate_hz, first_frame)


def _of_arrays(
    truth: NDArray[Any],
    video: NDArray[Any],
    mask: MaskLike | None,
    rate_hz: float,
    first_frame: int,
) -> Scores:
    _require_frames(truth, first_frame)
    inside = _mask(mask, truth.shape[1:])
    found = clip_scores(truth, video, inside, frame_rate_hz=rate_hz, first_frame=first_frame)
    return _scored(found)


def _scored(found: ClipScores | Score) -> Scores:
    if not found.n_frames:
        raise NoFrameScoredError(why=_ALL_NAN)
    if math.isnan(found.video_r):
        raise NoFrameScoredError(why=_NO_VARIANCE)
    return Scores(found.video_r, found.frame_r, found.ssim, found.shift_ms, found.n_frames)


def _require_positive(
    frame_rate_hz: float | None, warm_up_s: float | None, first_frame: int
) -> None:
    """Raise ArgumentValueError for a number without meaning."""
    if frame_rate_hz is not None and not 0 < frame_rate_hz < math.inf:
        expected = "frames a second, above 0"
        raise ArgumentValueError(name="frame_rate_hz", got=frame_rate_hz, expected=expected)
    if warm_up_s is not None and not 0 <= warm_up_s < math.inf:
        raise ArgumentValueError(name="warm_up_s", got=warm_up_s, expected="a time in s, 0 or more")
    if first_frame < 0:
        expected = "the number of a frame, 0 or more"
        raise ArgumentValueError(name="first_frame", got=first_frame, expected=expected)


def _require_frames(truth: NDArray[Any], first_frame: int) -> None:
    if truth.ndim != _VIDEO_AXES:
        raise ShapeError("displayed", expected="(frame, row, col)", got=truth)
    if len(truth) <= first_frame:
        raise NoFrameScoredError(why=_TOO_SHORT.format(len(truth), first_frame))


def _of_streams(
    displayed: Timed,
    decoded: Timed,
    mask: MaskLike | None,
    frame_rate_hz: float | None,
    warm_up_s: float | None,
) -> Scores:
    config = _config_of(decoded)
    evaluate = EvaluateConfig() if config is None else config.evaluate
    if warm_up_s is not None:
        evaluate = evaluate.model_copy(update={"warm_up_s": warm_up_s})
    rate_hz = frame_rate_hz or (_grid_rate_hz(decoded) if config is None else config.frame_rate_hz)
    chosen = mask if mask is not None or config is None else config.evaluate.screen_mask
    online = OnlineScore(evaluate, _mask(chosen, displayed.shape[1:]), frame_rate_hz=rate_hz)
    for message in _merged(displayed, decoded, FrameGrid(rate_hz)):
        online.step([message])
    final = next(iter(online.finish()), None)
    if final is None:
        raise NoFrameScoredError(why=_NO_PAIR)
    return _scored(final)


def _config_of(stream: Timed) -> RunConfig | None:
    """Config of the session that it comes from; None where that is unknown."""
    path = None if stream.session is None else SessionLayout(stream.session).config
    return read_config(path) if path is not None and path.is_file() else None


def _grid_rate_hz(decoded: Timed) -> float:
    """Rate of the frame grid, from a frame and the time of its middle."""
    if "frame" in decoded.coords and len(decoded):
        frame, t_ns = int(decoded.coords["frame"][1][-1]), int(decoded.t_ns[-1])
        return round((frame + 0.5) * 1e9 / t_ns, 6)
    return round(decoded.rate_hz, 3)


def _mask(given: MaskLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, cols = shape if len(shape) == 2 else (1, 1)  # noqa: PLR2004
    if given is None or isinstance(given, str | PathLike):
        path = None if given is None else Path(given).expanduser()
        return read_screen_mask(path, shape=(rows, cols))
    mask = np.asarray(given)
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise ShapeError("mask", expected=f"bool of the shape of a frame, {shape}", got=mask)
    return mask


def _merged(displayed: Timed, decoded: Timed, grid: FrameGrid) -> Iterator[Received]:
    """The messages of both, by the times of their frames."""
    shown = _messages(displayed, lambda number: _displayed_frame(displayed, number))
    made = _messages(decoded, lambda number: _reconstruction(decoded, number, grid))
    yield from heapq.merge(shown, made, key=lambda one: one.t_received_ns)


def _messages(stream: Timed, body_of: Callable[[int], Any]) -> Iterator[Received]:
    if isinstance(stream, RecordedStream):
        for t_ns, message in zip(stream.t_ns.tolist(), stream.messages(), strict=True):
            yield Received(message, t_ns)
        return
    seq: I64 = _coord(stream, "seq", np.arange(len(stream)))
    for number, t_ns in enumerate(stream.t_ns.tolist()):
        message = Stamped(stream.name, int(seq[number]), t_ns, "host", body_of(number))
        yield Received(message, t_ns)


def _coord(series: Timed, name: str, default: Any) -> Any:
    coords: Mapping[str, Any] = series.coords
    return coords[name][1] if name in coords else default


def _displayed_frame(series: Timed, number: int) -> DisplayedFrame:
    clips, index = _coord(series, "clip", None), _coord(series, "index", None)
    return DisplayedFrame(
        clip="" if clips is None else str(clips[number]),
        index=number if index is None else int(index[number]),
        luminance=np.asarray(series.values[number], np.uint8),
        t_flip_ns=int(series.t_ns[number]),
        flips=1,
    )


def _reconstruction(series: Timed, number: int, grid: FrameGrid) -> Reconstruction:
    t_ns = int(series.t_ns[number])
    frames, warm = _coord(series, "frame", None), _coord(series, "warm", None)
    luminance = np.asarray(series.values[number], np.float32)
    return Reconstruction(
        luminance=luminance,
        uncertainty=luminance[:0],
        frame=grid.frame_at(t_ns) if frames is None else int(frames[number]),
        t_frame_mid_ns=t_ns,
        t_scan_ns=t_ns,
        t_scan_end_ns=t_ns,
        t_received_ns=t_ns,
        t_responses_ns=t_ns,
        t_ready_ns=t_ns,
        lag_frames=0,
        steps=0,
        objective=0.0,
        warm=True if warm is None else bool(warm[number]),
        late=False,
    )
