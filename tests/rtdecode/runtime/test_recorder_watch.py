"""The supervisor's view of the recorder: what confirms a recording, and when it has stalled."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from rtdecode.runtime.backlog import BACKLOG_MB, NOT_RECORDED, Backlog
from rtdecode.runtime.children import exit_code
from rtdecode.runtime.outlets import handed_over
from rtdecode.runtime.recorder_watch import RECORDER, RecorderWatch
from rtdecode.schema.errors import RecordingUnconfirmedError
from rtdecode.schema.messages import Body, Health, Recording, Start
from rtdecode.schema.messages import Event as EventMessage

SECOND_NS = 1_000_000_000
START = Start("session", config_yaml="", git_revision="", twin_hash="")


class MovedClock:
    def __init__(self) -> None:
        self.t_ns = SECOND_NS

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


class FakePublisher:
    """Keeps what is pushed, and sends held messages one a second where the recorder takes them."""

    def __init__(self, clock: MovedClock, *, takes: int = 0) -> None:
        self.clock, self.takes = clock, takes
        self.backlog = Backlog("bridge", limit_mb=1.0)
        self.pushed: list[Body] = []

    def start(self, start: Start) -> bytes:
        return b"START of " + start.session.encode()

    def push(self, body: Body) -> None:
        self.pushed.append(body)

    def drain(self, _wait_s: float = 0.0) -> None:
        self.clock.t_ns += SECOND_NS
        if self.takes and self.backlog:
            self.takes -= 1
            self.backlog.send(lambda _data: None, while_true=iter([True]))

    @property
    def events(self) -> list[EventMessage]:
        return [body for body in self.pushed if isinstance(body, EventMessage)]


@pytest.fixture
def watch(tmp_path: Path) -> Any:
    clock = MovedClock()
    publisher: Any = FakePublisher(clock)
    made: Any = RecorderWatch(
        publisher, start=START, log_file=tmp_path / "log.mcap", backlog_mb=100.0, clock=clock
    )
    made.clock, made.publisher, made.log = clock, publisher, tmp_path / "log.mcap"
    return made


def confirmed(watch: Any) -> Any:
    watch.log.write_bytes(b"... START of session ...")
    answer = Recording("supervisor", "session", str(watch.log))
    assert watch.confirm(lambda: watch.receive(RECORDER, answer), stop=Event(), wait_s=5.0)
    return watch


def test_a_recording_with_the_start_in_the_log_of_this_session_is_confirmed(watch: Any) -> None:
    assert confirmed(watch).is_confirmed


@pytest.mark.parametrize(
    ("written", "session", "log", "says"),
    [
        (b"START of session", "another", "log.mcap", "it records session another into"),
        (b"START of session", "session", "other.mcap", "it records session session into"),
        (b"nothing of it", "session", "log.mcap", "a START that is not in the log"),
        (None, "session", "log.mcap", "a START that is not in the log"),
        (b"START of session", None, "log.mcap", "it sent no acknowledgement"),
    ],
)
def test_any_other_answer_ends_the_start_and_is_named(
    watch: Any, written: bytes | None, session: str | None, log: str, says: str
) -> None:
    if written is not None:
        watch.log.write_bytes(written)

    def turn() -> None:
        if session is not None:
            answer = Recording("supervisor", session, str(watch.log.parent / log))
            watch.receive(RECORDER, answer)

    with pytest.raises(RecordingUnconfirmedError, match=says) as error:
        watch.confirm(turn, stop=Event(), wait_s=5.0)
    assert "so nothing was started" in str(error.value)


def test_the_answer_of_another_process_confirms_nothing(watch: Any) -> None:
    watch.log.write_bytes(b"START of session")
    answer = Recording("supervisor", "session", str(watch.log))
    with pytest.raises(RecordingUnconfirmedError):
        watch.confirm(lambda: watch.receive("view", answer), stop=Event(), wait_s=5.0)


def test_a_stop_ends_the_wait(watch: Any) -> None:
    stop = Event()
    assert not watch.confirm(stop.set, stop=stop, wait_s=5.0)


def health(held_mb: float = 0.0, lost: int = 0) -> Health:
    return Health("running", "", {BACKLOG_MB: held_mb, NOT_RECORDED: lost})


def codes(watch: Any) -> list[str]:
    return [event.code for event in watch.publisher.events]


def test_a_silent_recorder_is_reported_and_its_recovery_with_how_long_and_how_much(
    watch: Any,
) -> None:
    confirmed(watch).receive(RECORDER, health())
    began_ns = watch.clock.t_ns
    while watch.clock.t_ns < began_ns + 20 * SECOND_NS:
        watch.receive("bridge", health(held_mb=(watch.clock.t_ns - began_ns) / SECOND_NS / 10))
        watch.report()
    assert codes(watch) == ["recorder_stalled"]
    watch.receive(RECORDER, health())
    watch.receive("bridge", health())
    watch.report()
    assert codes(watch) == ["recorder_stalled", "recorder_resumed"]
    stalled, resumed = watch.publisher.events
    assert (stalled.severity, resumed.severity) == ("alarm", "warning")
    assert resumed.counts["seconds"] == pytest.approx(20, abs=2)
    assert resumed.counts["held_mb"] == pytest.approx(2, abs=0.2)


def test_a_recorder_that_is_too_slow_is_reported_although_it_sends_heartbeats(watch: Any) -> None:
    confirmed(watch)
    # one second each; a short burst is no stall
    for held_mb in (1, 8, 8, 4, 6, 6, 7, 8, 3, 1, 0.1):
        watch.receive(RECORDER, health())
        watch.receive("bridge", health(held_mb=held_mb))
        watch.report()
    assert codes(watch) == ["recorder_stalled", "recorder_resumed"]


def test_a_stalled_recorder_is_tolerated_until_messages_are_lost_for_five_minutes(
    watch: Any,
) -> None:
    confirmed(watch)
    watch.clock.t_ns += 3600 * SECOND_NS
    watch.report()
    assert watch.is_tolerated()
    watch.receive("bridge", health(held_mb=50, lost=1))
    watch.clock.t_ns += 299 * SECOND_NS
    watch.receive("bridge", health(held_mb=50, lost=9))
    assert watch.is_tolerated()
    watch.clock.t_ns += 2 * SECOND_NS
    assert not watch.is_tolerated()


class FakeChild:
    """A process that ends by itself at `ends_s`, or when it is killed."""

    pid, is_reachable, reachable_since_ns, is_awaited = 1, True, 0, False

    def __init__(self, clock: MovedClock, *, ends_s: float) -> None:
        self._clock, self._ends_ns, self.killed = clock, ends_s * SECOND_NS, False

    def poll(self) -> int | None:
        self._clock.t_ns += SECOND_NS
        return self.wait()

    def wait(self) -> int | None:
        return -9 if self.killed else 0 if self._clock.t_ns >= self._ends_ns else None

    def kill(self) -> None:
        self.killed = True

    def release(self) -> None:
        """A fake has no standard input."""


@pytest.mark.parametrize(
    ("ends_s", "held_s", "silent_s", "code"),
    [
        (8, 0, 0, 0),
        (20, 0, 0, -9),
        # its messages are taken, one each second
        (50, 50, 0, 0),
        # the recorder was silent, and takes all messages within some seconds
        (40, 0, 35, 0),
        # the recorder was silent, and the process hangs
        (99, 0, 35, -9),
        # the recorder takes some messages and then no more
        (99, -30, 0, 3),
    ],
)
def test_an_ending_process_has_time_while_its_messages_are_taken(
    ends_s: float, held_s: float, silent_s: float, code: int
) -> None:
    clock = MovedClock()
    child: Any = FakeChild(clock, ends_s=ends_s)
    assert code == exit_code(
        child,
        name="bridge",
        clock=clock,
        held_mb=lambda: max(0.0 if held_s >= 0 else 1.0, abs(held_s) - clock.t_ns / SECOND_NS),
        recorder_is_awaited=lambda: clock.t_ns < silent_s * SECOND_NS,
    )


def held(*, messages: int, takes: int) -> FakePublisher:
    made = FakePublisher(MovedClock(), takes=takes)
    for n in range(messages):
        made.backlog.add(b"%d" % n, kind="scan")
    return made


def test_a_process_hands_over_all_that_is_taken_however_slowly() -> None:
    publisher: Any = held(messages=100, takes=100)
    clock = publisher.clock
    assert handed_over([publisher], clock=clock, limit_s=lambda: 5.0, on_turn=lambda: None)
    assert clock.t_ns >= 100 * SECOND_NS


def test_a_process_gives_up_on_a_recorder_that_takes_nothing_and_says_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher: Any = held(messages=9, takes=4)
    clock = publisher.clock
    assert not handed_over([publisher], clock=clock, limit_s=lambda: 5.0, on_turn=lambda: None)
    assert "which are lost: {'bridge/scan': 5}" in caplog.text
    assert clock.t_ns < 20 * SECOND_NS


def test_a_message_larger_than_the_backlog_is_held_where_nothing_else_is() -> None:
    backlog = Backlog("bridge", limit_mb=1e-6)
    assert [backlog.add(b"scan", kind="scan") for _ in range(2)] == [True, False]
    taken = list[bytes]()
    backlog.send(taken.append, while_true=iter([True]))
    assert backlog.add(b"next", kind="scan")
    assert (taken, backlog.n_refused) == ([b"scan"], 1)
