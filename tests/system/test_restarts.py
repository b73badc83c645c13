"""Decoder, bridge and stimulus are killed in the middle of a run, and the session goes on."""

import re
import signal
import subprocess
import time
from itertools import islice, pairwise
from pathlib import Path
from threading import Event as ThreadEvent
from threading import Thread
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest
import zmq
from live_run import bodies_so_far, process_of
from plain_log import read_plain
from small_rig import RATE_HZ, SmallRig

from rtdecode.calcium.rois import Rois
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.errors import DataLostError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Fluorescence,
    Responses,
    Scan,
    Stamped,
    Start,
)
from stimulus.playlist import movie_frames

pytestmark = pytest.mark.system

POLL_S = 0.1
FRAME_RATE_HZ = 30.0
T = TypeVar("T", bound=Body)


class Session:
    """The log of a run, while it is written and after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: subprocess.Popen[str] | None = None

    def bodies(self, kind: type[T], source: str) -> list[T]:
        return bodies_so_far(self.folder / "log.mcap", kind, source)

    def wait_for(self, kind: type[T], source: str, *, more_than: int) -> int:
        """Wait for messages; the time limit of the test ends the wait. Their number."""
        while (count := len(self.bodies(kind, source))) <= more_than:
            if self.running is not None and self.running.poll() is not None:
                pytest.fail(str(self.running.communicate()[0]))
            time.sleep(POLL_S)
        return count

    def codes(self, source: str) -> list[str]:
        return [event.code for event in self.bodies(Event, source)]


def kill(user: Any, module: str) -> None:
    """Kill the process of `user` that runs `module`, as the system does when memory is short."""
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("RTDECODE_TEST_FOLDER") == str(user.folder)
            if mine and module in process.cmdline():
                process.kill()
                return
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    pytest.fail(f"no process runs {module}")


def ended(session: Session, *killed: str) -> str:
    """End the run; what it said. Only messages that the `killed` had not sent may be missing."""
    assert session.running is not None
    session.running.send_signal(signal.SIGINT)
    said = str(session.running.communicate()[0])
    missing = read_plain(session.folder / "log.mcap").missing
    assert {stream.partition("/")[0] for stream in missing} <= set(killed), missing
    assert session.running.returncode == (DataLostError.exit_code if missing else 0), said
    lost = re.search(r"lost messages: ([^;]*);", said)
    stated = set(lost[1].split(", ")) if lost else set()
    assert stated == {f"{n} of {stream}" for stream, n in missing.items()}, said
    return said


def fed_config(user: Any, address: str, **sections: Any) -> Any:
    """The config of a run without decoding, whose scans come from a rig at `address`."""
    source = {"kind": "zmq_native", "address": address, "scan_rate_hz": RATE_HZ}
    return user.config(acquisition={"source": source}, decode=None, **sections)


class Feed:
    """A rig that sends scans to the address of a bridge until the block ends."""

    def __init__(self, address: str) -> None:
        self.n_sent, self._address, self._stop = 0, address, ThreadEvent()
        self._thread = Thread(target=self._send)

    def _send(self) -> None:
        rig, number, clock = SmallRig(), 0, HostClock()
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.set(zmq.LINGER, 0)
            push.connect(self._address)
            begun_ns = clock.now_ns()
            while not self._stop.is_set():
                _, scan = rig.bodies(number)
                try:
                    push.send(pack(Stamped("rig", number, 0, "rig", scan)), zmq.NOBLOCK)
                    self.n_sent += 1
                except zmq.Again:
                    pass
                number += 1
                clock.sleep_until(begun_ns + round(number * 1e9 / RATE_HZ))

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.slow
def test_a_restarted_decoder_keeps_the_neurons_that_it_had_detected(user: Any) -> None:
    address = f"ipc://{user.folder}/rig"
    config = fed_config(
        user,
        address,
        processes=["recorder", "bridge", "decoder"],
        calcium={
            "detector": "local_correlation",
            "detector_scans": 45,
            "reference_scans": 4,
            "calibration_s": 1.0,
        },
    )
    session = Session(user.folder / "s")
    with user.running("run", config, "--out", "s") as running, Feed(address):
        session.running = running
        before = session.wait_for(Responses, "decoder", more_than=60)
        found = Rois.load(session.folder / "masks.npz")
        kill(user, "rtdecode.pipeline.decoder")
        session.wait_for(Responses, "decoder", more_than=before + 60)
        said = ended(session, "decoder")
    after = Rois.load(session.folder / "masks.npz")
    assert after.hash == found.hash
    told = session.bodies(Fluorescence, "decoder")
    assert {one.rois_hash for one in told} == {found.hash}
    assert session.bodies(Responses, "decoder")[-1].valid.all()
    assert session.codes("decoder") == ["calibrated", "rois_loaded"]
    assert "scans were recorded but not decoded" in said


def test_a_killed_bridge_continues_the_numbers_of_its_scans(user: Any) -> None:
    """The rig goes on meanwhile, so that its own numbers show what was lost."""
    address = f"ipc://{user.folder}/rig"
    config = fed_config(user, address, processes=["recorder", "bridge"])
    session = Session(user.folder / "s")
    with user.running("run", config, "--out", "s") as running, Feed(address):
        session.running = running
        before = session.wait_for(Scan, "bridge", more_than=15)
        kill(user, "acquisition_bridge")
        session.wait_for(Scan, "bridge", more_than=before + 15)
        said = ended(session, "bridge")
    scans = session.bodies(Scan, "bridge")
    assert all(later.number > earlier.number for earlier, later in pairwise(scans))
    assert len({scan.number - scan.rig_number for scan in scans}) == 1
    missing = scans[-1].number - scans[0].number + 1 - len(scans)
    lost = [event for event in session.bodies(Event, "bridge") if event.code == "scans_lost"]
    unsent = read_plain(session.folder / "log.mcap").missing.get("bridge/scan", 0)
    assert sum(event.counts["scans"] for event in lost) == missing - unsent
    (down,) = [e for e in session.bodies(Event, "bridge") if e.code == "bridge_restarted"]
    assert down.counts["seconds"] > 1
    assert len(session.bodies(Start, "bridge")) == 2
    assert "the process failed and was started again" in said
    assert not (session.folder / "bridge.progress").exists()


def test_scans_that_a_killed_bridge_held_for_a_stalled_recorder_are_missing_messages(
    user: Any,
) -> None:
    address = f"ipc://{user.folder}/rig"
    config = fed_config(user, address, processes=["recorder", "bridge"])
    session = Session(user.folder / "s")
    with user.running("run", config, "--out", "s") as running, Feed(address) as feed:
        session.running = running
        before = session.wait_for(Scan, "bridge", more_than=15)
        recorder = process_of(running.pid, "rtdecode.pipeline.recorder")
        recorder.suspend()
        until = feed.n_sent + 150
        while feed.n_sent < until:
            time.sleep(POLL_S)
        kill(user, "acquisition_bridge")
        time.sleep(2.0)
        recorder.resume()
        session.wait_for(Start, "bridge", more_than=1)
        session.wait_for(Scan, "bridge", more_than=before + 60)
        ended(session, "bridge")
    plain = read_plain(session.folder / "log.mcap")
    assert plain.missing.get("bridge/scan", 0) > 0
    numbers = [scan.number for scan in session.bodies(Scan, "bridge")]
    n_sent = max(numbers) - min(numbers) + 1 - plain.lost_scans
    assert n_sent == len(numbers) + plain.missing["bridge/scan"]
    lost = [event for event in session.bodies(Event, "bridge") if event.code == "scans_lost"]
    assert sum(event.counts["scans"] for event in lost) == plain.lost_scans


def test_a_killed_stimulus_continues_with_the_next_clip_and_the_simulated_rig_with_it(
    user: Any,
) -> None:
    clips = {"embedded_clips": 5, "clip_s": 2.0, "seed": 3}
    config = user.config(
        processes=["recorder", "stimulus", "bridge"],
        acquisition={"source": {"kind": "simulated", "neurons": 20}},
        stimulus={"presenter": "headless", **clips},
        decode=None,
    )
    session = Session(user.folder / "s")
    with user.running("run", config, "--out", "s") as running:
        session.running = running
        before = session.wait_for(DisplayedFrame, "stimulus", more_than=20)
        kill(user, "stimulus")
        kill(user, "acquisition_bridge")
        scans = len(session.bodies(Scan, "bridge"))
        session.wait_for(DisplayedFrame, "stimulus", more_than=before + 80)
        session.wait_for(Scan, "bridge", more_than=scans + 15)
        ended(session, "bridge", "stimulus")
    shown = session.bodies(DisplayedFrame, "stimulus")
    first = next(n for n, (a, b) in enumerate(pairwise(shown)) if b.index != a.index + 1) + 1
    order = [
        frame.clip
        for frame in islice(
            movie_frames(StimulusConfig(**clips), frame_rate_hz=FRAME_RATE_HZ), 0, 180, 60
        )
    ]
    assert [shown[0].clip, shown[first].clip, shown[first].index] == [order[0], order[1], 0]
    assert shown[first + 60].clip == order[2]
    grid = FrameGrid(FRAME_RATE_HZ)
    frames = np.array([grid.frame_at(one.t_flip_ns) for one in shown])
    assert (np.diff(frames) > 0).all()
    numbers = [scan.number for scan in session.bodies(Scan, "bridge")]
    unsent = read_plain(session.folder / "log.mcap").missing.get("bridge/scan", 0)
    assert sorted(set(numbers)) == numbers
    assert numbers[-1] + 1 == len(numbers) + unsent
    assert session.codes("stimulus") == ["stimulus_restarted"]
    assert "bridge_restarted" in session.codes("bridge")


OFTEN = """
from rtdecode.control.policy import Request


class Often:
    def __init__(self, setting):
        self._clips, self._n = setting.clips, 0

    def decide(self, observation):
        if observation.body is not None or not observation.armed:
            return []
        self._n += 1
        later_ns = observation.t_ns + 4_000_000_000
        return [
            Request.show_clip(self._clips[self._n % 2]),
            Request.show_clip(self._clips[0], t_due_ns=later_ns),
        ]
"""
"""A policy with two commands every 0.1 s, of which one is meant for a flip 4 s later."""


@pytest.mark.slow
def test_commands_have_one_result_each_where_stimulus_and_controller_are_killed(user: Any) -> None:
    (user.folder / "often.py").write_text(OFTEN)
    policy = {"file": str(user.folder / "often.py"), "class": "Often"}
    config = user.config(
        processes=["recorder", "stimulus", "controller"],
        stimulus={"presenter": "headless", "embedded_clips": 2, "clip_s": 1.0},
        control={"policy": policy, "arm": "at_start", "max_actions_per_s": 100.0},
        decode=None,
    )
    session = Session(user.folder / "s")
    with user.running("run", config, "--out", "s") as running:
        session.running = running
        n = session.wait_for(Acknowledgement, "stimulus", more_than=15)
        kill(user, "stimulus")
        session.wait_for(Acknowledgement, "stimulus", more_than=n + 30)
        kill(user, "rtdecode.pipeline.controller")
        restarted = len(session.bodies(Start, "controller"))
        session.wait_for(Start, "controller", more_than=restarted)
        n = len(session.bodies(DisplayedFrame, "stimulus"))
        session.wait_for(DisplayedFrame, "stimulus", more_than=n + 30)
        ended(session, "controller", "stimulus")
    results = session.bodies(Acknowledgement, "stimulus")
    numbers = [one.number for one in results]
    assert len(set(numbers)) == len(numbers)
    sent = {one.number for one in session.bodies(Action, "controller") if one.outcome == "sent"}
    missing = read_plain(session.folder / "log.mcap").missing
    assert len(sent - set(numbers)) <= missing.get("stimulus/acknowledgement", 0)
    assert len(set(numbers) - sent) <= missing.get("controller/action", 0)
    flips = {one.t_flip_ns for one in session.bodies(DisplayedFrame, "stimulus")}
    shown = [one for one in results if one.result in {"applied", "late"}]
    assert len({one.t_flip_ns for one in shown} - flips) <= missing.get(
        "stimulus/displayed_frame", 0
    )
    # how many waited at the kill depends on the moment
    assert any(one.result == "withdrawn" for one in results)
