"""The frame loop of the stimulus process: draw, flip on time, publish, apply commands, repeat.

Duties: show every movie frame once and in order, publish one DisplayedFrame for each flip to
another picture, and act on commands between frames. The loop does not depend on which screen it
draws on (`stimulus.screen`), when a flip is due (`stimulus.pacing`), where the frames come from
(`stimulus.playlist`), or any socket.

>>> from threading import Event
>>> from rtdecode.schema.messages import Command
>>> commands = CommandState(Event())
>>> commands.apply(Command(target="stimulus", name="pause", value=""))
>>> commands.paused, commands.stopped
(True, False)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from threading import Event

import numpy as np

from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.interfaces import Sink
from rtdecode.schema.messages import Body, Command
from stimulus.display_log import DisplayLog
from stimulus.pacing import Pacing
from stimulus.playlist import MovieFrame
from stimulus.screen import Screen
from stimulus.sync_patch import patch_grey


class StimulusCommand(StrEnum):
    """Commands that the stimulus process accepts."""

    STOP = "stop"
    PAUSE = "pause"
    SHOW = "show"
    START = "start"
    """Sent by the supervisor when all processes are ready; without effect once frames are shown."""


class CommandState:
    """The state that the commands so far have led to; `stop` may also be set from elsewhere."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self.paused = False

    @property
    def stopped(self) -> bool:
        """True once the end was requested."""
        return self._stop.is_set()

    def apply(self, command: Command) -> None:
        """Apply one command.

        Raises
        ------
        UnknownCommandError
            If its name is none of StimulusCommand; the state then stays as it was.
        """
        if command.name not in set(StimulusCommand):
            raise UnknownCommandError(got=command.name, known=[*StimulusCommand])
        if command.name == StimulusCommand.STOP:
            self._stop.set()
        elif command.name != StimulusCommand.START:
            self.paused = command.name == StimulusCommand.PAUSE


GREY_CLIP = "grey"
_GREY = 128


@dataclass(slots=True)
class Player:
    """Shows frames on a screen and pushes a DisplayedFrame to `sink` right after each flip."""

    screen: Screen
    pacing: Pacing
    display_log: DisplayLog
    sink: Sink[Body]
    commands: CommandState
    first_frame: int = 0
    """Number of the first frame, which the patch encodes."""
    on_flip: Callable[[int, MovieFrame, int], None] = lambda _number, _frame, _t_flip_ns: None
    """Called with the number of a frame, the frame and HostNs of its flip, before it is pushed."""
    patch_grey: Callable[[int], int] = patch_grey
    """Grey level of the patch for the photodiode with the frame of a number."""

    def play(self, frames: Iterator[MovieFrame], *, between_frames: Callable[[], None]) -> str:
        """Show `frames` until they end, a stop command arrives, or a quit key is pressed.

        While `commands.paused` is True, uniform grey frames are shown and published like any
        other; the movie resumes with the frame that follows the last one shown.

        Parameters
        ----------
        between_frames
            Called once a frame, after its DisplayedFrame was pushed: receives commands, sends
            heartbeats.

        Returns
        -------
        Why playback ended, as a phrase for the log.
        """
        current = next(frames, None)
        if current is not None and self.commands.paused:
            current = _grey(current, self.first_frame)
        for number in count(self.first_frame):
            if current is None:
                break
            self._show(current, number)
            between_frames()
            if self.commands.stopped:
                return "stopped as asked"
            if self.screen.is_quit():
                return "ended at the screen"
            current = _grey(current, number) if self.commands.paused else next(frames, None)
        return "the movie is over"

    def _show(self, frame: MovieFrame, number: int) -> None:
        grey = self.patch_grey(number)
        t_flip_ns, refreshes = self.pacing.show(frame.luminance, patch=grey)
        self.on_flip(number, frame, t_flip_ns)
        log = self.display_log
        self.sink.push(log.flipped(frame, number=number, t_flip_ns=t_flip_ns, refreshes=refreshes))
        for event in log.events():
            self.sink.push(event)
        self.pacing.hold(frame.luminance, patch=grey)


def _grey(before: MovieFrame, number: int) -> MovieFrame:
    return MovieFrame(GREY_CLIP, number, np.full_like(before.luminance, _GREY), before.place)
