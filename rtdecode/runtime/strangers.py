"""Counts connections that were refused for their key, and states them as events and log lines.

Whoever connects with an unknown key, or without encryption, is a stranger and is refused before
its first message; a host of the run that refuses the key of this one is named with what to do.
Each cause and address has its own count. A line goes to the log of the process at 1, 2, 4, 8 ...
connections, and an `event` to the log of the session at most once a second, and less often while
they go on.

>>> strangers = Strangers()
>>> strangers.add_unknown("10.0.0.9")
>>> def offer(event: Event) -> bool:
...     print(event.code, event.counts, event.text)
...     return True
>>> strangers.report(offer, process="recorder", t_ns=0)
stranger_refused {'connections': 1} connections from 10.0.0.9 were refused: their key is not allowed
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from rtdecode.schema.messages import Event

log = logging.getLogger(__name__)
STRANGER, NOT_ADMITTED = "stranger_refused", "connection_refused"
"""Codes of the events: a peer was refused here, and a peer refused this host or is another one."""
_MOST_ADDRESSES = 8
_SHORTEST_NS, _LONGEST_NS = 1_000_000_000, 10_000_000_000
"""Time between two events. What is counted in the last part of a run is in the process's log alone,
which is why events do not become rarer still."""


@dataclass(slots=True)
class _Count:
    n: int = 0
    reported: int = 0


class Strangers:
    """Refused connections of one process; it is called by more than one thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._lock = Lock()
        self._period_ns, self._due_ns = _SHORTEST_NS, 0

    @property
    def n(self) -> int:
        """Number of strangers refused so far."""
        with self._lock:
            counts = self._counts.items()
            return sum(count.n for (code, _), count in counts if code == STRANGER)

    def add_unknown(self, address: str) -> None:
        """Count a connection from `address` whose key is not allowed here."""
        self._add_stranger(address, "their key is not allowed")

    def add_misdirected(self, address: str) -> None:
        """Count a connection from `address` that expects another key of this host."""
        self._add_stranger(address, "they expect another key of this host")

    def add_unencrypted(self, address: str) -> None:
        """Count a connection from `address` that did not complete the encrypted handshake."""
        self._add_stranger(address, "they did not use encryption, or not to the end")

    def add_not_admitted(self, host: str, *, endpoint: str, own: str) -> None:
        """Count a connection to `host` without success; the key of this host is named `own`."""
        text = (
            f"{host} ({endpoint}) ends each connection of this host: run `rtdecode keys allow "
            f"{own}.key` there if it has not allowed this host, or allow {host}.key here anew if "
            f"{host} has a new key (`rtdecode keys revoke {host}` first)"
        )
        self._add(NOT_ADMITTED, text)

    def report(self, offer: Callable[[Event], bool], *, process: str, t_ns: int) -> None:
        """Offer an Event of what was counted since the last one of its cause, if one is due.

        What `offer` does not send (then it returns False) is part of a later report.
        """
        if t_ns < self._due_ns:
            return
        code, text, more = self._next()
        if not more:
            if t_ns > self._due_ns + self._period_ns:
                self._period_ns = _SHORTEST_NS
            return
        if offer(Event("warning", process, code, text, {"connections": more})):
            with self._lock:
                self._counts[code, text].reported += more
            self._due_ns = t_ns + self._period_ns
            self._period_ns = min(2 * self._period_ns, _LONGEST_NS)

    def _next(self) -> tuple[str, str, int]:
        """Code, text and new connections of the cause that has most of them."""
        with self._lock:
            news = [
                (code, text, one.n - one.reported) for (code, text), one in self._counts.items()
            ]
        return max(news, key=lambda new: new[2], default=("", "", 0))

    def _add_stranger(self, address: str, why: str) -> None:
        with self._lock:
            known = sum(code == STRANGER and text.endswith(why) for code, text in self._counts)
        text = f"connections from {address or 'an unknown address'} were refused: {why}"
        if known >= _MOST_ADDRESSES and (STRANGER, text) not in self._counts:
            text = f"connections from further addresses were refused: {why}"
        self._add(STRANGER, text)

    def _add(self, code: str, text: str) -> None:
        with self._lock:
            count = self._counts.setdefault((code, text), _Count())
            count.n += 1
            n = count.n
        if n & (n - 1) == 0:
            log.warning("%s (%d so far)", text, n)
