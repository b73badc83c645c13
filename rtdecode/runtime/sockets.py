"""The only file that knows ZeroMQ: who publishes, who subscribes, who records.

A publisher numbers and stamps each body, packs it once, hands it to the recorder (PUSH: a full
queue is a named error, never a silent drop) and publishes the same bytes (XPUB: a slow subscriber
loses messages, which shows as a hole in `seq`). Each new subscriber is greeted with the START it
missed. The first bytes of a message are its topic, so one part is enough for filtering.
"""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

import zmq

from rtdecode.runtime.codec import MAX_MESSAGE_BYTES, pack, topics, unpack
from rtdecode.schema.errors import AddressInUseError, RecorderAbsentError, RecorderFullError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, End, Health, Received, Stamped, Start

CLOCK_NAME = "host"
_LINGER_MS = 2000
_RECORDER_WAIT_S = 5.0


class Messaging:
    """The ZeroMQ context of one process; closing it closes what it made."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []

    def bound(self, kind: int, endpoint: str, *, queue: int) -> "zmq.Socket[bytes]":
        """A socket that listens at `endpoint`; AddressInUseError where somebody else does."""
        socket = self._made(kind, queue=queue)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise AddressInUseError(address=endpoint, option="network in the config") from error
        return socket

    def connected(self, kind: int, endpoints: Iterable[str], *, queue: int) -> "zmq.Socket[bytes]":
        """A socket that talks to all `endpoints`, whether they listen yet or not."""
        socket = self._made(kind, queue=queue)
        for endpoint in endpoints:
            socket.connect(endpoint)
        return socket

    def _made(self, kind: int, *, queue: int) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        self._sockets.append(socket)
        # a SUB socket drops subscriptions beyond its high-water mark; 0 is unlimited
        socket.set(zmq.SNDHWM, 0 if kind == zmq.SUB else queue)
        socket.set(zmq.RCVHWM, queue)
        # what a subscriber still wants to say to a publisher that is gone is worth no wait
        socket.set(zmq.LINGER, 0 if kind == zmq.SUB else _LINGER_MS)
        socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        if kind == zmq.PUSH:
            # without a connected recorder a send must fail, not queue into the void
            socket.set(zmq.IMMEDIATE, 1)
        return socket

    def close(self) -> None:
        """Close every socket and the context; waits for queued messages at most two seconds."""
        for socket in self._sockets:
            socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Publisher:
    """An outlet: numbers, stamps, records and publishes the bodies of one source."""

    def __init__(
        self,
        messaging: Messaging,
        source: str,
        *,
        clock: Clock,
        publish: str,
        record: str,
        queue: int,
    ) -> None:
        self._source, self._clock, self._record = source, clock, record
        self._queue = queue
        self._next_seq: dict[str, int] = {}
        self._greeting: bytes | None = None
        self._public = messaging.bound(zmq.XPUB, publish, queue=queue)
        self._public.set(zmq.XPUB_VERBOSE, 1)
        self._tape = messaging.connected(zmq.PUSH, [record], queue=queue) if record else None

    @property
    def sent(self) -> dict[str, int]:
        """How many messages of each kind were sent."""
        return dict(self._next_seq)

    def push(self, body: Body) -> None:
        """Record and publish `body`; RecorderFullError before anything could be lost silently."""
        data = self._packed(body)
        if self._tape is not None:
            self._hand_over(data, body.kind, wait_s=0.0)
        self._public.send(data)
        self.greet()

    def start(self, start: Start) -> None:
        """Send START; RecorderAbsentError if no recorder takes it, for then nothing may begin."""
        data = self._packed(start)
        if self._tape is not None:
            self._hand_over(data, start.kind, wait_s=_RECORDER_WAIT_S)
        self._greeting = data
        self._public.send(data)
        self.greet()

    def end(self, *, session: str, reason: str) -> None:
        """Send END with the last number of each stream, so that a lost tail is noticed."""
        last = {kind: following - 1 for kind, following in self._next_seq.items()}
        self.push(End(session=session, reason=reason, last_seq=last))

    def announce(self, body: Health) -> None:
        """Publish `body` outside the record: a sign of life before START."""
        self._public.send(pack(Stamped(self._source, 0, self._clock.now_ns(), CLOCK_NAME, body)))

    def greet(self) -> None:
        """Send START again if somebody has subscribed since the last call."""
        joined = False
        while self._public.poll(0):
            joined |= self._public.recv()[:1] == b"\x01"
        if joined and self._greeting is not None:
            self._public.send(self._greeting)

    def _packed(self, body: Body) -> bytes:
        seq = self._next_seq.get(body.kind, 0)
        data = pack(Stamped(self._source, seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._next_seq[body.kind] = seq + 1
        return data

    def _hand_over(self, data: bytes, kind: str, *, wait_s: float) -> None:
        tape = self._tape
        if tape is None:
            return
        if not tape.poll(int(wait_s * 1000), zmq.POLLOUT):
            if kind == Start.kind:
                raise RecorderAbsentError(endpoint=self._record, waited_s=wait_s)
            raise RecorderFullError(
                endpoint=self._record, stream=f"{self._source}/{kind}", queued=self._queue
            )
        tape.send(data, zmq.NOBLOCK)


class Subscriber:
    """An inlet: all messages of the wanted kinds from several publishers, in order of each."""

    def __init__(
        self,
        messaging: Messaging,
        *,
        clock: Clock,
        endpoints: Iterable[str],
        kinds: Sequence[type[Body]],
        queue: int,
    ) -> None:
        self._clock = clock
        self._unread: list[Received] = []
        self._socket = messaging.connected(zmq.SUB, endpoints, queue=queue)
        for kind in (*kinds, Start, End, Health):
            for prefix in topics(kind.kind):
                self._socket.subscribe(prefix)

    def take(self, wait_s: float) -> Sequence[Received]:
        put_back, self._unread = self._unread, []
        wait_s = 0.0 if put_back else wait_s
        return put_back + [got for _, got in _drained(self._socket, self._clock, wait_s)]

    def put_back(self, items: Sequence[Received]) -> None:
        """Give `items` again at the next `take`, before anything newer."""
        self._unread.extend(items)


class Collector:
    """The recorder's end of the tape: every message of everybody, with its bytes as they came."""

    def __init__(self, messaging: Messaging, *, clock: Clock, endpoint: str, queue: int) -> None:
        self._clock = clock
        self._socket = messaging.bound(zmq.PULL, endpoint, queue=queue)

    def take(self, wait_s: float) -> Sequence[tuple[bytes, Received]]:
        """Messaging bytes and what they say, in order of arrival."""
        return _drained(self._socket, self._clock, wait_s)


_BATCH = 64
"""A reader that has fallen behind still says that it lives after this many messages."""


def _drained(
    socket: "zmq.Socket[bytes]", clock: Clock, wait_s: float
) -> list[tuple[bytes, Received]]:
    taken: list[tuple[bytes, Received]] = []
    wait_ms = max(0, int(wait_s * 1000))
    while len(taken) < _BATCH and socket.poll(0 if taken else wait_ms):
        data = socket.recv()
        taken.append((data, Received(unpack(data), clock.now_ns())))
    return taken


class ControlServer:
    """The supervisor's end of the control line: heartbeats in, commands out."""

    def __init__(self, messaging: Messaging, *, clock: Clock, endpoint: str) -> None:
        self._clock = clock
        self._socket = messaging.bound(zmq.ROUTER, endpoint, queue=1000)
        self._seq = 0

    def take(self, wait_s: float) -> list[tuple[str, Stamped]]:
        """(name of the process, its message) for all that has come."""
        taken: list[tuple[str, Stamped]] = []
        wait_ms = max(0, int(wait_s * 1000))
        while self._socket.poll(0 if taken else wait_ms):
            name, data = self._socket.recv_multipart()
            taken.append((name.decode(), unpack(data)))
        return taken

    def tell(self, name: str, body: Body) -> None:
        """Send `body` to the process `name`; it is dropped if that process is not there."""
        data = pack(Stamped("supervisor", self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        self._socket.send_multipart([name.encode(), data])


class ControlClient:
    """A process's end of the control line."""

    def __init__(self, messaging: Messaging, name: str, *, clock: Clock, endpoint: str) -> None:
        self._clock, self._name, self._seq = clock, name, 0
        self._socket = messaging.connected(zmq.DEALER, [], queue=1000)
        self._socket.set(zmq.IDENTITY, name.encode())
        self._socket.connect(endpoint)

    def take(self, wait_s: float) -> Sequence[Received]:
        return [received for _, received in _drained(self._socket, self._clock, wait_s)]

    def push(self, body: Body) -> None:
        """Tell the supervisor; never waits."""
        data = pack(Stamped(self._name, self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        if self._socket.poll(0, zmq.POLLOUT):
            self._socket.send(data)
