"""Our own messages from a rig: host times stay, foreign clocks are mapped, others are ignored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition_bridge.sources.zmq_native import NativeMessages, ZmqNativeSource
from rtdecode.schema.config.acquisition import ZmqNativeSource as ZmqNativeConfig
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Command,
    Fluorescence,
    Received,
    Scan,
    Stamped,
)

PIXELS = np.zeros((3, 4), np.uint16)
PAIR = np.zeros(2, np.float32)


def received(body: Body, *, clock: str = "host", arrived_ns: int = 10**10) -> Received:
    return Received(Stamped("rig", 0, 0, clock, body), arrived_ns)


def test_host_times_are_believed() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    scan = messages.measured(received(Scan(PIXELS, 17, 2, 500, 900)))
    assert isinstance(scan, Scan)
    assert (scan.number, scan.plane, scan.t_start_ns, scan.t_end_ns) == (0, 2, 500, 900)


def test_a_foreign_clock_is_mapped_to_the_arrival() -> None:
    messages = NativeMessages(scan_rate_hz=10.0)
    bodies: list[Body] = [
        Scan(PIXELS, 0, 0, 400, 500),
        Behaviour(700, 3.0, 30.0, PAIR),
        Fluorescence(PAIR, PAIR, 0, 900, PAIR),
    ]
    scan, behaviour, rois = (
        messages.measured(received(body, clock="rig", arrived_ns=10**10)) for body in bodies
    )
    assert isinstance(scan, Scan)
    assert (scan.t_start_ns, scan.t_end_ns) == (10**10 - 100_000_000, 10**10)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.t_sample_ns == 10**10
    assert isinstance(rois, Fluorescence)
    assert rois.t_scan_ns == 10**10


def test_behaviour_and_roi_values_of_this_host_go_on_as_they_are() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    for body in (Behaviour(700, 3.0, 30.0, PAIR), Fluorescence(PAIR, PAIR, 0, 900, PAIR)):
        assert messages.measured(received(body)) is body


def test_old_scans_and_other_messages_do_not_go_on() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    messages.measured(received(Scan(PIXELS, 5, 0, 1, 2)))
    assert messages.measured(received(Scan(PIXELS, 5, 0, 1, 2))) is None
    assert messages.measured(received(Command("x", "stop", ""))) is None
    assert (messages.intake.health()["repeated"], messages.ignored) == (1, 1)


def test_an_address_that_is_taken_is_named(tmp_path: Path, clock: Any) -> None:
    config = ZmqNativeConfig(address=f"ipc://{tmp_path}/nowhere/deeper/x")
    with pytest.raises(AddressInUseError, match="deeper"):
        ZmqNativeSource(config, clock=clock)
