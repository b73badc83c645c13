"""What a stage, and everything that is handed to one, must offer."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from rtdecode.schema.messages import Body, Stamped

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@runtime_checkable
class Clock(Protocol):
    """The only source of time."""

    def now_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC."""
        ...

    def sleep_until(self, t_ns: int) -> None:
        """Return at `t_ns`, or at once if it has passed."""
        ...


@runtime_checkable
class Stage(Protocol[In_contra, Out_co]):
    """A small state machine: no socket, no clock, no thread.

    Any way of cutting a stream into batches gives the same output (the inverter excepted,
    which absorbs all that waits and inverts once).
    """

    def step(self, items: Sequence[In_contra]) -> Iterable[Out_co]:
        """Take what has come, give what is ready."""
        ...


@runtime_checkable
class Source(Protocol[Out_co]):
    """Where a loop takes its items from."""

    def take(self, wait_s: float) -> Sequence[Out_co]:
        """All that has come, in order; waits at most `wait_s` for the first item."""
        ...


@runtime_checkable
class Sink(Protocol[In_contra]):
    """Where a loop puts its items."""

    def push(self, item: In_contra) -> None:
        """Hand one item on; raises a named error instead of dropping it."""
        ...


@runtime_checkable
class Inlet(Source[Stamped], Protocol):
    """A source of messages that can be closed."""

    def close(self) -> None: ...


@runtime_checkable
class Outlet(Sink[Body], Protocol):
    """A sink that numbers, stamps and publishes bodies."""

    def close(self) -> None: ...
