"""A photodiode outside stimulus and log sees each frame of the log, at its time, with its patch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from virtual_photodiode import (
    Comparison,
    VirtualPhotodiode,
    cell_probes,
    coded_white,
    compared,
    virtual_photodiode,
)

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.sockets import Messaging, Subscriber
from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.messages import Command, DisplayedFrame, End
from rtdecode.schema.patch_code import is_white

GEOMETRY = {"distance_cm": 15.0, "width_cm": 50.0}
COMMANDS = {60: "pause", 90: "show", 130: "pause", 133: "show"}
"""Sent after so many displayed frames."""


def config_file(folder: Path, *, warp: str, frames: int) -> Path:
    network = {name: f"ipc://{folder}/{name}" for name in ("control", "stimulus")}
    stimulus = {"embedded_clips": 2, "clip_s": 2.0, "monitor": GEOMETRY | {"warp": warp}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"network": network, "stimulus": stimulus}))
    return path


def displayed_frames(
    config: Path, photodiode: VirtualPhotodiode, *, frames: int
) -> list[DisplayedFrame]:
    """The log of a stimulus that gets COMMANDS, and is stopped after `frames` frames."""
    folder, clock, displayed = config.parent, HostClock(), list[DisplayedFrame]()
    commands = COMMANDS | {frames: "stop"}
    with Messaging() as messaging:
        server = ControlServer(messaging, clock=clock, endpoint=f"ipc://{folder}/control")
        inlet = Subscriber(
            messaging,
            clock=clock,
            endpoints=[f"ipc://{folder}/stimulus"],
            kinds=[DisplayedFrame],
            queue=1000,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "stimulus", str(config)],
            env=os.environ | {"DISPLAY": photodiode.display},
        )
        try:
            while not any(message.body.state == "ready" for _, message in server.receive(0.1)):
                pass
            server.send("stimulus", Command("stimulus", "start", ""))
            while True:
                for received in inlet.take(0.05):
                    body = received.message.body
                    if isinstance(body, End):
                        assert process.wait(20) == 0
                        return displayed
                    if isinstance(body, DisplayedFrame):
                        displayed.append(body)
                        if name := commands.get(len(displayed)):
                            server.send("stimulus", Command("stimulus", name, ""))
                server.receive(0.0)
        finally:
            process.kill()
            process.wait()


def run(folder: Path, *, warp: str, frames: int) -> Comparison:
    probes, cells = cell_probes(warp, **GEOMETRY)
    assert cells.size > 36 * 64 * (0.97 if warp == "none" else 0.4)
    with virtual_photodiode(folder, probes) as photodiode:
        displayed = displayed_frames(
            config_file(folder, warp=warp, frames=frames), photodiode, frames=frames
        )
        return compared(photodiode.seen(), displayed, cells)


@pytest.mark.system
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_each_picture_on_the_screen_is_the_frame_that_the_log_has_at_its_time(
    tmp_path: Path, warp: str
) -> None:
    comparison = run(tmp_path, warp=warp, frames=150)
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    # a reader on a busy machine may miss some
    assert comparison.seen > comparison.frames / 2


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_over_a_minute_each_frame_of_the_log_is_seen_at_its_time(tmp_path: Path, warp: str) -> None:
    comparison = run(tmp_path, warp=warp, frames=1800)
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    assert comparison.seen > 0.99 * comparison.frames


def test_the_sequence_of_the_patch_is_that_of_its_shift_register() -> None:
    stated = [is_white(number, PatchCode.CODED) for number in range(5000)]
    np.testing.assert_array_equal(coded_white(5000), stated)
