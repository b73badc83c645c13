"""Every message is in the log, byte for byte, and missing ones are reported there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.pipeline import recorder as recorder_process
from rtdecode.pipeline.recorder import RecordStage, UntilEnds, main
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import SessionExistsError
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Event,
    Gap,
    Health,
    Received,
    Stamped,
    Start,
)
from rtdecode.session.disk_watch import LOW, SHORT
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

START = Start("session", config_yaml="", git_revision="", twin_hash="")


def behaviour(number: int) -> Behaviour:
    return Behaviour(number, float(number), 20.0, np.array([1, 2], np.float32))


def sent(numbers: Sequence[int]) -> list[tuple[bytes, Received]]:
    messages = [Stamped("bridge", n, n, "host", behaviour(n)) for n in numbers]
    return [(pack(message), Received(message, 5)) for message in messages]


def not_expected(start: Stamped) -> None:
    raise AssertionError(f"no START was sent, got {start}")


def test_a_start_is_in_the_file_when_it_is_acknowledged(tmp_path: Path) -> None:
    log = SessionLayout(tmp_path).log
    recorder = Recorder(tmp_path, flush_s=1000.0, clock=HostClock())
    found: list[int] = []
    message = Stamped("supervisor", 0, 0, "host", START)
    stage = RecordStage(
        recorder, acknowledge=lambda start: found.append(log.read_bytes().count(pack(start)))
    )
    stage.step([(pack(message), Received(message, 5))])
    assert found == [1]
    recorder.close()


def test_it_counts_what_it_writes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, flush_s=1.0, clock=HostClock())
    stage, items = RecordStage(recorder, acknowledge=not_expected), sent(range(3))
    assert stage.step(items) == ()
    assert stage.counters() == {"messages": 3, "mb": sum(len(data) for data, _ in items) / 1e6}
    recorder.close()


def test_the_log_holds_the_bytes_that_came(tmp_path: Path) -> None:
    recorder, items = Recorder(tmp_path, flush_s=1.0, clock=HostClock()), sent(range(20))
    RecordStage(recorder, acknowledge=not_expected).step(items)
    recorder.close()
    logged = list(LogReader(SessionLayout(tmp_path).log).logged())
    assert [entry.data for entry in logged] == [data for data, _ in items]


@pytest.mark.system
def test_what_is_sent_until_the_stop_is_recorded(tmp_path: Path, conducted: Any) -> None:
    with conducted(main, RunConfig(), tmp_path, records=False) as scene:
        bridge, screen = scene.publisher("bridge"), scene.publisher("stimulus")
        scene.go()
        for outlet in (bridge, screen):
            outlet.start(START)
        for number in range(50):
            bridge.push(behaviour(number))
        screen.push(Gap("x", 0, 1, "y"))
        for outlet in (bridge, screen):
            outlet.end(session="session", reason="asked")
        # a START, 50 samples, a gap, and an END: 55 in all
        scene.until(lambda health: health.counters.get("messages") == 55)
        assert scene.end() == 0
    found = LogReader(SessionLayout(tmp_path / "session").log).summary()
    assert found.complete
    assert found.counts == {
        "bridge/start": 1,
        "bridge/behaviour": 50,
        "bridge/end": 1,
        "stimulus/start": 1,
        "stimulus/gap": 1,
        "stimulus/end": 1,
    }


class Queue:
    """Gives one batch after another; `waited_s` are the times that it was asked to wait."""

    def __init__(self, *batches: list[Any]) -> None:
        self._batches = list(batches)
        self.waited_s: list[float] = []

    def take(self, wait_s: float) -> list[Any]:
        self.waited_s.append(wait_s)
        return self._batches.pop(0) if self._batches else []


@pytest.mark.parametrize(
    ("alone", "without_end", "waits"),
    [
        (True, {"decoder", "supervisor"}, True),
        (True, {"supervisor"}, False),
        (False, {"decoder"}, False),
    ],
)
def test_only_a_recorder_without_supervisor_waits_for_the_last_messages(
    alone: bool, without_end: set[str], waits: bool
) -> None:
    queue = Queue(["first"], [], ["last"])
    source = UntilEnds(queue, is_alone=lambda: alone, without_end=lambda: without_end)
    assert source.take(0.1) == ["first"]
    assert source.take(0.1) == (["last"] if waits else [])
    assert (max(queue.waited_s) > 2) is waits


@pytest.mark.system
def test_a_later_subscriber_gets_the_events_and_gaps_of_the_log_as_well(
    tmp_path: Path, conducted: Any
) -> None:
    noted = Event("warning", "bridge", "odd", "something is odd", {"scans": 3})
    with conducted(main, RunConfig(), tmp_path, records=False) as scene:
        bridge = scene.publisher("bridge")
        scene.go()
        bridge.start(START)
        bridge.push(noted)
        for number in (0, 1):
            bridge.push(behaviour(number))
        bridge._numbering._last["behaviour"] += 4
        bridge.push(behaviour(6))
        scene.until(lambda health: health.counters.get("messages") == 5)
        with Messaging() as later:
            inlet = Subscriber(
                later,
                clock=HostClock(),
                endpoints=[f"ipc://{tmp_path}/events"],
                kinds=[Event, Gap],
                queue=100,
            )
            found: list[Body] = []
            while not any(isinstance(body, Gap) for body in found):
                found += [item.message.body for item in inlet.take(0.05)]
        assert scene.end() == 0
    kinds = [body.kind for body in found if not isinstance(body, Health)]
    assert kinds == ["start", "event", "gap"]
    (gap,) = (body for body in found if isinstance(body, Gap))
    assert (gap.stream, gap.n_missing, gap.detected_by) == ("bridge/behaviour", 4, "recorder")


class _SoonFull:
    """A disk that is soon full, once."""

    text = "the disk has room for 9 min"

    def __init__(self, folder: Path) -> None:
        self._alarms = [Event("alarm", "recorder", LOW, f"{self.text} at {folder.name}")]

    def step(self, *, t_ns: int, written_bytes: int) -> list[Event]:
        alarms, self._alarms = self._alarms, []
        return alarms if t_ns > written_bytes else []

    def counters(self) -> dict[str, float]:
        return {"disk_minutes_left": 9.0}


@pytest.mark.system
def test_the_alarm_of_the_disk_is_in_the_log_and_in_every_heartbeat(
    tmp_path: Path, conducted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_process, "DiskWatch", _SoonFull)
    config = RunConfig(seconds=1e12)
    with conducted(main, config, tmp_path, records=False) as scene:
        scene.go()
        health = scene.until(lambda health: bool(health.counters.get("disk_minutes_left")))
        assert health.detail == "the disk has room for 9 min"
        assert scene.end() == 0
    messages = LogReader(SessionLayout(tmp_path / "session").log).messages()
    events = [item.message.body for item in messages]
    codes = [(event.code, event.severity) for event in events if isinstance(event, Event)]
    assert codes == [(SHORT, "warning"), (LOW, "alarm")]


@pytest.mark.system
def test_a_folder_that_holds_a_recording_is_refused(tmp_path: Path, conducted: Any) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "log.mcap").write_bytes(b"of another day")
    refused = []

    def refusing(process: Any) -> int:
        with pytest.raises(SessionExistsError) as error:
            main(process)
        refused.append(error)
        return error.value.exit_code

    with conducted(refusing, RunConfig(), tmp_path, records=False) as scene:
        scene.thread.join()
        assert scene.code == 2
    assert (tmp_path / "session" / "log.mcap").read_bytes() == b"of another day"
