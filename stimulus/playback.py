"""The frame loop: draw, flip on time, tell the truth about it, look for orders, again."""

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


class Order(StrEnum):
    """What the stimulus can be told."""

    STOP = "stop"
    PAUSE = "pause"
    SHOW = "show"
    GO = "go"
    """Said by the supervisor when all are ready; once frames are shown it means nothing more."""


class Orders:
    """The state that the orders so far have led to; `stop` may be set from elsewhere as well."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self.paused = False

    @property
    def stopped(self) -> bool:
        """True once the end was asked for."""
        return self._stop.is_set()

    def obey(self, command: Command) -> None:
        """Take one command; UnknownCommandError, and no change, where it is not an Order."""
        if command.name not in set(Order):
            raise UnknownCommandError(got=command.name, known=[*Order])
        if command.name == Order.STOP:
            self._stop.set()
        elif command.name != Order.GO:
            self.paused = command.name == Order.PAUSE


GREY_CLIP = "grey"
_GREY = 128


@dataclass(slots=True)
class Player:
    """Shows frames on a screen; the truth about each goes to `outlet` right after its flip."""

    screen: Screen
    pacing: Pacing
    truth: DisplayLog
    outlet: Sink[Body]
    orders: Orders

    def play(self, frames: Iterator[MovieFrame], *, each_frame: Callable[[], None]) -> str:
        """Show `frames` until they end, or until `orders` or somebody at the screen say stop.

        While `orders` say pause, grey frames are shown, and told of like any other.

        Parameters
        ----------
        each_frame
            Called once a frame after the truth is out: takes orders, sends heartbeats.

        Returns
        -------
        Why it ended.
        """
        shown = next(frames, None)
        for number in count():
            if shown is None:
                break
            self._show(shown, number)
            each_frame()
            if self.orders.stopped:
                return "stopped as asked"
            if self.screen.is_quit():
                return "ended at the screen"
            shown = _grey(shown, number) if self.orders.paused else next(frames, None)
        return "the movie is over"

    def _show(self, frame: MovieFrame, number: int) -> None:
        grey = patch_grey(number)
        t_flip_ns, refreshes = self.pacing.show(frame.luminance, patch=grey)
        self.outlet.push(self.truth.flipped(frame, t_flip_ns=t_flip_ns, refreshes=refreshes))
        self.pacing.hold(frame.luminance, patch=grey)


def _grey(before: MovieFrame, number: int) -> MovieFrame:
    return MovieFrame(GREY_CLIP, number, np.full_like(before.luminance, _GREY))
