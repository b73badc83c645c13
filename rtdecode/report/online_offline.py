"""Online against offline: the same responses of a session inverted with all of a clip at once.

The offline estimate has the future of each frame and sixty iterations; the live decoder had a lag
and a few steps a frame. Their difference is what the session lost by being decoded live.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.fitted_twin import load_ensemble
from rtdecode.evaluate.metrics import Mask, video_r
from rtdecode.offline.methods import Offline
from rtdecode.offline.reconstruct import OFFLINE_ITERATIONS
from rtdecode.offline.trial import Trial
from rtdecode.schema.errors import SettingMissingError, StreamMissingError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_log import Presentation

F32 = NDArray[np.float32]
MOST_CLIPS = 3
_LONGEST_S, _SHORTEST_S, _FEWEST_FRAMES = 10.0, 3.0, 2
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class ComparedClip:
    """One presentation of a clip, decoded live and offline; (frame, row, col) grey levels."""

    clip: str
    t_start_s: float
    displayed: F32
    online: F32
    """NaN where nothing was decoded."""
    offline: F32
    t_s: NDArray[np.float64]
    """(frame,) middle of each frame in s since the first message."""
    late_frames: int

    def scores(self, mask: Mask) -> tuple[float, float, float]:
        """video_r of online and of offline with displayed frames, and of online with offline.

        All three are over the frames that were decoded live.
        """
        both = np.isfinite(self.online).all((1, 2))
        shown, live, after = (v[both] for v in (self.displayed, self.online, self.offline))
        return (
            video_r(shown, live, mask),
            video_r(shown, after, mask),
            video_r(live, after, mask),
        )

    @property
    def compared(self) -> int:
        """Frames that were decoded live."""
        return int(np.isfinite(self.online).all((1, 2)).sum())


def compared_clips(
    recorded: RecordedSession, advance: Callable[[int, int], None]
) -> list[ComparedClip]:
    """Invert the responses of at most three presentations offline, evenly over the session.

    Parameters
    ----------
    advance
        Called with the parts that are done, and all of them.

    Raises
    ------
    SettingMissingError
        If the session has no twin.
    StreamMissingError
        If it lacks displayed frames, responses or reconstructions of any clip.
    MissingFileError, UnreadableFileError, NeuronCountError
        If the twin cannot be read, or has other neurons.
    """
    config = recorded.config
    if config.decode is None or not config.decode.twin_folders:
        raise SettingMissingError(
            setting="decode.twin", reason="an offline estimate needs the twin of the session"
        )
    chosen = _chosen(recorded)
    advance(0, len(chosen) + 1)
    neurons = recorded.activity.shape[1]
    by = config.decode.rois_check
    fitted = load_ensemble(config.decode.twin_folders, neurons=neurons, rois_check=by)
    method = Offline([fitted], iterations=OFFLINE_ITERATIONS)
    advance(1, len(chosen) + 1)
    found = []
    for place, one in enumerate(chosen):
        found.append(_compared(recorded, one, method))
        advance(place + 2, len(chosen) + 1)
    return found


def _chosen(recorded: RecordedSession) -> list[Presentation]:
    """Presentations that are long enough and were decoded, evenly over the session."""
    for name in ("displayed", "activity", "decoded"):
        if name not in recorded.streams:
            remedy = "record with stimulus and decoder, or replay the session"
            raise StreamMissingError(log=recorded.layout.log, what=name, remedy=remedy)
    decoded_s, active_s = recorded.decoded.t_s, recorded.activity.t_s
    usable = [
        one
        for one in recorded.presentations
        if one.t_end_s - one.t_start_s >= _SHORTEST_S
        and min(_within(active_s, one), _within(decoded_s, one)) >= _FEWEST_FRAMES
    ]
    if not usable:
        raise StreamMissingError(
            log=recorded.layout.log,
            what=f"a clip of {_SHORTEST_S:g} s or more that was decoded",
            remedy="record for longer",
        )
    if len(usable) <= MOST_CLIPS:
        return usable
    places = ((np.arange(MOST_CLIPS) + 0.5) * len(usable) / MOST_CLIPS).astype(int)
    return [usable[place] for place in places]


def _within(t_s: NDArray[np.float64], one: Presentation) -> int:
    return int(((t_s >= one.t_start_s) & (t_s < one.t_end_s)).sum())


def _compared(recorded: RecordedSession, one: Presentation, method: Offline) -> ComparedClip:
    grid = FrameGrid(recorded.config.frame_rate_hz)
    t1_s = min(one.t_end_s, one.t_start_s + _LONGEST_S)
    displayed = recorded.displayed.between(one.t_start_s, t1_s).load()
    first = grid.frame_at(int(displayed.t_ns[0]))
    first += grid.middle_ns(first) < displayed.t_ns[0]
    last_ns = recorded.zero_ns + round(t1_s * _NS_PER_S)
    frames = range(first, max(first + 2, grid.frame_at(last_ns)))
    middles = np.array([grid.middle_ns(frame) for frame in frames])
    on_screen = np.searchsorted(displayed.t_ns, middles, side="right") - 1
    responses, valid = _activity(recorded, one, frames)
    trial = Trial(
        number=0,
        responses=responses,
        valid=valid,
        behaviour=_behaviour(recorded, grid, frames),
        truth=displayed.values[np.maximum(on_screen, 0)].astype(np.float32),
        frame_rate_hz=grid.rate_hz,
    )
    online, late = _online(recorded, one, frames, trial.truth.shape)
    return ComparedClip(
        clip=one.clip,
        t_start_s=one.t_start_s,
        displayed=trial.truth,
        online=online,
        offline=method.video(trial),
        t_s=(middles - recorded.zero_ns) / _NS_PER_S,
        late_frames=late,
    )


def _activity(
    recorded: RecordedSession, one: Presentation, frames: range
) -> tuple[F32, NDArray[np.bool_]]:
    """(frame, neuron) activity, zeros where it was not measured, and where it was."""
    read = recorded.activity.between(one.t_start_s - 1, one.t_end_s + 1).load()
    activity = np.full((len(frames), read.shape[1]), np.nan, np.float32)
    for number, row in zip(read.coords["frame"][1].tolist(), read.values, strict=True):
        if number in frames:
            activity[number - frames.start] = row
    return np.nan_to_num(activity), np.isfinite(activity)


def _online(
    recorded: RecordedSession, one: Presentation, frames: range, shape: Sequence[int]
) -> tuple[F32, int]:
    """(frame, row, col) what the live decoder gave, NaN elsewhere, and its late frames."""
    read = recorded.decoded.between(one.t_start_s - 1, one.t_end_s + 1).load()
    online, late = np.full(shape, np.nan, np.float32), 0
    numbers, warm = read.coords["frame"][1].tolist(), read.coords["warm"][1]
    for place, number in enumerate(numbers):
        if number in frames and warm[place]:
            online[number - frames.start] = read.values[place]
            late += bool(read.coords["late"][1][place])
    return online, late


def _behaviour(recorded: RecordedSession, grid: FrameGrid, frames: range) -> F32:
    """(frame, 4) at the start of each frame; zeros without any sample, which change nothing."""
    channels = 4
    if "behaviour" not in recorded.streams:
        return np.zeros((len(frames), channels), np.float32)
    starts = (np.array([grid.start_ns(n) for n in frames]) - recorded.zero_ns) / _NS_PER_S
    read = recorded.behaviour.between(float(starts[0]) - 1, float(starts[-1]) + 1).load()
    if not len(read):
        return np.zeros((len(frames), channels), np.float32)
    columns = [np.interp(starts, read.t_s, column) for column in read.values.T]
    return np.column_stack(columns).astype(np.float32)
