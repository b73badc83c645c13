"""The frame around every process: errors become one sentence and a code, options are read."""

import logging
from pathlib import Path
from threading import Event

import pytest
from lab_keys import introduced

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.keys import network_keys
from rtdecode.runtime.process import Process
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.run_info import RunInfo
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import MissingFileError
from rtdecode.schema.messages import Gap


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtdecode.runtime.stop.signal.signal", lambda *_: None)
    monkeypatch.setattr("rtdecode.runtime.entry.logging.basicConfig", lambda **_: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("seconds: 3\n")
    return path


def test_the_main_gets_the_config_and_its_code_is_returned(config: Path) -> None:
    def main(process: Process) -> int:
        assert process.config.seconds == 3
        assert process.run_info.session == "monday"
        return 5

    assert run_process("child", main, [str(config), "--session", "monday"]) == 5


def test_a_named_error_is_one_line_and_its_code(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def main(_process: Process) -> int:
        raise MissingFileError(what="twin", path=config, remedy="make one")

    with caplog.at_level(logging.ERROR):
        assert run_process("child", main, [str(config)]) == 2
    assert "make one" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_bug_keeps_its_trace(config: Path) -> None:
    def main(_process: Process) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_process("child", main, [str(config)])


def test_without_a_supervisor_it_goes_once_all_are_heard(config: Path) -> None:
    def main(process: Process) -> int:
        address = f"ipc://{config.parent}/p"
        publisher: Publisher = process.publisher(address)
        inlet = process.subscriber([address], [Gap])
        process.wait_for_start(inlet, expected_sources=["child"])
        publisher.start(process.run_info.start())
        publisher.push(Gap("x", 0, 1, "child"))
        kinds: list[str] = []
        while "gap" not in kinds:
            kinds += [got.message.body.kind for got in inlet.take(0.05)]
        assert kinds[0] == "health"
        assert "start" in kinds
        return 0

    assert run_process("child", main, [str(config)]) == 0


def test_a_stop_before_go_ends_it_with_code_0_and_nothing_was_sent(config: Path) -> None:
    opened = []

    def main(process: Process) -> int:
        publisher = process.publisher(f"ipc://{config.parent}/p")
        process.stop.set()
        opened.append(publisher)
        process.wait_for_start()
        publisher.start(process.run_info.start())
        return 7

    assert run_process("child", main, [str(config)]) == 0
    assert opened[0]._numbering.last == {}


def test_the_supervisor_is_asked_again_and_again_whether_it_answers(tmp_path: Path) -> None:
    network = {"control": f"ipc://{tmp_path}/control"}
    config = RunConfig.model_validate({"network": network})
    run_info = RunInfo("session", "", "", {}, token="secret")
    clock = HostClock()
    with Messaging() as messaging:
        server = ControlServer(
            messaging, clock=clock, endpoint=network["control"], token=run_info.token
        )
        process = Process(
            "controller", config, run_info=run_info, messaging=messaging, stop=Event(), clock=clock
        )

        def answered_ns() -> int:
            server.receive(0.01)
            process.commands()
            return process.supervisor_ns()

        asked_ns = clock.now_ns()
        assert process.supervisor_ns() == 0
        while not (first_ns := answered_ns()):
            assert clock.now_ns() - asked_ns < 60e9
        assert asked_ns < first_ns < clock.now_ns()
        # it asks again and again
        while answered_ns() == first_ns:
            assert clock.now_ns() - first_ns < 60e9


def test_on_another_host_nothing_begins_before_its_clock_is_known(tmp_path: Path) -> None:
    """192.0.2.0/24 is kept for documentation: no supervisor answers there."""
    path, called = tmp_path / "run.yaml", []
    keys = introduced(tmp_path / "keys", ["decoder", "rig"])["rig"].path
    hosts = "{decoder: {address: 192.0.2.1}, rig: {address: 192.0.2.3, processes: [bridge]}}"
    network = f"{{control: 'tcp://192.0.2.1:5700', hosts: {hosts}, keys: {keys}}}"
    path.write_text(f"network: {network}\n")
    stop = Event()
    stop.set()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rtdecode.runtime.entry.stop_on_signals", lambda: stop)
        assert run_process("bridge", lambda _process: called.append(1) or 7, [str(path)]) == 0
    assert not called


def test_on_another_host_what_a_later_start_continues_from_is_kept(tmp_path: Path) -> None:
    """There a cut of the network for longer than a minute ends a process as the end of a run."""
    keys = introduced(tmp_path / "keys", ["decoder", "rig"])["rig"].path
    hosts = {
        "decoder": {"address": "192.0.2.1"},
        "rig": {"address": "192.0.2.3", "processes": ["bridge"]},
    }
    network = {"control": "tcp://192.0.2.1:5700", "hosts": hosts, "keys": keys}
    assert may_continue(RunConfig.model_validate({"network": network}))
    assert not may_continue(RunConfig())


def may_continue(config: RunConfig) -> bool:
    """Whether a bridge with `config` says that a later start may go on."""
    with Messaging(network_keys(config.network)) as messaging:
        process = Process(
            "bridge",
            config,
            run_info=RunInfo("s", "r", "", {}),
            messaging=messaging,
            stop=Event(),
            clock=HostClock(),
        )
        found = process.may_continue
        process.close()
    return found
