"""The process of the recorder: every message of every process → the log of the session.

Events and gaps are published again from here, as they stand in the log, so that the page states
what the log holds.
"""

import sys
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from rtdecode.runtime.entry import run_process
from rtdecode.runtime.limits import backlog_rate
from rtdecode.runtime.loop import LoopReport, NullSink, run_loop
from rtdecode.runtime.numbering import numbers_given
from rtdecode.runtime.process import Process
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.subscriber import Collector
from rtdecode.schema.interfaces import Source
from rtdecode.schema.messages import Body, End, Event, Gap, Received, Recording, Stamped, Start
from rtdecode.session.disk_watch import SHORT, DiskWatch, short_of_space
from rtdecode.session.layout import SessionLayout
from rtdecode.session.recorder import Recorder

_WAITING = 1000
"""Messages of each sender that may wait in this process before they wait in the sender. Where a
sender ends while so many wait, libzmq drops what the system still holds of it."""
_END_WAIT_S = 4.0
"""Time in s after the last message; a process may hold messages for 2 s without a supervisor."""


class RecordedEvents:
    """Publishes each START, event and gap of the log, also to later subscribers."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def add(self, data: bytes, message: Stamped) -> None:
        """Publish `data`, the wire bytes of a recorded `message`, if it is one of these."""
        if isinstance(message.body, Event | Gap | Start):
            self._publisher.forward(data)


class UntilEnds:
    """Source of the messages of `collector`; a recorder that is left alone waits for each END.

    The supervisor ends the recorder last. Where it was killed, all processes stop at once, and
    their last messages come after a pause.

    Parameters
    ----------
    collector
        The recorder queue.
    is_alone
        Whether the supervisor has ended.
    without_end
        Sources that have started and not ended.
    """

    def __init__(
        self,
        collector: Source[tuple[bytes, Received]],
        *,
        is_alone: Callable[[], bool],
        without_end: Callable[[], AbstractSet[str]],
    ) -> None:
        self._collector, self._is_alone, self._without_end = collector, is_alone, without_end

    def take(self, wait_s: float) -> Sequence[tuple[bytes, Received]]:
        items = self._collector.take(wait_s)
        if not items and self._is_alone() and self._without_end() - {"supervisor"}:
            return self._collector.take(_END_WAIT_S)
        return items


class RecordStage:
    """Stage that writes messages into the log and gives nothing.

    Each START is flushed, and then passed to `acknowledge`.
    """

    def __init__(self, recorder: Recorder, *, acknowledge: Callable[[Stamped], None]) -> None:
        self._recorder, self._acknowledge = recorder, acknowledge
        self.n_messages = 0
        self.n_bytes = 0
        self.without_end: set[str] = set()
        """Sources that have sent START and not END."""

    def step(self, items: Sequence[tuple[bytes, Received]]) -> Sequence[Body]:
        for data, received in items:
            self._recorder.write(data, received.message, received.t_received_ns)
            self.n_bytes += len(data)
            if isinstance(received.message.body, End):
                self.without_end.discard(received.message.source)
            if isinstance(received.message.body, Start):
                self.without_end.add(received.message.source)
                self._recorder.flush()
                self._acknowledge(received.message)
        self.n_messages += len(items)
        self._recorder.flush_if_due()
        return ()

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        return {"messages": self.n_messages, "mb": self.n_bytes / 1e6}


def main(process: Process) -> int:
    """Record until the run stops and no further message arrives.

    The supervisor starts the other processes once the recorder has acknowledged its START.
    """
    record = process.config.record
    collector = Collector(
        process.messaging,
        clock=process.clock,
        endpoint=process.config.network.recorder,
        queue=_WAITING,
        rate=backlog_rate(record.backlog_mb),
    )
    session = SessionLayout(record.folder / process.run_info.session)
    folder = session.folder
    events = process.unrecorded_publisher(process.config.network.events, source="events")
    recorder = Recorder(
        folder,
        flush_s=record.flush_s,
        split_mb=record.split_mb,
        clock=process.clock,
        on_recorded=RecordedEvents(events).add,
    )

    def acknowledge(start: Stamped) -> None:
        recording = Recording(start.source, process.run_info.session, str(session.log))
        process.report(recording)

    try:
        process.send_events_to(recorder.event)
        stage, watch = RecordStage(recorder, acknowledge=acknowledge), DiskWatch(folder)
        process.wait_for_start()
        if text := short_of_space(process.config, folder):
            recorder.event(Event("warning", process.name, SHORT, text))

        def on_turn(_report: LoopReport) -> None:
            for event in watch.step(t_ns=process.clock.now_ns(), written_bytes=stage.n_bytes):
                recorder.event(event)
            process.set_detail(watch.text)
            process.send_heartbeat({**stage.counters(), **watch.counters()})

        run_loop(
            UntilEnds(
                collector,
                is_alone=lambda: process.is_alone,
                without_end=lambda: stage.without_end,
            ),
            stage,
            NullSink(),
            stop=process.stop,
            clock=process.clock,
            on_turn=on_turn,
        )
        for source, last_seq in numbers_given(folder).items():
            recorder.expect_last(source, last_seq)
    finally:
        recorder.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(run_process("recorder", main, sys.argv[1:]))
