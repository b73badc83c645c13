"""Receiving ends of publishers: a `Subscriber` of some kinds, and the recorder's `Collector`.

A message that cannot be read is dropped and counted in `Messaging.refused`.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import zmq

from rtdecode.runtime.arrivals import arrived
from rtdecode.runtime.codec import topics
from rtdecode.runtime.limits import STREAM_RATE, PeerLimits, Rate
from rtdecode.runtime.plausible import Plausibility
from rtdecode.runtime.sockets import Messaging, drained
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, End, Health, Received, Stamped, Start


class Subscriber:
    """Source of messages of some kinds, and START, END and Health, in the order of each sender."""

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoints: Iterable[str],
        kinds: Sequence[type[Body]],
        queue: int,
    ) -> None:
        self._unread: list[Received] = []
        self._clock, self._messaging = clock, messaging
        self._limits, self._plausibility = PeerLimits(STREAM_RATE), Plausibility()
        self._sockets = [
            messaging.connected(zmq.SUB, group, queue=queue)
            for group in messaging.by_host(endpoints)
        ]
        prefixes = [topics(kind.kind) for kind in (*kinds, Start, End, Health)]
        for socket in self._sockets:
            for prefix in chain.from_iterable(prefixes):
                socket.subscribe(prefix)

    def take(self, wait_s: float) -> Sequence[Received]:
        put_back, self._unread = self._unread, []
        for socket in arrived(self._sockets, 0.0 if put_back else wait_s):
            taken = drained(
                socket, self._messaging, self._clock, 0.0, limits=self._limits, check=self._check
            )
            put_back += [received for _, received in taken]
        return put_back

    def _check(self, sender: str, received: Received) -> None:
        message, t_ns = received.message, received.t_received_ns
        self._limits.require_stream(sender, message.stream, t_ns=t_ns)
        self._plausibility.require(message, t_ns=t_ns)

    def put_back(self, items: Sequence[Received]) -> None:
        """Return `items` at the next `take`, before newer messages."""
        self._unread.extend(items)


class Collector:
    """Receiving end of the recorder queue: every message of every process, with its bytes.

    The messages of one sender are limited to `rate`, and the number of its streams. `check` raises
    MessageError for a message that is refused nevertheless.
    """

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoint: str,
        queue: int,
        rate: Rate = STREAM_RATE,
        check: Callable[[Stamped], None] = lambda _message: None,
    ) -> None:
        self._clock, self._messaging, self._check_message = clock, messaging, check
        self._limits = PeerLimits(rate)
        self._socket = messaging.bound(zmq.PULL, endpoint, queue=queue)

    def take(self, wait_s: float) -> Sequence[tuple[bytes, Received]]:
        """(bytes on the wire, unpacked message), in order of arrival."""
        return drained(
            self._socket,
            self._messaging,
            self._clock,
            wait_s,
            limits=self._limits,
            check=self._check,
        )

    def _check(self, sender: str, received: Received) -> None:
        message, t_ns = received.message, received.t_received_ns
        self._limits.require_stream(sender, message.stream, t_ns=t_ns)
        self._check_message(message)
