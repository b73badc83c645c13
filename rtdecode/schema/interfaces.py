"""Protocols of the parts that `run_loop` connects: Clock, Source, Stage, Sink.

Live, demo and replay differ in the sources and clocks that are built; stages depend on these
protocols alone.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@runtime_checkable
class Clock(Protocol):
    """Source of time; every part that needs time gets one passed in."""

    def now_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC."""
        ...

    def sleep_until(self, t_ns: int) -> None:
        """Return at `t_ns`, or at once if `t_ns` has passed."""
        ...


@runtime_checkable
class Stage(Protocol[In_contra, Out_co]):
    """A state machine without socket and thread.

    The output does not depend on how the stream is cut into batches. The decoder is the exception:
    it absorbs the whole batch and inverts once.
    """

    def step(self, items: Sequence[In_contra]) -> Iterable[Out_co]:
        """Outputs that are complete once `items` have been processed, in order."""
        ...


@runtime_checkable
class Source(Protocol[Out_co]):
    """Input of a loop."""

    def take(self, wait_s: float) -> Sequence[Out_co]:
        """Items that have arrived, in order; waits at most `wait_s` for the first one."""
        ...


@runtime_checkable
class Sink(Protocol[In_contra]):
    """Output of a loop."""

    def push(self, item: In_contra) -> None:
        """Pass one item on; raises a named error instead of dropping it."""
        ...
