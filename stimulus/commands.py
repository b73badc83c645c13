"""Orders that change what is shown: `stop`, `pause` (grey screen) and `show` (go on)."""

from enum import StrEnum
from threading import Event

from rtdecode.schema.errors import UnknownOrderError
from rtdecode.schema.messages import Command


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
        """Take one command; UnknownOrderError, and no change, where it is not an Order."""
        if command.name not in set(Order):
            raise UnknownOrderError(got=command.name, known=[*Order])
        if command.name == Order.STOP:
            self._stop.set()
        elif command.name != Order.GO:
            self.paused = command.name == Order.PAUSE
