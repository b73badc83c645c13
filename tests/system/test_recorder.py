"""The recorder of a run stalls, is too slow, or another program poses as it."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zmq
from live_run import process_of
from recorder_kills import outcomes

from rtdecode.runtime.codec import pack, unpack
from rtdecode.schema.messages import Event, Health, Recording, Scan, Stamped
from rtdecode.session.part_reader import LogFileReader
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover

pytestmark = pytest.mark.system

RATE_HZ = 100.0
SCAN = np.random.default_rng(0).integers(50, 400, (64, 64)).astype(np.uint16)
Running = subprocess.Popen[str]


class Rig(threading.Thread):
    """Sends scans of 8 kB until it is stopped."""

    def __init__(self, address: str) -> None:
        super().__init__(name="rig")
        self.n_sent, self._address, self._stop_event = 0, address, threading.Event()

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.connect(self._address)
            while not self._stop_event.wait(1 / RATE_HZ):
                start_ns, end_ns = (
                    round(n * 1e9 / RATE_HZ) for n in (self.n_sent, self.n_sent + 1)
                )
                scan = Scan(SCAN, self.n_sent, 0, start_ns, end_ns)
                push.send(pack(Stamped("rig", self.n_sent, start_ns, "rig", scan)))
                self.n_sent += 1

    def stop(self) -> None:
        self._stop_event.set()
        self.join()


@contextmanager
def fed(user: Any, **sections: Any) -> Iterator[tuple[Running, Rig]]:
    """A run of recorder and bridge, into which a rig sends scans."""
    address = f"ipc://{user.folder}/rig"
    source = {"kind": "zmq_native", "address": address, "scan_rate_hz": RATE_HZ}
    config = user.config(
        processes=["recorder", "bridge"], acquisition={"source": source}, decode=None, **sections
    )
    rig = Rig(address)
    with user.running("run", config, "--out", "s") as running:
        read_until(running, "bridge: running")
        rig.start()
        try:
            yield running, rig
        finally:
            rig.stop()


def read_until(running: Running, words: str) -> None:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words}: {''.join(seen)}")


def recorder_of(running: Running) -> psutil.Process:
    return process_of(running.pid, "rtdecode.pipeline.recorder")


def stopped(running: Running, rig: Rig) -> str:
    rig.stop()
    running.send_signal(signal.SIGINT)
    return running.communicate()[0]


def stalled(running: Running, rig: Rig) -> None:
    """Stop the recorder until that is stated and the rig has sent 4 MB meanwhile."""
    recorder = recorder_of(running)
    until = rig.n_sent + 500
    recorder.suspend()
    read_until(running, "the recorder did not take messages as fast as they came")
    while rig.n_sent < until:
        time.sleep(0.05)
    recorder.resume()


def numbers(session: Path) -> list[int]:
    bodies = (item.message.body for item in LogReader(session / "log.mcap").messages())
    return [body.number for body in bodies if isinstance(body, Scan)]


def scans(part: Path) -> list[Scan]:
    bodies = (unpack(one.data).body for one in LogFileReader(part).messages())
    return [body for body in bodies if isinstance(body, Scan)]


def events(session: Path, code: str) -> list[Event]:
    """At least one; a busy machine may add further stalls."""
    bodies = (item.message.body for item in LogReader(session / "log.mcap").messages())
    found = [body for body in bodies if isinstance(body, Event) and body.code == code]
    assert found
    return found


def test_a_recorder_that_stalls_loses_nothing_and_the_stall_is_recorded(user: Any) -> None:
    with fed(user) as (running, rig):
        stalled(running, rig)
        read_until(running, "the recorder took the messages that were held")
        said = stopped(running, rig)
    assert running.returncode == 0, said
    assert "the log is complete; no message was lost" in said
    assert numbers(user.folder / "s") == list(range(rig.n_sent))
    assert {one.severity for one in events(user.folder / "s", "recorder_stalled")} == {"alarm"}
    resumed = events(user.folder / "s", "recorder_resumed")
    assert max(one.counts["seconds"] for one in resumed) >= 3
    assert max(one.counts["held_mb"] for one in resumed) > 0.5
    assert user.left_running() == []


def test_a_log_in_parts_is_complete_and_a_missing_part_is_stated(user: Any) -> None:
    third = user.folder / "s" / "log_0003.mcap"
    with fed(user, record={"split_mb": 0.3}) as (running, rig):
        while running.poll() is None and not third.exists():
            time.sleep(0.05)
        said = stopped(running, rig)
    assert running.returncode == 0, said
    assert "the log is complete; no message was lost" in said
    assert numbers(user.folder / "s") == list(range(rig.n_sent))
    assert recover(third.parent).was_complete
    missing = [body.number for body in scans(third.with_name("log_0001.mcap"))]
    third.with_name("log_0001.mcap").unlink()
    assert numbers(user.folder / "s") == [n for n in range(rig.n_sent) if n not in missing]
    [damage] = recover(third.parent).damage
    assert damage.counts["bridge/scan"] == len(missing)
    assert f"What {damage.file} held is missing" in user.told("score", "s").stdout


def test_a_run_that_ends_during_a_stall_waits_for_its_recorder(user: Any) -> None:
    with fed(user) as (running, rig):
        recorder = recorder_of(running)
        recorder.suspend()
        time.sleep(1.0)
        rig.stop()
        running.send_signal(signal.SIGINT)
        # longer than a process has that holds nothing
        time.sleep(12.0)
        recorder.resume()
        said = running.communicate()[0]
    assert running.returncode == 0, said
    assert "the log is complete; no message was lost" in said
    assert numbers(user.folder / "s") == list(range(rig.n_sent))


def test_beyond_the_backlog_the_loop_goes_on_and_what_is_lost_is_stated(user: Any) -> None:
    with fed(user, record={"backlog_mb": 2.0}) as (running, rig):
        stalled(running, rig)
        read_until(running, "the recorder took the messages that were held")
        assert running.poll() is None
        said = stopped(running, rig)
    assert running.returncode == 3, said
    recorded = numbers(user.folder / "s")
    lost = rig.n_sent - len(recorded)
    assert lost > 0
    assert sorted(set(recorded)) == recorded
    # the first scans and the last ones are there: what was lost lies between
    assert recorded[:50] == list(range(50))
    assert recorded[-1] == rig.n_sent - 1
    assert re.search(rf"lost messages: (.*, )?{lost} of bridge/scan", said)
    assert "no message was lost" not in said
    assert "the backlog for the recorder was full, and messages were not recorded" in said
    alarms = events(user.folder / "s", "recorder_backlog_full")
    assert {(one.severity, one.process) for one in alarms} == {("alarm", "bridge")}


class Stranger(threading.Thread):
    """A program that calls itself the recorder on the control port, from before the run."""

    def __init__(self, address: str, session: Path) -> None:
        super().__init__(name="stranger")
        self._address, self._session, self._stop_event = address, session, threading.Event()
        self.received: list[bytes] = []

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.set(zmq.IDENTITY, b"recorder")
            dealer.set(zmq.LINGER, 0)
            dealer.connect(self._address)
            log = str(self._session / "log.mcap")
            while not self._stop_event.wait(0.02):
                for body in (Health("ready", ""), Recording("supervisor", "s", log)):
                    # its queue may be full while no supervisor is there
                    with suppress(zmq.Again):
                        dealer.send(pack(Stamped("recorder", 0, 0, "host", body)), zmq.NOBLOCK)
                while dealer.poll(0):
                    self.received.append(dealer.recv())

    def stop(self) -> None:
        self._stop_event.set()
        self.join()


def test_a_stranger_named_recorder_does_not_replace_the_recorder(user: Any) -> None:
    control = f"ipc://{user.folder}/control"
    stranger = Stranger(control, user.folder / "s")
    stranger.start()
    try:
        with fed(user, network={"control": control}) as (running, rig):
            time.sleep(0.5)
            said = stopped(running, rig)
    finally:
        stranger.stop()
    assert running.returncode == 0, said
    assert stranger.received == []
    assert numbers(user.folder / "s") == list(range(rig.n_sent))
    assert "messages that could not be read or were too many were dropped" in said
    counts = LogReader(user.folder / "s" / "log.mcap").summary().counts
    assert counts["supervisor/start"] == counts["supervisor/end"] == 1


def test_a_killed_recorder_costs_each_stream_at_most_a_second() -> None:
    assert [one for one in outcomes(kills=2, seed=3) if one.mistakes] == []
