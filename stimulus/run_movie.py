"""What a run displays: the order of its clips or trials, and what a command may ask for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import UnknownParameterError
from stimulus.playlist import MovieFrame, embedded_presentations, presentations
from stimulus.prefetch import Presentation
from stimulus.protocol.clip_library import ClipLibrary
from stimulus.protocol.protocol_movie import protocol_movie


@dataclass(frozen=True, slots=True)
class RunMovie:
    """The movie of one run."""

    presentations: Iterator[Presentation[MovieFrame]]
    clips: ClipLibrary
    """Clips that a command may name."""
    require_parameter: Callable[[str, float], None]
    """Raises an error where the protocol has no such parameter, or cannot have its value."""


def run_movie(config: RunConfig, *, first: int = 0) -> RunMovie:
    """The movie of `config` from the trial or clip of the number `first` on.

    Raises
    ------
    ClipError, ConfigError, MissingFileError, ProtocolCodeError
        For clips and protocols that cannot be displayed.
    """
    stimulus, rate_hz = config.stimulus, config.frame_rate_hz
    protocol = protocol_movie(stimulus, frame_rate_hz=rate_hz)
    if protocol is not None:
        trials = protocol.presentations(first=first)
        return RunMovie(trials, protocol.clips, protocol.require_parameter)
    if stimulus.clips is not None:
        order = presentations(stimulus, frame_rate_hz=rate_hz, first_clip=first)
        return RunMovie(order, ClipLibrary(stimulus, None, frame_rate_hz=rate_hz), _no_parameter)
    clips = ClipLibrary(stimulus, None, frame_rate_hz=rate_hz)
    order = embedded_presentations(clips.embedded, seed=stimulus.seed, first_clip=first)
    return RunMovie(order, clips, _no_parameter)


def _no_parameter(name: str, _value: float) -> None:
    raise UnknownParameterError(got=name, known=[])
