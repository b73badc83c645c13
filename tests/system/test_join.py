"""A run over three hosts, each with a loopback address of its own, folders and programs.

Real processes: hosts join late, differ, end their processes, are killed and return.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import yaml
from free_ports import first_free_port
from live_run import bodies_so_far
from plain_log import read_plain

from rtdecode.schema.messages import Body, DisplayedFrame, Event, Scan

pytestmark = pytest.mark.system

MARK, POLL_S = "RTDECODE_TEST_FOLDER", 0.1
ADDRESSES = {"decoder": "127.0.0.1", "microscope": "127.0.0.2", "screen": "127.0.0.3"}
PORTS = 12
T = TypeVar("T", bound=Body)
Running = subprocess.Popen[str]


class Rig:
    """Three computers: folders of one machine, each with its own config file."""

    def __init__(self, user: Any) -> None:
        self.user, self.root = user, Path(user.folder)
        self.hosts = {
            name: {"address": address} | self._processes(name)
            for name, address in ADDRESSES.items()
        }
        self.sections = {
            "processes": ["recorder", "stimulus", "bridge"],
            "decode": None,
            "stimulus": {"presenter": "headless", "embedded_clips": 2, "clip_s": 1.0},
            "acquisition": {"source": {"kind": "simulated", "neurons": 20}},
            "network": {
                "hosts": self.hosts,
                "first_port": first_free_port([*ADDRESSES.values()], PORTS),
            },
        }
        for name in ADDRESSES:
            self.folder(name).mkdir()
            self.write(name)
        self.session = self.folder("decoder") / "s"

    @staticmethod
    def _processes(name: str) -> dict[str, list[str]]:
        roles = {"microscope": ["bridge"], "screen": ["stimulus"]}
        return {"processes": roles[name]} if name in roles else {}

    def folder(self, host: str) -> Path:
        return self.root / host

    def write(self, host: str, **sections: Any) -> None:
        text = yaml.safe_dump(self.sections | sections)
        (self.folder(host) / "run.yaml").write_text(text)

    @contextmanager
    def running(self, host: str, *command: str) -> Iterator[Running]:
        """`rtdecode COMMAND` in the folder of `host`."""
        self.user.folder = self.folder(host)
        with self.user.running(*command) as process:
            self.user.folder = self.root
            yield process

    def run(self) -> Any:
        return self.running("decoder", "run", "run.yaml", "--out", "s")

    def join(self, host: str) -> Any:
        return self.running(host, "join", "run.yaml", "--host", host)

    def bodies(self, kind: type[T], source: str) -> list[T]:
        return bodies_so_far(self.session / "log.mcap", kind, source)

    def wait_for(self, kind: type[T], source: str, *, more_than: int, running: Running) -> int:
        """Wait for messages; the time limit of the test ends the wait. Their number."""
        while (count := len(self.bodies(kind, source))) <= more_than:
            if running.poll() is not None:
                pytest.fail(str(running.communicate()[0]))
            time.sleep(POLL_S)
        return count

    def codes(self) -> list[str]:
        return [event.code for event in self.bodies(Event, "supervisor")]

    def child(self, module: str) -> psutil.Process:
        """The process that runs `module`."""
        for process in psutil.process_iter():
            try:
                mine = process.environ().get(MARK) == str(self.root)
                if mine and module in process.cmdline():
                    return process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        pytest.fail(f"no process runs {module}")


@pytest.fixture
def rig(user: Any) -> Rig:
    return Rig(user)


def read_until(running: Running, words: str) -> str:
    assert running.stdout is not None
    seen = ""
    for line in running.stdout:
        seen += line
        if words in line:
            return seen
    pytest.fail(f"it never said {words}: {seen}")


def interrupted(running: Running) -> str:
    running.send_signal(signal.SIGINT)
    return str(running.communicate()[0])


@pytest.mark.slow
def test_a_session_over_three_hosts_goes_on_after_kills_and_a_host_that_returns(rig: Rig) -> None:
    with rig.run() as run, rig.join("microscope") as microscope:
        said = read_until(run, "screen (127.0.0.3) has not joined")
        assert "on it, run `rtdecode join CONFIG --role stimulus`" in said
        assert "microscope (127.0.0.2) has not joined" not in said
        with rig.join("screen") as screen:
            n = rig.wait_for(Scan, "bridge", more_than=15, running=run)
            rig.child("acquisition_bridge").kill()
            n = rig.wait_for(Scan, "bridge", more_than=n + 15, running=run)
            microscope.kill()
            with rig.join("microscope") as returned:
                rig.wait_for(Scan, "bridge", more_than=n + 15, running=run)
                said = interrupted(run)
                assert (returned.wait(), screen.wait()) == (0, 0)
                assert "the run has ended" in returned.communicate()[0]
    missing = read_plain(rig.session / "log.mcap").missing
    assert {stream.partition("/")[0] for stream in missing} <= {"bridge"}
    assert run.returncode == (3 if missing else 0), said
    scans = [scan.number for scan in rig.bodies(Scan, "bridge")]
    assert all(later > earlier for earlier, later in pairwise(scans))
    assert rig.codes().count("process_restarted") == 2
    assert "host_rejoined" in rig.codes()
    assert rig.bodies(DisplayedFrame, "stimulus")
    assert [path.name for path in (rig.folder("microscope") / "sessions").iterdir()] == ["s"]
    assert rig.user.left_running() == []


def test_a_host_with_another_config_or_release_is_refused_by_name_at_both_ends(rig: Rig) -> None:
    rig.write("microscope", frame_rate_hz=25.0)
    with rig.run() as run:
        with rig.join("microscope") as other:
            said = other.communicate()[0]
        named = "frame_rate_hz is 30.0 on decoder and 25.0 on microscope"
        assert (other.returncode, named in " ".join(said.split())) == (2, True), said
        assert "RTDECODE_RUN_TOKEN" not in said
        read_until(run, named)
        rig.write("microscope")
        with rig.join("microscope") as equal:
            read_until(equal, "joined the run")
            said = interrupted(run)
            assert equal.wait() == 0
    assert "stopped before it began: nothing was recorded" in said
    assert run.returncode == 0
    assert rig.user.left_running() == []


def test_a_host_that_is_stopped_ends_the_run_as_the_end_of_its_source_does(rig: Rig) -> None:
    with rig.run() as run, rig.join("microscope") as microscope, rig.join("screen") as screen:
        rig.wait_for(Scan, "bridge", more_than=5, running=run)
        interrupted(microscope)
        said = str(run.communicate()[0])
        assert screen.wait() == 0
    assert (run.returncode, microscope.returncode) == (0, 0), said
    assert "ended: bridge is at its end" in said
    assert "no message was lost" in said
    assert rig.user.left_running() == []


def test_a_session_that_is_recorded_on_another_host_is_summarised_there(rig: Rig) -> None:
    rig.hosts["microscope"]["processes"] = ["bridge", "stimulus"]
    rig.hosts["screen"]["processes"] = ["recorder", "view"]
    for name in ADDRESSES:
        rig.write(name, processes=["recorder", "stimulus", "bridge", "view"])
    session = rig.folder("screen") / "sessions" / "s"
    with rig.run() as run, rig.join("microscope") as microscope, rig.join("screen") as office:
        read_until(run, "Live page on screen: http://")
        read_until(run, "bridge: running")
        rig.session = session
        rig.wait_for(Scan, "bridge", more_than=5, running=run)
        assert not (rig.folder("decoder") / "s" / "log.mcap").exists()
        said = interrupted(run)
        summary = str(office.communicate()[0])
        assert microscope.wait() == 0
    assert (run.returncode, office.returncode) == (0, 0), said + summary
    assert "screen (127.0.0.3) has the recording of s, and its report" in said
    assert "no message was lost" in summary
    assert {"config.yaml", "environment.json", "log.mcap", "logs", "report"} <= set(
        os.listdir(session)
    )
    assert rig.user.left_running() == []
