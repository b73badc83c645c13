"""The movie of a protocol: its trials one by one, rendered lazily with the current parameters.

Duties: give the frames of each trial in order, each with the trial it belongs to, grey frames in
the intervals, and one grey frame that waits where a block waits for `start_block`. It does not
flip, does not know when a frame is displayed, and receives no commands.

    movie = protocol_movie(config, frame_rate_hz=30.0)
    for trial in movie.trials():
        for luminance in movie.frames(trial, {"contrast": 0.4}):
            ...
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rtdecode.runtime.protocol_file import read_protocol
from rtdecode.schema.config.protocol import Protocol, Stimulus
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import ParameterValueError, UnknownParameterError
from rtdecode.schema.planned_trials import PlannedTrial, planned_trials
from rtdecode.schema.protocol_limits import Limits
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.prefetch import Presentation
from stimulus.protocol.clip_library import ClipLibrary
from stimulus.protocol.degrees import Geometry
from stimulus.protocol.gratings import GREY
from stimulus.protocol.rendering import Frame, trial_frames

INTERVAL_CLIP = "interval"
"""Name of the grey frames between trials."""
WAIT_CLIP = "wait"
"""Name of the grey frames before a block that waits for `start_block`."""
Overrides = Mapping[str, float]


def protocol_movie(config: StimulusConfig, *, frame_rate_hz: float) -> "ProtocolMovie | None":
    """The movie of the protocol of `config`; None for a run that displays clips.

    Raises
    ------
    MissingFileError, ConfigError, ProtocolCodeError
        As `rtdecode.runtime.protocol_file.read_protocol`.
    ClipError
        For a movie or still that is empty or broken from the start.
    """
    if config.protocol is None:
        return None
    limits = Limits.of(config, frame_rate_hz=frame_rate_hz)
    protocol = read_protocol(config.protocol, limits)
    clips = ClipLibrary(config, protocol, frame_rate_hz=frame_rate_hz)
    geometry = None
    if config.monitor is not None:
        size_px = {"rows_px": config.rows_px, "cols_px": config.cols_px}
        geometry = Geometry.of(config.monitor, **size_px)
    return ProtocolMovie(protocol, limits=limits, clips=clips, geometry=geometry)


@dataclass(frozen=True, slots=True)
class ProtocolMovie:
    """The trials of a protocol and their frames; nothing is rendered before it is asked for."""

    protocol: Protocol
    limits: Limits
    clips: ClipLibrary
    geometry: Geometry | None
    """Visual angles of the pixels; None where no monitor is configured."""

    def trials(self, first: int = 0) -> Iterator[PlannedTrial]:
        """The trials in order, from the number `first`; the same at every call."""
        return islice(planned_trials(self.protocol), first, None)

    def frames(self, trial: PlannedTrial, overrides: Overrides) -> Iterator[Frame]:
        """(row, col) uint8 frames of `trial`, rendered one by one; the same at every call.

        Parameters
        ----------
        overrides
            Parameters by name, which replace those of the protocol where the stimulus has them.
        """
        return trial_frames(
            self.displayed_stimulus(trial, overrides),
            size_px=self.limits.size_px,
            frame_rate_hz=self.limits.frame_rate_hz,
            geometry=self.geometry,
            rng=trial.generator(),
            pictures=self.clips.streamed,
        )

    def clip_frames(self, name: str) -> NDArray[np.uint8]:
        """(frame, row, col) uint8 frames of a named clip, as `ClipLibrary.frames`."""
        return self.clips.frames(name)

    def displayed_stimulus(self, trial: PlannedTrial, overrides: Overrides) -> Stimulus:
        """The stimulus of `trial` with those of the `overrides` that it has."""
        own = {name: value for name, value in overrides.items() if name in trial.parameters}
        return trial.stimulus.changed(own) if own else trial.stimulus

    def movie_frames(
        self, overrides: Callable[[], Overrides] = dict, *, first: int = 0
    ) -> Iterator[MovieFrame]:
        """All frames of the run from the trial `first` on, with waits and intervals.

        A block that waits for `start_block` begins with one frame whose `waits` is True, which the
        player displays until the command arrives. Frames of waits and intervals have the trial
        -1. A frame's `place` is the number of its trial, or of the one before it.

        Parameters
        ----------
        overrides
            Called once for each wait and each trial, before its first frame is rendered.
        """
        for presentation in self.presentations(first=first):
            yield from presentation(overrides())

    def presentations(self, *, first: int = 0) -> Iterator[Presentation[MovieFrame]]:
        """The trials from the number `first` on, each after its wait, for the prefetcher."""
        for trial in self.trials(first):
            if trial.waits:
                yield partial(self._waiting, trial)
            yield partial(self.trial_movie, trial)

    def _waiting(self, trial: PlannedTrial, _overrides: Overrides) -> Iterator[MovieFrame]:
        yield self._grey(WAIT_CLIP, 0, trial.number - 1, waits=True)

    def trial_movie(self, trial: PlannedTrial, overrides: Overrides) -> Iterator[MovieFrame]:
        """The frames of one trial and of the interval after it."""
        stimulus = self.displayed_stimulus(trial, overrides)
        shown = DisplayedTrial(trial.number, trial.block, trial.name, stimulus.parameters())
        clip = replace(trial, stimulus=stimulus).clip(
            name for name in overrides if name in trial.parameters
        )
        for index, luminance in enumerate(self.frames(trial, overrides)):
            yield MovieFrame(clip, index, luminance, trial.number, shown)
        for index in range(round(trial.interval_s * self.limits.frame_rate_hz)):
            yield self._grey(INTERVAL_CLIP, index, trial.number)

    def require_parameter(self, name: str, value: float) -> None:
        """Check that stimuli of the protocol have the parameter `name`, and can have the `value`.

        Raises
        ------
        UnknownParameterError
            If no stimulus has it; it lists those that there are.
        ParameterValueError
            If a stimulus that has it cannot be displayed with `value`.
        """
        conditions = [one for block in self.protocol.blocks for one in block.conditions()]
        having = [one for one in conditions if name in one.parameters()]
        if not having:
            known = sorted({key for one in conditions for key in one.parameters()})
            raise UnknownParameterError(got=name, known=known)
        for stimulus in having:
            try:
                changed = stimulus.changed({name: value})
            except ValidationError as error:
                got = error.errors()[0]["msg"]
                raise ParameterValueError(name=name, value=value, got=got) from error
            for mistake in self.limits.mistakes(changed):
                raise ParameterValueError(name=name, value=value, got=mistake)

    def _grey(self, name: str, index: int, place: int, *, waits: bool = False) -> MovieFrame:
        luminance = np.full(self.limits.size_px, GREY, np.uint8)
        return MovieFrame(name, index, luminance, place, waits=waits)
