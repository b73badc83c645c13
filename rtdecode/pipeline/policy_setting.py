"""What a policy is made with: clips of the stimulus, screen mask, and actions of other sessions."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.control.policy import PolicySetting, Request
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.control import Action, ActionName, Observed, Outcome
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader
from stimulus.clips import Split, embedded_clips
from stimulus.videos import video_files, video_frames

_NS_PER_S = 1e9
_RECORDED = frozenset({"controller/action", "controller/observed"})
Frames = NDArray[np.uint8]


def policy_setting(config: RunConfig) -> PolicySetting:
    """The setting of the policy in a run, or a replay, of `config`.

    Raises
    ------
    ClipError, MissingFileError, UnreadableFileError
        If the clips or the screen mask of the config cannot be read.
    """
    frames_of = clip_frames(config.stimulus, frame_rate_hz=config.frame_rate_hz)

    @cache
    def frames(clip: str) -> Frames:
        return frames_of[clip]()

    return PolicySetting(
        frame_rate_hz=config.frame_rate_hz,
        clips=tuple(frames_of),
        screen_mask=scoring_mask(config),
        seed=config.stimulus.seed,
        clip_frames=frames,
        earlier_actions_s=lambda folder: list(earlier_actions_s(Path(folder))),
    )


def clip_frames(
    config: StimulusConfig, *, frame_rate_hz: float
) -> Mapping[str, Callable[[], Frames]]:
    """By the name of each clip of the stimulus, what gives its (frame, row, col) grey levels."""
    if config.clips is None:
        clips = embedded_clips(
            Split.SHOW,
            count=config.embedded_clips,
            seconds=config.clip_s,
            seed=config.seed,
            frame_rate_hz=frame_rate_hz,
        )
        return {clip.name: lambda frames=clip.frames: frames for clip in clips}  # type: ignore[misc]
    screen = (config.rows_px, config.cols_px)

    def decoded(file: Path) -> Callable[[], Frames]:
        return lambda: np.stack(list(video_frames(file, screen=screen, rate_hz=frame_rate_hz)))

    return {file.name: decoded(file) for file in video_files(config.clips)}


def earlier_actions_s(folder: Path) -> Iterator[tuple[float, Request]]:
    """What the session in `folder` carried out, each with its time in s after its arming.

    Raises
    ------
    MissingFileError
        If there is no session.
    """
    log, armed_ns, armed = LogReader(session_at(folder).log), 0, False
    for received in log.messages(_RECORDED.__contains__):
        body = received.message.body
        if isinstance(body, Observed):
            if body.armed and not armed:
                armed_ns = body.t_observed_ns
            armed = body.armed
        elif isinstance(body, Action) and body.outcome == Outcome.SENT:
            yield (body.t_observed_ns - armed_ns) / _NS_PER_S, _request(body)


def _request(action: Action) -> Request:
    return Request(
        ActionName(action.name), action.target, action.value, action.reason, frames=action.frames
    )
