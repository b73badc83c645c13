"""Publisher of a process: numbers, stamps, records and publishes its messages.

A `Publisher` packs each body once. It pushes the bytes to the recorder queue (PUSH/PULL), holds in
its `Backlog` what is not taken at once, and publishes the same bytes (XPUB/SUB: a slow subscriber
loses messages, a gap in `seq`). The first bytes of a message are its topic, so one part is enough.
"""

from dataclasses import replace
from threading import RLock

import zmq

from rtdecode.runtime.backlog import Backlog
from rtdecode.runtime.codec import pack
from rtdecode.runtime.numbering import Numbering
from rtdecode.runtime.sockets import CLOCK_NAME, RECORDER_QUEUE, Messaging, has_room
from rtdecode.schema.bounded import RecentMessages
from rtdecode.schema.errors import RecorderAbsentError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, End, Stamped, Start

_RECORDER_WAIT_S = 5.0
_MOST_FORWARDED = 1000


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
        self._for_new = RecentMessages(_MOST_FORWARDED)
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

    def held(self, body: Body) -> bool:
        """Push `body`, which is held where the recorder does not take it; always True."""
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
        with self._lock:
            self._publish(data)
            self._for_new.append(data)

    def announce_to_all(self, body: Body) -> None:
        """Publish `body` without number and record, now and to each new subscriber."""
        data = pack(Stamped(self._source, 0, self._clock.now_ns(), CLOCK_NAME, body))
        self.forward(data)

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

    def announce(self, body: Body) -> None:
        """Publish `body` without number and record: before START, and what only the page shows."""
        data = pack(Stamped(self._source, 0, self._clock.now_ns(), CLOCK_NAME, body))
        with self._lock:
            self._publish(data)

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
