"""Real child processes: all go at once, a dead one is started again or ends the run, none stays."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from threading import Event

import psutil
import pytest

from rtdecode.runtime.children import ProcessSpec
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.recorder_watch import RecorderWatch
from rtdecode.runtime.restarts import RUN_FAILED
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.supervisor import Supervisor
from rtdecode.schema.errors import NotReadyError, ProcessFailedError, RecordingUnconfirmedError
from rtdecode.schema.messages import Event as EventMessage
from rtdecode.schema.messages import Health, Start

pytestmark = pytest.mark.system

CHILD = dedent("""
    import sys
    from pathlib import Path
    from rtdecode.runtime.loop import run_loop
    from rtdecode.runtime.entry import run_process
    from rtdecode.schema.errors import MessageError

    class Idle:
        def take(self, wait_s):
            process.stop.wait(wait_s)
            return []
        def step(self, items):
            return []
        def push(self, item):
            raise AssertionError

    def main(given):
        global process
        process = given
        if (marks := Path(sys.argv[2])) and sys.argv[1] == "dies" and not marks.exists():
            given.wait_for_start()
            marks.write_text("once")
            return 7
        if sys.argv[1] == "never":
            given.stop.wait()
            return 0
        given.wait_for_start()
        if sys.argv[1] == "raises":
            raise MessageError(reason="the sentence of the error")
        if sys.argv[1] in ("ends", "refuses"):
            return {"ends": 0, "refuses": 2}[sys.argv[1]]
        idle = Idle()
        run_loop(idle, idle, idle, stop=given.stop, clock=given.clock, poll_s=0.02,
                 on_turn=given.on_turn(lambda: {"turns": 1.0}))
        return 0

    raise SystemExit(run_process("child", main, [*sys.argv[3:]]))
""")


class Nursery:
    """Makes children of one supervisor."""

    def __init__(self, folder: Path, messaging: Messaging) -> None:
        self.folder, self.clock = folder, HostClock()
        endpoint = f"ipc://{folder}/control"
        self.config = folder / "run.yaml"
        self.config.write_text(f"network: {{control: '{endpoint}'}}\n")
        self.health: list[tuple[str, Health]] = []
        server = ControlServer(messaging, clock=self.clock, endpoint=endpoint)
        self.supervisor = Supervisor(
            server, self.clock, folder / "logs", on_health=lambda n, h: self.health.append((n, h))
        )

    def spec(self, what: str, *, restarts: bool = False, ends_run: bool = False) -> ProcessSpec:
        marks = str(self.folder / f"{what}.mark")
        script = CHILD.replace('"child"', repr(what))
        argv = [sys.executable, "-c", script, what, marks, str(self.config), "--supervised"]
        return ProcessSpec(what, argv, restarts=restarts, ends_run=ends_run)

    def until(self, seconds: float) -> int:
        return self.clock.now_ns() + int(seconds * 1e9)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    with Messaging() as messaging:
        made = Nursery(tmp_path, messaging)
        yield made
        made.supervisor.end()


def test_all_get_ready_run_and_end_with_code_0(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("one"), nursery.spec("two")], stop=Event())
    pids, running, both_run = nursery.supervisor.pids(), set[str](), Event()

    def note(name: str, health: Health) -> None:
        running.update([name] if health.state == "running" else [])
        if running == {"one", "two"}:
            both_run.set()

    nursery.supervisor.on_health = note
    assert nursery.supervisor.watch(both_run, until_ns=nursery.until(120)) == "stopped as asked"
    reason = nursery.supervisor.watch(Event(), until_ns=nursery.until(0.1))
    codes = nursery.supervisor.end()
    assert reason == "time is over"
    assert codes == {"one": 0, "two": 0}
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


def test_one_that_dies_is_started_again_where_that_is_allowed(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("dies", restarts=True)], stop=Event())
    stop = Event()
    nursery.supervisor.on_health = lambda _, health: (
        stop.set() if health.state == "running" else None
    )
    assert nursery.supervisor.watch(stop, until_ns=nursery.until(120)) == "stopped as asked"


def test_one_that_dies_ends_the_run_elsewhere_with_its_exit_code(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("dies"), nursery.spec("one")], stop=Event())
    with pytest.raises(ProcessFailedError, match="dies ended with exit code 7") as failure:
        nursery.supervisor.watch(Event(), until_ns=nursery.until(120))
    assert failure.value.exit_code == 7


def test_a_failure_that_ends_the_run_is_an_alarm_with_its_reason(nursery: Nursery) -> None:
    events: list[EventMessage] = []
    nursery.supervisor.offer_event = lambda event: events.append(event) is None
    nursery.supervisor.start([nursery.spec("raises")], stop=Event())
    with pytest.raises(ProcessFailedError):
        nursery.supervisor.watch(Event(), until_ns=nursery.until(30))
    nursery.supervisor.end()
    (failed,) = (event for event in events if event.code == RUN_FAILED)
    assert (failed.severity, failed.process) == ("alarm", "supervisor")
    assert "raises ended with exit code" in failed.text
    assert "the sentence of the error" in failed.text


def test_a_folder_that_is_removed_during_a_run_is_named(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("dies")], stop=Event())
    shutil.rmtree(nursery.supervisor.logs)
    with pytest.raises(ProcessFailedError, match="folder was removed or renamed during its run"):
        nursery.supervisor.watch(Event(), until_ns=nursery.until(120))


def test_the_sentence_of_an_error_is_named_also_without_its_log(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("raises")], stop=Event())
    (nursery.supervisor.logs / "raises.log").unlink()
    with pytest.raises(ProcessFailedError, match=r"log is gone.*\n.*the sentence of the error"):
        nursery.supervisor.watch(Event(), until_ns=nursery.until(120))


def test_a_process_that_refuses_its_input_is_not_started_again(nursery: Nursery) -> None:
    nursery.supervisor.start([nursery.spec("refuses", restarts=True)], stop=Event())
    with pytest.raises(ProcessFailedError, match="refuses ended with exit code 2"):
        nursery.supervisor.watch(Event(), until_ns=nursery.until(120))


def test_a_stalled_process_is_killed_once(
    nursery: Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    nursery.supervisor.start([nursery.spec("one")], stop=Event())
    nursery.supervisor.heartbeat_limit_s = 1.0
    os.kill(nursery.supervisor.pids()["one"], signal.SIGSTOP)
    with pytest.raises(ProcessFailedError, match="one ended with exit code -9"):
        nursery.supervisor.watch(Event(), until_ns=nursery.until(120))
    assert [record.getMessage() for record in caplog.records] == [
        "one sent no heartbeat for 1 s and is killed"
    ]


def test_the_clean_end_of_a_source_is_the_end_of_the_run(nursery: Nursery) -> None:
    nursery.supervisor.start(
        [nursery.spec("ends", ends_run=True), nursery.spec("one")], stop=Event()
    )
    reason = nursery.supervisor.watch(Event(), until_ns=nursery.until(120))
    assert reason == "ends is at its end"


def test_one_that_never_gets_ready_is_named_and_nothing_stays(nursery: Nursery) -> None:
    with pytest.raises(NotReadyError, match=r"was not ready after 1 s"):
        nursery.supervisor.start(
            [nursery.spec("one"), nursery.spec("never")], stop=Event(), ready_s=1.0
        )
    assert not nursery.supervisor.pids()


def test_without_the_acknowledgement_of_the_recorder_no_other_process_starts(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = RecorderWatch.confirm
    # processes may take long to be ready; the acknowledgement never comes
    monkeypatch.setattr(
        RecorderWatch,
        "confirm",
        lambda watch, turn, *, stop, wait_s: confirm(watch, turn, stop=stop, wait_s=wait_s / 90),
    )
    record = f"ipc://{tmp_path}/recorder"
    start = Start("session", config_yaml="", git_revision="", twin_hash="")
    with Messaging() as messaging:
        publisher = Publisher(
            messaging, "supervisor", clock=nursery.clock, publish="", record=record, queue=1
        )
        nursery.supervisor.recording = RecorderWatch(
            publisher,
            start=start,
            log_file=tmp_path / "log.mcap",
            backlog_mb=1.0,
            clock=nursery.clock,
        )
        specs = [nursery.spec("recorder"), nursery.spec("one")]
        with pytest.raises(RecordingUnconfirmedError, match="it sent no acknowledgement"):
            nursery.supervisor.start(specs, stop=Event())
    states = {health.state for name, health in nursery.health if name == "one"}
    assert states <= {"starting", "ready"}
    assert not nursery.supervisor.pids()


def test_a_stop_during_the_start_ends_all_and_starts_none(nursery: Nursery) -> None:
    stop, pids = Event(), dict[str, int]()

    def stop_once_one_is_ready(name: str, health: Health) -> None:
        nursery.health.append((name, health))
        if health.state == "ready" and not stop.is_set():
            pids.update(nursery.supervisor.pids())
            stop.set()

    nursery.supervisor.on_health = stop_once_one_is_ready
    assert not nursery.supervisor.start([nursery.spec("one"), nursery.spec("never")], stop=stop)
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert "running" not in {health.state for _, health in nursery.health}
    assert nursery.supervisor.end() == {}


def test_a_config_error_is_reported_with_its_line(nursery: Nursery) -> None:
    nursery.config.write_text("seconds: soon\n")
    with pytest.raises(ProcessFailedError, match="line 1: seconds") as failure:
        nursery.supervisor.start([nursery.spec("one")], stop=Event())
    assert failure.value.exit_code == 2


def test_a_suspend_of_the_main_host_is_an_event(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspends_s = [0.0, 30.0]
    monkeypatch.setattr(
        "rtdecode.runtime.supervisor.SuspendWatch.seconds",
        lambda _watch: suspends_s.pop() if suspends_s else 0.0,
    )
    offered, stop = list[EventMessage](), Event()

    def offer(event: EventMessage) -> bool:
        offered.append(event)
        stop.set()
        return True

    nursery.supervisor.offer_event = offer
    nursery.supervisor.watch(stop, until_ns=nursery.until(120))
    (event,) = offered
    assert (event.code, event.counts) == ("host_suspended", {"seconds": 30.0})
