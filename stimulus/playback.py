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
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from threading import Event
from typing import Protocol

import numpy as np

from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.interfaces import Sink
from rtdecode.schema.messages import Body, Command, DisplayedFrame
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
    START_BLOCK = "start_block"
    """Start the block that waits; without effect where none does."""


class CommandState:
    """The state that the commands so far have led to; `stop` may also be set from elsewhere."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self.paused = False
        self.waits = False
        """Whether a block waits for `start_block`."""

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
        elif command.name == StimulusCommand.START_BLOCK:
            self.waits = False
        elif command.name != StimulusCommand.START:
            self.paused = command.name == StimulusCommand.PAUSE


GREY_CLIP = "grey"
_GREY = 128
_SHORTEST_WAIT_S = 0.001
"""Waiting for commands ends this long before drawing must begin."""


class Commands(Protocol):
    """The commands of a controller: `stimulus.commands`."""

    @property
    def has_sender(self) -> bool:
        """Whether commands may come."""
        ...

    def receive(self, wait_s: float) -> None:
        """Take what has arrived; waits `wait_s` at most."""
        ...

    def apply(self, t_flip_ns: int) -> None:
        """Carry out the commands for the frame that is flipped at `t_flip_ns`."""
        ...

    def frame(self, place: int) -> MovieFrame | None:
        """A frame that takes the place of the movie's next one."""
        ...

    def chosen(self, frame: MovieFrame) -> None:
        """Note the frame that is flipped next."""
        ...

    def flipped(self, displayed: DisplayedFrame, number: int) -> None:
        """Answer the commands that this frame shows the effect of."""
        ...

    def end(self) -> None:
        """Answer what waits, at the end of the run."""
        ...


class NoCommands:
    """No controller."""

    has_sender = False

    def receive(self, wait_s: float) -> None:
        """Nothing arrives."""

    def apply(self, t_flip_ns: int) -> None:
        """Nothing is carried out."""

    def frame(self, place: int) -> MovieFrame | None:
        """The movie goes on."""
        return None

    def chosen(self, frame: MovieFrame) -> None:
        """Nothing is noted."""

    def flipped(self, displayed: DisplayedFrame, number: int) -> None:
        """Nothing is answered."""

    def end(self) -> None:
        """Nothing waits."""


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
    remote: Commands = field(default_factory=NoCommands)
    """Commands of a controller; those of `commands` come from the operator."""
    first_place: int = 0
    """Place in the movie of its first frame."""
    _before: MovieFrame | None = None
    """The last frame of the movie."""

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
        for number in count(self.first_frame):
            frame = self._next(frames, number)
            if frame is None:
                break
            self._show(frame, number)
            between_frames()
            if self.commands.stopped:
                return "stopped as asked"
            if self.screen.is_quit():
                return "ended at the screen"
        return "the movie is over"

    def _next(self, frames: Iterator[MovieFrame], number: int) -> MovieFrame | None:
        """The frame to draw now, after waiting for commands for as long as its flip permits."""
        while self.remote.has_sender and (spare_s := self.pacing.spare_s()) > _SHORTEST_WAIT_S:
            self.remote.receive(spare_s)
        self.remote.receive(0.0)
        self.remote.apply(self.pacing.next_flip_ns())
        frame = self._chosen(frames, number)
        if frame is not None:
            self.remote.chosen(frame)
        return frame

    def _chosen(self, frames: Iterator[MovieFrame], number: int) -> MovieFrame | None:
        place = self.first_place - 1 if self._before is None else self._before.place
        if not self.commands.paused and (shown := self.remote.frame(place)) is not None:
            return shown
        if self._before is None or not (self.commands.paused or self.commands.waits):
            frame = next(frames, None)
            if frame is None:
                return None
            self._before, self.commands.waits = frame, frame.waits
        return _grey(self._before, number) if self.commands.paused else self._before

    def _show(self, frame: MovieFrame, number: int) -> None:
        grey = self.patch_grey(number)
        t_flip_ns, refreshes = self.pacing.show(frame.luminance, patch=grey)
        self.on_flip(number, frame, t_flip_ns)
        log = self.display_log
        shown = log.flipped(frame, number=number, t_flip_ns=t_flip_ns, refreshes=refreshes)
        self.sink.push(shown)
        self.remote.flipped(shown, number)
        for event in log.events():
            self.sink.push(event)
        self.pacing.hold(frame.luminance, patch=grey)


def _grey(before: MovieFrame, number: int) -> MovieFrame:
    return MovieFrame(GREY_CLIP, number, np.full_like(before.luminance, _GREY), before.place)
