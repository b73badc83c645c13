"""Reads the messages that sockets receive, and counts and reports those that cannot be read.

Anything may connect to a port. A message that cannot be read is dropped, and those before and
after it are kept; each is counted here, a warning goes to the log of the process, and an `event`
to the log of the session, both at most once a second.

>>> refused = RefusedMessages()
>>> refused.add(MessageError(reason="not one MessagePack map"), where="tcp://*:5000", t_ns=0)
>>> def offer(event: Event) -> bool:
...     print(event.code, event.counts)
...     return True
>>> refused.report(offer, process="recorder", t_ns=0)
message_refused {'messages': 1}
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rtdecode.runtime.codec import unpack
from rtdecode.schema.errors import MessageError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Received, Stamped

log = logging.getLogger(__name__)
_PERIOD_NS = 1_000_000_000
_BATCH = 64
"""Messages of one batch: a reader with a backlog still sends its heartbeats between batches."""
CODE, TEXT = "message_refused", "messages that could not be read were dropped"


class RefusedMessages:
    """Counts refused messages of all sockets of a process."""

    def __init__(self) -> None:
        self.n = 0
        """Messages refused so far."""
        self._logged = self._reported = 0
        self._log_due_ns: int | None = None
        self._report_due_ns: int | None = None
        self._last = ""

    def add(self, error: MessageError, *, where: str, t_ns: int) -> None:
        """Count the message at the endpoint `where` that `error` describes."""
        self.n += 1
        self._last = f"at {where}: {error}"
        if self._log_due_ns is None or t_ns >= self._log_due_ns:
            self.log_rest()
            self._log_due_ns = t_ns + _PERIOD_NS

    def batch(
        self, received: Iterable[Sequence[bytes]], *, where: str, clock: Clock
    ) -> list[tuple[bytes, Received]]:
        """(bytes, message) of the parts that the endpoint `where` received, at most 64."""
        taken: list[tuple[bytes, Received]] = []
        for parts in received:
            with self._dropping(where, clock):
                data = only_part(parts)
                taken.append((data, Received(unpack(data), clock.now_ns())))
            if len(taken) == _BATCH:
                break
        return taken

    def named_batch(
        self, received: Iterable[Sequence[bytes]], *, where: str, clock: Clock
    ) -> list[tuple[str, Stamped]]:
        """(name of the sender, message) of the parts that a socket with identities received."""
        taken: list[tuple[str, Stamped]] = []
        for parts in received:
            with self._dropping(where, clock):
                name, data = named_part(parts)
                taken.append((name, unpack(data)))
        return taken

    @contextmanager
    def _dropping(self, where: str, clock: Clock) -> Iterator[None]:
        """Block that reads one message; MessageError drops it."""
        try:
            yield
        except MessageError as error:
            self.add(error, where=where, t_ns=clock.now_ns())

    def log_rest(self) -> None:
        """Log what was counted since the last warning."""
        more, self._logged = self.n - self._logged, self.n
        if more:
            log.warning("%s (%d), the last one %s", TEXT, more, self._last)

    def report(self, offer: Callable[[Event], bool], *, process: str, t_ns: int) -> None:
        """Offer an Event of what was counted since the last one, at most one a second.

        What `offer` does not send (then it returns False) is part of the next report.
        """
        more = self.n - self._reported
        if not more or (self._report_due_ns is not None and t_ns < self._report_due_ns):
            return
        if offer(Event("warning", process, CODE, TEXT, {"messages": more})):
            self._reported += more
            self._report_due_ns = t_ns + _PERIOD_NS


def only_part(parts: Sequence[bytes]) -> bytes:
    """The message of a socket of one part; raises MessageError for any other number."""
    if len(parts) != 1:
        raise MessageError(reason=f"one part was expected, got {len(parts)}")
    return parts[0]


def named_part(parts: Sequence[bytes]) -> tuple[str, bytes]:
    """(name of the sender, message) of a socket with identities; raises MessageError."""
    if not parts:
        raise MessageError(reason="an identity was expected, got nothing")
    identity = parts[0]
    # ZeroMQ makes an identity that begins with a zero byte for a sender that sets none
    if identity.startswith(b"\0"):
        raise MessageError(reason="the sender has no identity; set it to the name of the process")
    try:
        name = identity.decode()
    except UnicodeDecodeError as error:
        raise MessageError(reason=f"the identity {identity!r:.80} is not UTF-8") from error
    return name, only_part(parts[1:])
