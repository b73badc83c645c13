"""What a policy is made with: clips of the stimulus, screen mask, and actions of other sessions."""

from collections.abc import Iterator
from pathlib import Path

from rtdecode.control.policy import PolicySetting, Request
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.protocol import Movie, Still
from rtdecode.schema.control import Action, ActionName, Observed, Outcome
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader
from stimulus.protocol.clip_library import ClipLibrary
from stimulus.protocol.protocol_movie import protocol_movie
from stimulus.videos import video_files

_NS_PER_S = 1e9
_RECORDED = frozenset({"controller/action", "controller/observed"})


def policy_setting(config: RunConfig) -> PolicySetting:
    """The setting of the policy in a run, or a replay, of `config`.

    Raises
    ------
    ClipError, ConfigError, MissingFileError, UnreadableFileError
        If clips, protocol or screen mask of the config cannot be read.
    """
    names, library = displayed_clips(config)
    return PolicySetting(
        frame_rate_hz=config.frame_rate_hz,
        clips=names,
        screen_mask=scoring_mask(config),
        seed=config.stimulus.seed,
        clip_frames=library.frames,
        earlier_actions_s=lambda folder: list(earlier_actions_s(Path(folder))),
    )


def displayed_clips(config: RunConfig) -> tuple[tuple[str, ...], ClipLibrary]:
    """Names of the clips that the stimulus displays, as `displayed_frame` has them; their frames.

    With a protocol they are its movies and stills.
    """
    stimulus, rate_hz = config.stimulus, config.frame_rate_hz
    movie = protocol_movie(stimulus, frame_rate_hz=rate_hz)
    if movie is not None:
        stimuli = (one for block in movie.protocol.blocks for one in block.conditions())
        labels = dict.fromkeys(one.label() for one in stimuli if isinstance(one, Movie | Still))
        return tuple(name for name in labels if name in movie.clips.names), movie.clips
    library = ClipLibrary(stimulus, None, frame_rate_hz=rate_hz)
    if stimulus.clips is None:
        return tuple(clip.name for clip in library.embedded), library
    return tuple(file.name for file in video_files(stimulus.clips)), library


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
