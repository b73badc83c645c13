"""Limits of what another program may send, applied before memory is taken for its message.

Duties: the largest message of each kind of socket, lengths of texts, sizes of maps, the number of
values in a message, for each peer a rate of messages and a number of streams, and how many files
and connections a process may have open. A peer is a key of the network, else an address, else a
process of this host. This module has no socket and no clock: the sockets and the codec call it.

>>> limits = PeerLimits(Rate(messages_per_s=10, burst=2))
>>> [limits.permits("rig", 10, t_ns=0) for _ in range(3)], limits.permits("rig", 10, t_ns=10**9)
([True, True, False], True)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from rtdecode.schema.bounded import Recent
from rtdecode.schema.errors import MessageError, Refusal

MIB = 1024 * 1024
MAX_MESSAGE_BYTES = 64 * MIB
"""Of messages with scans or frames."""
CONTROL_BYTES = MIB
"""Of a socket that receives heartbeats, commands and acknowledgements alone."""
COMMAND_BYTES = 33 * MIB
"""Of the stimulus's command socket, which receives frames to display."""
NO_MESSAGE_BYTES = 64 * 1024
"""Of a socket that receives subscriptions or nothing; the handshake with a key must fit."""

MAX_ENTRIES = 1_000
"""Entries of a map in a message; rtdecode sends a few hundred at most."""
MAX_ITEMS = 64
"""Items of a list in a message; rtdecode sends lists as shapes of arrays alone."""
MAX_VALUES = 10_000
"""Values of all maps and lists of a message together."""
_SMALL_BYTES = 64 * 1024
"""Shorter messages cannot take much memory, whatever they hold."""

NAME_CHARS, TEXT_CHARS, CONFIG_CHARS = 1_000, 20_000, 1_000_000
_LONGER: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("text", "detail", "reason", "error", "value", "log"), TEXT_CHARS)
    | {"config_yaml": CONFIG_CHARS}
)
"""Fields of texts; each other field of characters is a name."""
_CUT = " [shortened]"


def text_limit(name: str) -> int:
    """Characters of the field `name`, at most."""
    return _LONGER.get(name, NAME_CHARS)


def shortened(name: str, text: str) -> str:
    """`text` as the field `name` may hold it; a longer one is cut and says so at its end."""
    most = text_limit(name)
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT


def require_few_values(data: bytes | memoryview) -> None:
    """Refuse a long message of many small values, which would take many times its size.

    The values of MessagePack follow each other, those of a map or list behind its head, so that
    they can be counted from one to the next without making any.

    Raises
    ------
    MessageError
        If there are more than `MAX_VALUES`.
    """
    if len(data) <= _SMALL_BYTES:
        return
    at = n = 0
    while at < len(data):
        at += _value_bytes(data, at)
        n += 1
        if n > MAX_VALUES:
            reason = f"more than {MAX_VALUES:,} values in a message of {len(data):,} bytes"
            raise MessageError(reason=reason, refusal=Refusal.TOO_LARGE)


_FIXED: Mapping[int, int] = MappingProxyType(
    {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
    | {0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}
    | {0xDC: 3, 0xDD: 5, 0xDE: 3, 0xDF: 5}
)
"""Bytes of a value, or of the head of a map or list, by its first byte; of others 1."""
_COUNTED: Mapping[int, tuple[int, int]] = MappingProxyType(
    {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
    | {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
)
"""Bytes of the length of a value and of its type, by its first byte."""
_SHORT_TEXTS = range(0xA0, 0xC0)


def _value_bytes(data: bytes | memoryview, at: int) -> int:
    first = data[at]
    if first in _SHORT_TEXTS:
        return 1 + (first & 0x1F)
    if first not in _COUNTED:
        return _FIXED.get(first, 1)
    n_length, n_type = _COUNTED[first]
    length = int.from_bytes(data[at + 1 : at + 1 + n_length], "big")
    return 1 + n_length + n_type + length


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages of one peer: a mean rate, and how many may come at once.

    A message counts as one for each 20 kB of it, so that bytes are limited too.
    """

    messages_per_s: float
    burst: float


_COUNTED_BYTES = 20_000
_SMALLEST_BYTES = 100
"""A message is not shorter; what a backlog holds is counted in bytes."""
_NS_PER_S = 1e9


def backlog_rate(backlog_mb: float) -> Rate:
    """Rate at a socket to which senders hand over a backlog of `backlog_mb` in all at once.

    The burst is more messages than that memory holds, so that no backlog is refused.
    """
    return Rate(messages_per_s=20_000, burst=max(100_000, backlog_mb * 1e6 / _SMALLEST_BYTES))


CONTROL_RATE = Rate(messages_per_s=2_000, burst=20_000)
"""A process sends four messages a second, and after a stop of its supervisor 1000 at once."""
COMMAND_RATE = Rate(messages_per_s=20_000, burst=100_000)
"""A controller sends 256 commands without a result again every 0.1 s."""
STREAM_RATE = Rate(messages_per_s=20_000, burst=1_000_000)
"""Of a subscriber, and of the bridge's socket for a rig program."""

MOST_STREAMS = 300
"""Streams of one peer at the recorder; a run has about fifty."""
_MOST_PEERS = 1_000


@dataclass(slots=True)
class _Peer:
    tokens: float
    last_ns: int
    streams: set[str] = field(default_factory=set)


class PeerLimits:
    """Rate and number of streams of each peer of one socket, in bounded memory."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._peers: Recent[str, _Peer] = Recent(_MOST_PEERS)

    def permits(self, peer: str, n_bytes: int, *, t_ns: int) -> bool:
        """Whether a message of `n_bytes` of `peer` is permitted at `t_ns`; it then counts."""
        known, rate = self._of(peer, t_ns), self._rate
        passed_s = max(0, t_ns - known.last_ns) / _NS_PER_S
        known.tokens = min(rate.burst, known.tokens + rate.messages_per_s * passed_s)
        known.last_ns = t_ns
        if known.tokens < 1.0:
            return False
        known.tokens -= max(1.0, n_bytes / _COUNTED_BYTES)
        return True

    def require(self, peer: str, n_bytes: int, *, t_ns: int) -> None:
        """As `permits`; raises MessageError where it does not."""
        if not self.permits(peer, n_bytes, t_ns=t_ns):
            most = self._rate.messages_per_s
            reason = f"more than {most:,.0f} messages a second"
            raise MessageError(reason=reason, refusal=Refusal.TOO_MANY)

    def require_stream(self, peer: str, stream: str, *, t_ns: int) -> None:
        """Count `stream` of `peer`; raises MessageError where it has too many."""
        streams = self._of(peer, t_ns).streams
        if stream in streams:
            return
        if len(streams) >= MOST_STREAMS:
            reason = f"more than {MOST_STREAMS} streams of one sender"
            raise MessageError(reason=reason, refusal=Refusal.STREAMS)
        streams.add(stream)

    def _of(self, peer: str, t_ns: int) -> _Peer:
        if (known := self._peers.get(peer)) is None:
            known = self._peers[peer] = _Peer(self._rate.burst, t_ns)
        return known


_MOST_SHOWN = 60


def brief(value: Any) -> str:
    """A few characters of any received value, without making a text of all of it."""
    if isinstance(value, str | bytes):
        return f"{value[:_MOST_SHOWN]!r}"
    if isinstance(value, dict | list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return f"{value!r:.60}"


_MOST_FILES = 65_536


def permit_many_files() -> int | None:
    """Raise the number of open files to what the system permits this process, at most 65,536.

    Each connection to a socket takes a file handle, also that of a stranger until its handshake has
    failed. A process without a free one can open no file, and accepts no connection.

    Returns
    -------
    The number that is in force; None where the system, as Windows, has no such limit.
    """
    try:
        resource = import_module("resource")
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return int(soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return int(wanted)
