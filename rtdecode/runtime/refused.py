"""Reads the messages that sockets receive, and counts and reports those that are refused.

Anything may connect to a port. A message that cannot be read, or that exceeds a limit of
`runtime.limits`, is dropped, and those before and after it are kept. Each is counted here, with its
reason and its sender; a warning goes to the log of the process, and an `event` to the log of the
session, both at most once a second.

>>> refused = RefusedMessages()
>>> refused.add(MessageError(reason="not one MessagePack map"), where="tcp://*:5000", t_ns=0)
>>> def offer(event: Event) -> bool:
...     print(event.code, event.counts)
...     return True
>>> refused.report(offer, process="recorder", t_ns=0)
message_refused {'messages': 1, 'unreadable': 1}
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rtdecode.runtime.codec import unpack
from rtdecode.runtime.limits import PeerLimits
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Received, Stamped

log = logging.getLogger(__name__)
_PERIOD_NS = 1_000_000_000
_BATCH = 64
"""Messages of one batch: a reader with a backlog still sends its heartbeats between batches."""
_MOST_SENDERS = 5
"""Senders that one event names."""
CODE, TEXT = "message_refused", "messages that could not be read or were too many were dropped"

THIS_HOST = "process "
"""Begin of the name of a sender on this host; its number, which no reader knows, follows."""
Arrived = tuple[str, Sequence[bytes]]
"""Name or address of the sender, empty for a program of this host, and the parts of a message."""

Check = Callable[[str, Received], None]
"""Takes the sender and a message that was read."""


class RefusedMessages:
    """Counts refused messages of all sockets of a process."""

    def __init__(self) -> None:
        self.n = 0
        """Messages refused so far."""
        self._logged = 0
        self._reasons: Counter[str] = Counter()
        self._senders: Counter[str] = Counter()
        """What was refused since the last report, by reason and by sender."""
        self._log_due_ns: int | None = None
        self._report_due_ns: int | None = None
        self._last = ""

    def add(self, error: MessageError, *, where: str, t_ns: int, sender: str = "") -> None:
        """Count the message of `sender` at the endpoint `where` that `error` describes."""
        self.n += 1
        self._reasons[error.refusal.value] += 1
        if sender:
            name = "from this host" if sender.startswith(THIS_HOST) else f"from {sender}"
            is_named = name in self._senders or len(self._senders) < _MOST_SENDERS
            self._senders[name if is_named else "from others"] += 1
        self._last = f"at {where}{f' from {sender}' if sender else ''}: {error}"
        if self._log_due_ns is None or t_ns >= self._log_due_ns:
            self.log_rest()
            self._log_due_ns = t_ns + _PERIOD_NS

    def batch(
        self,
        received: Iterable[Arrived],
        *,
        where: str,
        clock: Clock,
        limits: PeerLimits | None = None,
        check: Check = lambda _sender, _received: None,
    ) -> list[tuple[bytes, Received]]:
        """(bytes, message) of what the endpoint `where` received, at most 64.

        `limits` are those of the socket; `check` raises MessageError for a message that was read
        and is refused nevertheless.
        """
        taken: list[tuple[bytes, Received]] = []
        for sender, parts in received:
            t_ns = clock.now_ns()
            with self._dropping(where, t_ns, sender):
                data = only_part(parts)
                _require_rate(limits, sender, data, t_ns)
                one = Received(unpack(data), t_ns)
                check(sender, one)
                taken.append((data, one))
            if len(taken) == _BATCH:
                break
        return taken

    def named_batch(
        self,
        received: Iterable[Arrived],
        *,
        where: str,
        clock: Clock,
        limits: PeerLimits | None = None,
        require_known: Callable[[str], None] = lambda _identity: None,
        check: Callable[[str, Stamped], None] = lambda _identity, _message: None,
    ) -> list[tuple[str, Stamped]]:
        """(identity of the sender, message) of what a socket with identities received.

        `require_known` raises MessageError for an identity whose messages are not read, and `check`
        for a message that its sender must not send.
        """
        taken: list[tuple[str, Stamped]] = []
        for sender, parts in received:
            t_ns = clock.now_ns()
            with self._dropping(where, t_ns, sender):
                name, data = named_part(parts)
                require_known(name)
                _require_rate(limits, sender, data, t_ns)
                message = unpack(data)
                check(name, message)
                taken.append((name, message))
        return taken

    @contextmanager
    def _dropping(self, where: str, t_ns: int, sender: str) -> Iterator[None]:
        """Block that reads one message; MessageError drops it."""
        try:
            yield
        except MessageError as error:
            self.add(error, where=where, t_ns=t_ns, sender=sender)

    def log_rest(self) -> None:
        """Log what was counted since the last warning."""
        more, self._logged = self.n - self._logged, self.n
        if more:
            log.warning("%s (%d), the last one %s", TEXT, more, self._last)

    def report(self, offer: Callable[[Event], bool], *, process: str, t_ns: int) -> None:
        """Offer an Event of what was counted since the last one, at most one a second.

        What `offer` does not send (then it returns False) is part of the next report.
        """
        more = self._reasons.total()
        if not more or (self._report_due_ns is not None and t_ns < self._report_due_ns):
            return
        counts: dict[str, float] = {"messages": more, **self._reasons, **self._senders}
        if offer(Event("warning", process, CODE, TEXT, counts)):
            self._reasons.clear()
            self._senders.clear()
            self._report_due_ns = t_ns + _PERIOD_NS


def _require_rate(limits: PeerLimits | None, sender: str, data: bytes, t_ns: int) -> None:
    if limits is not None:
        limits.require(sender, len(data), t_ns=t_ns)


def only_part(parts: Sequence[bytes]) -> bytes:
    """The message of a socket of one part; raises MessageError for any other number."""
    if len(parts) != 1:
        reason = f"one part was expected, got {len(parts)}"
        raise MessageError(reason=reason, refusal=Refusal.PARTS)
    return parts[0]


def named_part(parts: Sequence[bytes]) -> tuple[str, bytes]:
    """(name of the sender, message) of a socket with identities; raises MessageError."""
    if not parts:
        reason = "an identity was expected, got nothing"
        raise MessageError(reason=reason, refusal=Refusal.PARTS)
    identity = parts[0]
    # ZeroMQ makes an identity that begins with a zero byte for a sender that sets none
    if identity.startswith(b"\0"):
        reason = "the sender has no identity; set it to the name of the process"
        raise MessageError(reason=reason, refusal=Refusal.SENDER)
    try:
        name = identity.decode()
    except UnicodeDecodeError as error:
        reason = f"the identity {identity!r:.80} is not UTF-8"
        raise MessageError(reason=reason, refusal=Refusal.SENDER) from error
    return name, only_part(parts[1:])
