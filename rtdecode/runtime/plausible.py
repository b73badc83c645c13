"""What a live message cannot state: times far from now, numbers far ahead, another size.

A message can be well formed and still harm those that use it: one time in the far future lets a
stage wait for it or count up to it, one picture of another size ends the process. Subscribers
refuse such a message. The recorder records it, because a log states what was sent.

A size that really changed is passed on with its third message in a row, so that the process ends
with an error that names it, as it does where the size is wrong from the start.
"""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np

from rtdecode.schema.bounded import Recent
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import (
    BODIES,
    DisplayedFrame,
    Fluorescence,
    Reconstruction,
    Responses,
    Scan,
    Stamped,
)
from rtdecode.schema.recorded_activity import RecordedActivity

MOST_LOST = 1_000_000_000
"""Longest gap in a stream that is believed: a year at 30 Hz. A larger number is not genuine."""
AHEAD_NS = 3_600 * 1_000_000_000
"""Longest time by which a genuine time can lie in the future: the clock of a host that was
suspended is that late until it is compared again."""
_LARGEST = 2**53
"""Of a number of scans, frames or messages, which floating-point numbers still count exactly."""
_MOST_STREAMS = 1_000
_CONFIRMING = 3
_OF_ONE_SIZE = (
    Scan,
    Fluorescence,
    RecordedActivity,
    Responses,
    Reconstruction,
    DisplayedFrame,
)
_OTHERS_CLOCK = (ClockProbe,)
_MEANT_LATER = "t_due_ns"


def _is_time(name: str) -> bool:
    return name.startswith("t_") and name.endswith("_ns") and name != _MEANT_LATER


_TIMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {body.kind: tuple(f.name for f in fields(body) if _is_time(f.name)) for body in BODIES}
)
"""Fields of times that are past when they are sent, by kind."""
_INTEGERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        body.kind: tuple(
            f.name for f in fields(body) if f.type is int and not f.name.endswith("_ns")
        )
        for body in BODIES
    }
)

Shapes = tuple[tuple[int, ...], ...]


class Plausibility:
    """Refuses implausible messages of the streams of one socket, in bounded memory."""

    def __init__(self) -> None:
        self._next: Recent[str, int] = Recent(_MOST_STREAMS)
        self._sizes: Recent[tuple[str, int], SteadySize] = Recent(_MOST_STREAMS)

    def require(self, message: Stamped, *, t_ns: int) -> None:
        """Check `message`, received at `t_ns` (HostNs).

        Raises
        ------
        MessageError
            If it cannot be genuine.
        """
        if message.clock == "host":
            _require_times(message, t_ns)
        _require_integers(message)
        self._require_number(message)
        self.require_size(message)

    def _require_number(self, message: Stamped) -> None:
        stream, seq = message.stream, message.seq
        if not 0 <= seq <= self._next.get(stream, 0) + MOST_LOST:
            raise _implausible(f"number {seq} of {stream:.60}")
        self._next[stream] = seq + 1

    def require_size(self, message: Stamped) -> None:
        """Check the size of its arrays alone; raises MessageError where it is another one."""
        if not isinstance(message.body, _OF_ONE_SIZE):
            return
        key = (message.stream, getattr(message.body, "plane", 0))
        if key not in self._sizes:
            self._sizes[key] = SteadySize()
        shapes = _shapes(message.body)
        if not self._sizes[key].permits(shapes):
            raise _implausible(f"size {shapes} of {message.stream:.60}")


class SteadySize:
    """The size of the arrays of one stream: that of its first message, until three others agree.

    >>> size = SteadySize()
    >>> [size.permits(((rows, 4),)) for rows in (3, 9, 3, 5, 5, 5, 5)]
    [True, False, True, False, False, True, True]
    """

    def __init__(self) -> None:
        self._known: Shapes | None = None
        self._other: Shapes | None = None
        self._times = 0

    def permits(self, shapes: Shapes) -> bool:
        """Whether a message of `shapes` is passed on."""
        if self._known is None or shapes == self._known:
            self._known, self._other = shapes, None
            return True
        self._times = self._times + 1 if shapes == self._other else 1
        self._other = shapes
        if self._times < _CONFIRMING:
            return False
        self._known = shapes
        return True


def _require_times(message: Stamped, now_ns: int) -> None:
    if message.t_ns > now_ns + AHEAD_NS:
        raise _implausible(f"time of sending {message.t_ns}")
    body = message.body
    if isinstance(body, _OTHERS_CLOCK):
        return
    for name in _TIMES[body.kind]:
        t_ns = getattr(body, name)
        if not 0 <= t_ns <= now_ns + AHEAD_NS:
            raise _implausible(f"{name} {t_ns}")


def _require_integers(message: Stamped) -> None:
    for name in _INTEGERS[message.body.kind]:
        if abs(value := getattr(message.body, name)) > _LARGEST:
            raise _implausible(f"{name} {value}")


def _shapes(body: Any) -> Shapes:
    values = (getattr(body, field.name) for field in fields(body))
    return tuple(value.shape for value in values if isinstance(value, np.ndarray))


def _implausible(what: str) -> MessageError:
    return MessageError(reason=f"{what} cannot be genuine", refusal=Refusal.IMPLAUSIBLE)
