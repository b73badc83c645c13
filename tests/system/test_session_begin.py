"""A run begins when it is told to, or with the first scan, and ends when the microscope stops."""

import signal
import subprocess
from itertools import pairwise
from pathlib import Path
from threading import Event as ThreadEvent
from threading import Thread
from typing import Any

import pytest
import zmq
from live_run import bodies_so_far, received_so_far
from small_rig import RATE_HZ, SmallRig

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import DisplayedFrame, Event, Scan, Stamped, Start

pytestmark = pytest.mark.system

STIMULUS = {"presenter": "headless", "embedded_clips": 2, "clip_s": 1.0}


class Microscope:
    """Sends scans to `address` from the call of `begin` until `count` have been sent."""

    def __init__(self, address: str, *, count: int) -> None:
        self._address, self._count = address, count
        self._begin, self._stop = ThreadEvent(), ThreadEvent()
        self._thread = Thread(target=self._send)

    def begin(self) -> None:
        self._begin.set()

    def _send(self) -> None:
        self._begin.wait()
        rig, clock = SmallRig(), HostClock()
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.connect(self._address)
            begun_ns = clock.now_ns()
            for number in range(self._count):
                if self._stop.is_set():
                    push.set(zmq.LINGER, 0)
                    return
                _, scan = rig.bodies(number)
                push.send(pack(Stamped("rig", number, 0, "rig", scan)))
                clock.sleep_until(begun_ns + round((number + 1) * 1e9 / RATE_HZ))

    def __enter__(self) -> "Microscope":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._begin.set()
        self._thread.join()


def read_until(running: subprocess.Popen[str], words: str) -> None:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words}: {''.join(seen)}")


def times(session: Path, kind: type[Any], source: str) -> list[int]:
    found = received_so_far(session / "log.mcap", f"{source}/{kind.kind}".__eq__)
    return [one.message.t_ns for one in found]


def codes(session: Path) -> list[str]:
    return [event.code for event in bodies_so_far(session / "log.mcap", Event, "supervisor")]


def test_a_session_begins_and_ends_by_commands_of_another_program(user: Any) -> None:
    config = user.config(processes=["recorder", "stimulus"], stimulus=STIMULUS, decode=None)
    session = user.folder / "s"
    with user.running("run", config, "--out", "s", "--wait-for-start") as running:
        read_until(running, "the session starts with `rtdecode start")
        assert user.told("start", "s").stdout == "the run starts\n"
        read_until(running, "stimulus: running")
        again = user.told("start", "s")
        assert (again.returncode, "has started already" in again.stderr) == (1, True)
        assert user.told("stop", "s").stdout == "the run ends\n"
        said = str(running.communicate()[0])
    assert running.returncode == 0, said
    assert "ended: stopped as asked" in said
    assert "session_begun" in codes(session)
    assert not (session / "requests.json").exists()
    gone = user.told("stop", "s")
    assert (gone.returncode, "no run goes on" in gone.stderr) == (2, True)


def test_a_run_that_waits_for_its_start_ends_by_an_interrupt_with_nothing_recorded(
    user: Any,
) -> None:
    config = user.config(processes=["recorder", "stimulus"], stimulus=STIMULUS, decode=None)
    with user.running("run", config, "--out", "s", "--wait-for-start") as running:
        read_until(running, "the session starts with")
        running.send_signal(signal.SIGINT)
        said = str(running.communicate()[0])
    assert running.returncode == 0, said
    assert "nothing was recorded" in said
    assert user.left_running() == []


def test_the_first_scan_starts_the_stimulus_and_the_last_one_ends_the_run(user: Any) -> None:
    address = f"ipc://{user.folder}/rig"
    source = {"kind": "zmq_native", "address": address, "scan_rate_hz": RATE_HZ}
    config = user.config(
        processes=["recorder", "stimulus", "bridge"],
        start="on_first_scan",
        acquisition={"source": source, "end_after_s": 6.0},
        stimulus=STIMULUS,
        decode=None,
    )
    session = user.folder / "s"
    with (
        Microscope(address, count=60) as microscope,
        user.running("run", config, "--out", "s") as running,
    ):
        read_until(running, "the session starts with the first scan")
        read_until(running, "bridge: running")
        assert times(session, Start, "stimulus") == []
        microscope.begin()
        said = str(running.communicate()[0])
    assert running.returncode == 0, said
    assert "ended: bridge is at its end" in said
    scans, frames = times(session, Scan, "bridge"), times(session, DisplayedFrame, "stimulus")
    assert len(scans) == 60
    assert frames[0] > times(session, Start, "stimulus")[0] > scans[0]
    assert all(later > earlier for earlier, later in pairwise(frames))
    assert "session_begun" in codes(session)


def test_a_simulated_microscope_cannot_start_the_session(user: Any) -> None:
    config = user.config(start="on_first_scan")
    told = user.told("check", config)
    assert (told.returncode, "start: on_first_scan needs a microscope" in told.stderr) == (2, True)
