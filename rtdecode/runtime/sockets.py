"""ZeroMQ sockets of all processes: publish, subscribe and record.

Duties: give each process its publishers and subscribers, the recorder its queue, and
`runtime.control` its sockets. It alone imports ZeroMQ, and knows nothing of scans or frames.

A `Publisher` packs each body once. It pushes the bytes to the recorder queue (PUSH/PULL), holds in
its `Backlog` what is not taken at once, and publishes the same bytes (XPUB/SUB: a slow subscriber
loses messages, a gap in `seq`). The first bytes of a message are its topic, so one part is enough.
A message that cannot be read is dropped and counted in `Messaging.refused`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from threading import RLock
from typing import Self

import zmq

from rtdecode.runtime.backlog import Backlog
from rtdecode.runtime.codec import MAX_MESSAGE_BYTES, pack, topics
from rtdecode.runtime.numbering import Numbering
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.schema.errors import AddressInUseError, RecorderAbsentError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, End, Health, Received, Stamped, Start

CLOCK_NAME = "host"
RECORDER_QUEUE = 16
"""Messages in the ZeroMQ queue of each sender; more wait in its backlog, which counts bytes."""
HAND_OVER_S = 60.0
"""Time in s for which an ended process waits for a recorder that takes nothing."""
_LINGER_MS = 2000
_RECORDER_WAIT_S = 5.0
_CONTROL_QUEUE = 1000
_MOST_FORWARDED = 1000

Socket = zmq.Socket[bytes]


class Messaging:
    """The ZeroMQ context of one process; closing it closes all sockets that it made."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._sockets: list[Socket] = []
        self.refused = RefusedMessages()
        """What the sockets received and could not read."""

    def bound(self, kind: int, endpoint: str, *, queue: int) -> Socket:
        """A socket bound to `endpoint`; AddressInUseError where that is not possible."""
        socket = self._made(kind, queue=queue)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise AddressInUseError(address=endpoint, option="network in the config") from error
        return socket

    def connected(self, kind: int, endpoints: Iterable[str], *, queue: int) -> Socket:
        """A socket connected to all `endpoints`, whether they are bound yet or not."""
        socket = self._made(kind, queue=queue)
        for endpoint in endpoints:
            socket.connect(endpoint)
        return socket

    def router(self, endpoint: str) -> Socket:
        """The supervisor's end of a control channel, bound to `endpoint`."""
        return self.bound(zmq.ROUTER, endpoint, queue=_CONTROL_QUEUE)

    def dealer(self, endpoint: str, *, identity: str) -> Socket:
        """A process's end of a control channel, on which it is addressed by `identity`."""
        socket = self._made(zmq.DEALER, queue=_CONTROL_QUEUE)
        socket.set(zmq.IDENTITY, identity.encode())
        socket.connect(endpoint)
        return socket

    def monitored(self, endpoint: str) -> Socket:
        """The monitor of a connection to `endpoint`: a message whenever it is made or lost."""
        socket = self.connected(zmq.SUB, [endpoint], queue=1)
        changes = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._sockets.append(socket.get_monitor_socket(changes))
        return self._sockets[-1]

    def _made(self, kind: int, *, queue: int) -> Socket:
        socket: Socket = self._context.socket(kind)
        self._sockets.append(socket)
        # a SUB socket drops subscriptions beyond its high-water mark; 0 is unlimited
        socket.set(zmq.SNDHWM, 0 if kind == zmq.SUB else queue)
        socket.set(zmq.RCVHWM, queue)
        # subscriptions that are still queued for a publisher that has ended are not waited for
        lingers_ms: dict[int, int] = {zmq.SUB: 0, zmq.PUSH: int(HAND_OVER_S * 1000)}
        socket.set(zmq.LINGER, lingers_ms.get(kind, _LINGER_MS))
        socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        if kind == zmq.PUSH:
            # without a connected recorder a send must fail instead of filling the queue
            socket.set(zmq.IMMEDIATE, 1)
        return socket

    def close(self) -> None:
        """Close every socket and the context; waits up to `HAND_OVER_S` for the recorder."""
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
        Endpoints to bind for subscribers, and of the recorder queue; none where one is empty.
    queue, backlog_mb
        Messages that may wait for each subscriber, and megabytes that are held for the recorder.
    numbering
        Numbers of the messages; by default they are not kept across a restart.

    Raises AddressInUseError if `publish` cannot be bound.
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
        backlog_mb: float = 100.0,
        numbering: Numbering | None = None,
    ) -> None:
        self._source, self._clock = source, clock
        # one thread may push while another one sends what is held
        self._recorder_endpoint, self._lock = record, RLock()
        self._numbering = Numbering() if numbering is None else numbering
        self._for_new: deque[bytes] = deque(maxlen=_MOST_FORWARDED)
        self._public = messaging.bound(zmq.XPUB, publish, queue=queue) if publish else None
        if self._public is not None:
            self._public.set(zmq.XPUB_VERBOSE, 1)
        self._recorder_queue = (
            messaging.connected(zmq.PUSH, [record], queue=RECORDER_QUEUE) if record else None
        )
        self.backlog = Backlog(source, limit_mb=backlog_mb)

    def push(self, body: Body) -> None:
        """Send `body`, to new subscribers after START; held while the recorder does not take it."""
        with self._lock:
            self.announce_start()
            self._send(body)
            self.drain()

    def offer(self, body: Body) -> bool:
        """Push `body` if the recorder takes it now; whether it was sent."""
        with self._lock:
            if self._recorder_queue is not None and not has_room(self._recorder_queue):
                return False
            self.push(body)
            return True

    def start(self, start: Start) -> bytes:
        """Send START; its bytes on the wire."""
        with self._lock:
            data = self._send(replace(start, last_seq_before=self._numbering.before))
            self._for_new.append(data)
            self.drain()
            self.announce_start()
        return data

    def require_recorder(self) -> None:
        """Wait for a connected recorder; RecorderAbsentError where there is none within 5 s."""
        queue, endpoint = self._recorder_queue, self._recorder_endpoint
        if queue is not None and not has_room(queue, _RECORDER_WAIT_S):
            raise RecorderAbsentError(endpoint=endpoint, waited_s=_RECORDER_WAIT_S)

    def forward(self, data: bytes) -> None:
        """Publish a packed message, now and, among the last thousand, to each new subscriber."""
        self._publish(data)
        self._for_new.append(data)

    def end(self, *, session: str, reason: str) -> None:
        """Send END with the last number of each kind, so that a missing tail is detected."""
        with self._lock:
            for event in self.backlog.rest(t_ns=self._clock.now_ns()):
                self._send(event)
            self.push(End(session=session, reason=reason, last_seq=self._numbering.last))

    def drain(self, wait_s: float = 0.0) -> None:
        """Send some of what is held and the recorder takes now, after `wait_s` at most."""
        with self._lock:
            for event in self.backlog.losses(t_ns=self._clock.now_ns()):
                self._send(event)
            if (queue := self._recorder_queue) is not None:
                # no more at once: the loop that displays frames must not wait for a long backlog
                room = (has_room(queue, wait_s) for _ in range(RECORDER_QUEUE))
                self.backlog.send(queue.send, while_true=room)

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

    def _send(self, body: Body) -> bytes:
        seq = self._numbering.next(body.kind)
        data = pack(Stamped(self._source, seq, self._clock.now_ns(), CLOCK_NAME, body))
        if self._recorder_queue is not None:
            self.backlog.add(data, kind=body.kind)
        self._publish(data)
        return data

    def _publish(self, data: bytes) -> None:
        if self._public is not None:
            self._public.send(data)


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
        self._socket = messaging.connected(zmq.SUB, endpoints, queue=queue)
        for kind in (*kinds, Start, End, Health):
            for prefix in topics(kind.kind):
                self._socket.subscribe(prefix)

    def take(self, wait_s: float) -> Sequence[Received]:
        put_back, self._unread = self._unread, []
        taken = drained(self._socket, self._messaging, self._clock, 0.0 if put_back else wait_s)
        return put_back + [received for _, received in taken]

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
        return drained(self._socket, self._messaging, self._clock, wait_s)


_MOST_RECEIVED = 1000
"""Messages of one `take`: a reader of a flood of them still sends its heartbeats."""


def drained(
    socket: Socket, messaging: Messaging, clock: Clock, wait_s: float
) -> list[tuple[bytes, Received]]:
    """(bytes, message) of what has arrived at `socket`; waits `wait_s` for the first one."""
    parts = received_parts(socket, wait_s)
    return messaging.refused.batch(parts, where=address_of(socket), clock=clock)


def address_of(socket: Socket) -> str:
    """The endpoint that `socket` is bound or connected to."""
    return socket.get_string(zmq.LAST_ENDPOINT)


def has_room(socket: Socket, wait_s: float = 0.0) -> bool:
    """Whether `socket` can send without blocking, after `wait_s` at most."""
    return bool(socket.poll(int(wait_s * 1000), zmq.POLLOUT))


def received_parts(socket: Socket, wait_s: float) -> Iterator[list[bytes]]:
    """The parts of each message that has arrived; waits for the first one."""
    for n in range(_MOST_RECEIVED):
        if not socket.poll(0 if n else max(0, int(wait_s * 1000))):
            return
        yield socket.recv_multipart()
