"""Orders that change what is shown: `stop`, `pause` (grey screen) and `show` (go on)."""

from collections.abc import Iterable
from enum import StrEnum

from rtdecode.schema.errors import UnknownOrderError
from rtdecode.schema.messages import Command


class Order(StrEnum):
    """What the stimulus can be told."""

    STOP = "stop"
    PAUSE = "pause"
    SHOW = "show"
    GO = "go"
    """Said once by the supervisor; here it means nothing more."""


class Orders:
    """The state that the orders so far have led to."""

    def __init__(self) -> None:
        self.paused = False
        self.stopped = False

    def obey(self, commands: Iterable[Command]) -> None:
        """Take `commands` in order; UnknownOrderError for a name that is not an Order."""
        for command in commands:
            if command.name not in set(Order):
                raise UnknownOrderError(got=command.name, known=[*Order])
            order = Order(command.name)
            self.stopped |= order is Order.STOP
            self.paused = order is Order.PAUSE or (self.paused and order is not Order.SHOW)
