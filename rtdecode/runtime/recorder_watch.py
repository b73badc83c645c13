"""The supervisor's watch of the recorder: that it records this run, and whether it keeps up.

Duties: send the supervisor's START, check the acknowledgement of it before anything begins, report
a recorder that stalls and its recovery as events, and say for how long a stall is tolerated. It
starts and ends no process; the supervisor does.

A recorder stalls where it sends no heartbeat for 3 s, as while its disk blocks, or where the
processes hold more than 5 % of `record.backlog_mb` for it for 3 s. It is not killed while they have
room for its messages, and not within 300 s after the first message that found no room.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from rtdecode.runtime.backlog import BACKLOG_MB, NOT_RECORDED
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.socket_options import HAND_OVER_S
from rtdecode.schema.errors import RecordingUnconfirmedError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Event, Health, Recording, Start

log = logging.getLogger(__name__)
RECORDER = "recorder"
_NS_PER_S = 1e9
_SILENT_S = 3.0
_STALL_SHARE, _RESUME_SHARE = 0.05, 0.005
_LOSING_S = 300.0


class RecorderWatch:
    """The recorder of one run, from the START that it acknowledges to its end.

    Parameters
    ----------
    publisher
        The supervisor's own, which has the recorder and no subscribers.
    start
        START of the supervisor in this session.
    log_file
        The log that the recorder of this session writes; None where it is on another host.
    backlog_mb
        Megabytes that all processes together may hold.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        start: Start,
        log_file: Path | None,
        backlog_mb: float,
        clock: Clock,
    ) -> None:
        self._publisher, self._start, self._log_file = publisher, start, log_file
        self._backlog_mb, self._clock = backlog_mb, clock
        self._start_data = b""
        self.is_confirmed = self._is_finished = False
        self._answer = "it sent no acknowledgement"
        self._began_ns = self._heartbeat_ns = clock.now_ns()
        self._held_mb: dict[str, float] = {}
        self._lost: dict[str, float] = {}
        self._stalled_ns: int | None = None
        self._kept_up_ns = self._began_ns
        """When the processes last held little enough."""
        self._most_mb = 0.0
        self._losing_ns: int | None = None

    def confirm(self, turn: Callable[[], None], *, stop: threading.Event, wait_s: float) -> bool:
        """Send START and wait until the recorder acknowledges it; False where `stop` is set.

        `turn` is called meanwhile, and passes messages of the processes to `receive`. Raises
        RecordingUnconfirmedError after `wait_s`.
        """
        deadline_ns = self._clock.now_ns() + int(wait_s * _NS_PER_S)
        self._start_data = self._publisher.start(self._start)
        while not self.is_confirmed:
            if stop.is_set():
                return False
            turn()
            self._publisher.drain()
            if self._clock.now_ns() > deadline_ns:
                raise RecordingUnconfirmedError(
                    session=self._start.session,
                    log=self._log_file or "the log of another host",
                    waited_s=wait_s,
                    got=self._answer,
                )
        return True

    def receive(self, name: str, body: Body) -> None:
        """Take a message of the process `name` into account."""
        if isinstance(body, Health):
            self._note(name, body)
        elif isinstance(body, Recording) and name == RECORDER:
            self._acknowledge(body)

    def _acknowledge(self, recording: Recording) -> None:
        """Confirm the recording if `recording` is of this run and the log file has its START."""
        if recording.start_source != "supervisor" or self.is_confirmed:
            return
        log_file = self._log_file
        is_here = log_file is None or Path(recording.log).resolve() == log_file.resolve()
        if recording.session != self._start.session or not is_here:
            self._answer = f"it records session {recording.session} into {recording.log}"
        elif log_file is not None and not _contains(log_file, self._start_data):
            self._answer = "it acknowledged a START that is not in the log"
        else:
            self.is_confirmed = True
            self._began_ns = self._heartbeat_ns = self._kept_up_ns = self._clock.now_ns()

    def offer(self, event: Event) -> bool:
        """Send `event` to the recorder, or hold it; False before it records, and after END."""
        is_open = self.is_confirmed and not self._is_finished
        if is_open:
            self._publisher.push(event)
        return is_open

    def _note(self, name: str, health: Health) -> None:
        """Take the heartbeat of the process `name` into account."""
        now_ns = self._clock.now_ns()
        if name == RECORDER:
            self._heartbeat_ns = now_ns
        self._held_mb[name] = health.counters.get(BACKLOG_MB, 0.0)
        lost = health.counters.get(NOT_RECORDED, 0.0)
        # a restarted process counts from 0 again
        if lost > self._lost.get(name, 0.0) and self._losing_ns is None:
            self._losing_ns = now_ns
        self._lost[name] = lost

    def held_mb(self) -> float:
        """Megabytes that all processes hold for the recorder."""
        return sum(self._held_mb.values()) + self._publisher.backlog.mb

    def is_silent(self) -> bool:
        """Whether it has sent no heartbeat for 3 s."""
        return self._silent_s() > _SILENT_S

    def is_waited_for(self) -> bool:
        """Whether processes that end should wait for it: it is silent, but not for too long."""
        return self.is_confirmed and _SILENT_S < self._silent_s() < HAND_OVER_S

    def is_tolerated(self) -> bool:
        """Whether it may stay without a heartbeat, because messages are held and not lost."""
        losing_ns = self._losing_ns
        return losing_ns is None or self._clock.now_ns() - losing_ns < _LOSING_S * _NS_PER_S

    def report(self) -> None:
        """Send what is held, and an event where the recorder has stalled or resumed."""
        if not self.is_confirmed:
            return
        self._publisher.drain()
        now_ns, held_mb = self._clock.now_ns(), self.held_mb()
        self._most_mb = max(self._most_mb, held_mb)
        if self._stalled_ns is None:
            self._most_mb, self._losing_ns = held_mb, None
            if held_mb <= _STALL_SHARE * self._backlog_mb:
                self._kept_up_ns = now_ns
            since_ns = min(self._heartbeat_ns, self._kept_up_ns)
            if now_ns - since_ns > _SILENT_S * _NS_PER_S:
                self._stall(since_ns)
        elif not self.is_silent() and held_mb <= _RESUME_SHARE * self._backlog_mb:
            self._resume((now_ns - self._stalled_ns) / _NS_PER_S)

    def finish(self, *, turn: Callable[[], None]) -> None:
        """Send END and wait until the recorder has taken it, or was silent for too long."""
        if not self.is_confirmed:
            return
        self.report()
        self._publisher.end(session=self._start.session, reason="stopped")
        self._is_finished = True
        while self._publisher.backlog and self._silent_s() < HAND_OVER_S:
            turn()
            self._publisher.drain()

    def _silent_s(self) -> float:
        return (self._clock.now_ns() - self._heartbeat_ns) / _NS_PER_S

    def _stall(self, since_ns: int) -> None:
        self._stalled_ns = since_ns
        since_s = (since_ns - self._began_ns) / _NS_PER_S
        text = (
            f"from {since_s:.1f} s after the start, the recorder did not take messages as fast as "
            f"they came, and they were held"
        )
        log.warning("%s", text)
        self._publisher.push(Event("alarm", RECORDER, "recorder_stalled", text))

    def _resume(self, seconds: float) -> None:
        text = "the recorder took the messages that were held while it had stalled"
        counts = {"seconds": round(seconds, 1), "held_mb": round(self._most_mb, 3)}
        log.warning("%s %s", text, counts)
        self._publisher.push(Event("warning", RECORDER, "recorder_resumed", text, counts))
        self._stalled_ns = self._losing_ns = None


def _contains(log_file: Path, data: bytes) -> bool:
    """Whether the log has the message `data`; that of another host is not read."""
    return log_file.is_file() and data in log_file.read_bytes()
