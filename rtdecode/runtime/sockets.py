"""ZeroMQ sockets of all processes: publish, subscribe, record, and exchange commands.

Duties: give each process its publishers and subscribers, the recorder its queue, and supervisor
and processes their control channel. This is the only module that imports ZeroMQ. It must not
contain anything about scans, frames or decoding; it passes message bodies and START on.

A `Publisher` numbers and stamps each body and packs it once. It pushes the bytes to the recorder
queue (PUSH/PULL: a full queue is a named error, and nothing is dropped silently) and publishes the
same bytes (XPUB/SUB: a slow subscriber loses messages, which shows as a gap in `seq`). Each new
subscriber gets the START that it missed. The first bytes of a message are its topic, so one
ZeroMQ part is enough for filtering.

A message that cannot be read is dropped and counted in `Messaging.refused`; it ends nothing, and
the readable messages that arrived with it are kept.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import zmq

from rtdecode.runtime.codec import MAX_MESSAGE_BYTES, pack, topics
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.schema.errors import AddressInUseError, RecorderAbsentError, RecorderFullError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, End, Health, Received, Stamped, Start

CLOCK_NAME = "host"
_LINGER_MS = 2000
_RECORDER_WAIT_S = 5.0
_CONTROL_QUEUE = 1000
_MOST_FORWARDED = 1000


class Messaging:
    """The ZeroMQ context of one process; closing it closes all sockets that it made."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        self.refused = RefusedMessages()
        """What the sockets received and could not read."""

    def bound(self, kind: int, endpoint: str, *, queue: int) -> "zmq.Socket[bytes]":
        """A socket bound to `endpoint`; AddressInUseError where that is not possible."""
        socket = self._made(kind, queue=queue)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise AddressInUseError(address=endpoint, option="network in the config") from error
        return socket

    def connected(self, kind: int, endpoints: Iterable[str], *, queue: int) -> "zmq.Socket[bytes]":
        """A socket connected to all `endpoints`, whether they are bound yet or not."""
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
        # subscriptions that are still queued for a publisher that has ended are not waited for
        socket.set(zmq.LINGER, 0 if kind == zmq.SUB else _LINGER_MS)
        socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        if kind == zmq.PUSH:
            # without a connected recorder a send must fail instead of filling the queue
            socket.set(zmq.IMMEDIATE, 1)
        return socket

    def close(self) -> None:
        """Close every socket and the context; waits for queued messages at most two seconds."""
        self.refused.log_rest()
        for socket in self._sockets:
            socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Publisher:
    """Sink that numbers, stamps, records and publishes the bodies of one source.

    Parameters
    ----------
    source
        Name of the sending process, the first part of its streams' names.
    publish, record
        Endpoints to bind for subscribers, and of the recorder queue; no subscribers or no recorder
        where one is empty.
    queue
        Messages that may wait for the recorder, and for each subscriber.

    Raises
    ------
    AddressInUseError
        If `publish` cannot be bound.
    """

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
        self._source, self._clock = source, clock
        self._recorder_endpoint, self._queue = record, queue
        self._next_seq: dict[str, int] = {}
        self._for_new: deque[bytes] = deque(maxlen=_MOST_FORWARDED)
        self._public = messaging.bound(zmq.XPUB, publish, queue=queue) if publish else None
        if self._public is not None:
            self._public.set(zmq.XPUB_VERBOSE, 1)
        self._recorder_queue = (
            messaging.connected(zmq.PUSH, [record], queue=queue) if record else None
        )

    def push(self, body: Body) -> None:
        """Send `body`, to new subscribers after START; RecorderFullError if the queue is full."""
        self.announce_start()
        self._send(body, recorder_wait_s=0.0)

    def offer(self, body: Body) -> bool:
        """Push `body` unless the recorder queue is full or absent now; whether it was sent."""
        queue = self._recorder_queue
        has_room = queue is None or bool(queue.poll(0, zmq.POLLOUT))
        if has_room:
            self.push(body)
        return has_room

    def start(self, start: Start) -> None:
        """Send START; RecorderAbsentError without a recorder, since nothing may begin then."""
        self._for_new.append(self._send(start, recorder_wait_s=_RECORDER_WAIT_S))
        self.announce_start()

    def forward(self, data: bytes) -> None:
        """Publish a packed message, now and, among the last thousand, to each new subscriber."""
        self._publish(data)
        self._for_new.append(data)

    def end(self, *, session: str, reason: str) -> None:
        """Send END with the last number of each kind, so that a missing tail is detected."""
        last = {kind: following - 1 for kind, following in self._next_seq.items()}
        self.push(End(session=session, reason=reason, last_seq=last))

    def announce(self, body: Health) -> None:
        """Publish `body` without number and record: shows before START that the source exists."""
        self._publish(pack(Stamped(self._source, 0, self._clock.now_ns(), CLOCK_NAME, body)))

    def announce_start(self) -> None:
        """Publish START and all forwarded messages again if a subscriber has joined."""
        joined = False
        while self._public is not None and self._public.poll(0):
            joined |= self._public.recv_multipart()[0][:1] == b"\x01"
        for data in self._for_new if joined else ():
            self._publish(data)

    def _send(self, body: Body, *, recorder_wait_s: float) -> bytes:
        seq = self._next_seq.get(body.kind, 0)
        data = pack(Stamped(self._source, seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._next_seq[body.kind] = seq + 1
        self._record(data, body.kind, wait_s=recorder_wait_s)
        self._publish(data)
        return data

    def _publish(self, data: bytes) -> None:
        if self._public is not None:
            self._public.send(data)

    def _record(self, data: bytes, kind: str, *, wait_s: float) -> None:
        queue = self._recorder_queue
        if queue is None:
            return
        if not queue.poll(int(wait_s * 1000), zmq.POLLOUT):
            if kind == Start.kind:
                raise RecorderAbsentError(endpoint=self._recorder_endpoint, waited_s=wait_s)
            raise RecorderFullError(
                endpoint=self._recorder_endpoint,
                stream=f"{self._source}/{kind}",
                queued=self._queue,
            )
        queue.send(data, zmq.NOBLOCK)


class Subscriber:
    """Source of all messages of some kinds from several publishers, in the order of each.

    START, END and Health arrive as well.
    """

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
        self._socket = messaging.connected(zmq.SUB, endpoints, queue=queue)
        for kind in (*kinds, Start, End, Health):
            for prefix in topics(kind.kind):
                self._socket.subscribe(prefix)

    def take(self, wait_s: float) -> Sequence[Received]:
        put_back, self._unread = self._unread, []
        drained = _drained(self._socket, self._messaging, self._clock, 0.0 if put_back else wait_s)
        return put_back + [received for _, received in drained]

    def put_back(self, items: Sequence[Received]) -> None:
        """Return `items` at the next `take`, before newer messages."""
        self._unread.extend(items)


class Collector:
    """Receiving end of the recorder queue: every message of every process, with its bytes."""

    def __init__(self, messaging: Messaging, *, clock: Clock, endpoint: str, queue: int) -> None:
        self._clock, self._messaging = clock, messaging
        self._socket = messaging.bound(zmq.PULL, endpoint, queue=queue)

    def take(self, wait_s: float) -> Sequence[tuple[bytes, Received]]:
        """(bytes on the wire, unpacked message), in order of arrival."""
        return _drained(self._socket, self._messaging, self._clock, wait_s)


_MOST_RECEIVED = 1000
"""Messages of one `take`: a reader of a flood of them still sends its heartbeats."""


def _drained(
    socket: "zmq.Socket[bytes]", messaging: Messaging, clock: Clock, wait_s: float
) -> list[tuple[bytes, Received]]:
    where = socket.get_string(zmq.LAST_ENDPOINT)
    return messaging.refused.batch(_received(socket, wait_s), where=where, clock=clock)


def _received(socket: "zmq.Socket[bytes]", wait_s: float) -> Iterator[list[bytes]]:
    """The parts of each message that has arrived; waits for the first one."""
    for n in range(_MOST_RECEIVED):
        if not socket.poll(0 if n else max(0, int(wait_s * 1000))):
            return
        yield socket.recv_multipart()


class ControlServer:
    """The supervisor's end of the control channel: receives heartbeats, sends commands."""

    def __init__(self, messaging: Messaging, *, clock: Clock, endpoint: str) -> None:
        self._clock, self.refused = clock, messaging.refused
        self._socket = messaging.bound(zmq.ROUTER, endpoint, queue=_CONTROL_QUEUE)
        self._seq = 0

    def receive(self, wait_s: float) -> list[tuple[str, Stamped]]:
        """(name of the process, message) for all that has arrived."""
        where = self._socket.get_string(zmq.LAST_ENDPOINT)
        received = _received(self._socket, wait_s)
        return self.refused.named_batch(received, where=where, clock=self._clock)

    def send(self, name: str, body: Body) -> None:
        """Send `body` to the process `name`; it is dropped if there is no such process."""
        data = pack(Stamped("supervisor", self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        self._socket.send_multipart([name.encode(), data])


class ControlClient:
    """A process's end of the control channel: Source of commands, Sink for heartbeats."""

    def __init__(self, messaging: Messaging, name: str, *, clock: Clock, endpoint: str) -> None:
        self._clock, self._name, self._seq = clock, name, 0
        self._messaging = messaging
        self._socket = messaging.connected(zmq.DEALER, [], queue=_CONTROL_QUEUE)
        self._socket.set(zmq.IDENTITY, name.encode())
        self._socket.connect(endpoint)

    def take(self, wait_s: float) -> Sequence[Received]:
        return [
            received for _, received in _drained(self._socket, self._messaging, self._clock, wait_s)
        ]

    def push(self, body: Body) -> None:
        """Send `body` to the supervisor without waiting; it is dropped where the queue is full."""
        data = pack(Stamped(self._name, self._seq, self._clock.now_ns(), CLOCK_NAME, body))
        self._seq += 1
        if self._socket.poll(0, zmq.POLLOUT):
            self._socket.send(data)
