"""Our own messages from a rig: host times stay, foreign clocks are mapped, others are ignored."""

import shutil
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from free_ports import free_port
from lab_keys import introduced, own_address

from acquisition_bridge.sources.zmq_native import NativeMessages, ZmqNativeSource
from rtdecode.runtime.codec import WIRE_VERSION, pack, unpack
from rtdecode.runtime.keys import RigKeys
from rtdecode.schema.config.acquisition import ZmqNativeSource as ZmqNativeConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.messages import Behaviour, Body, Command, Fluorescence, Received, Scan, Stamped

PIXELS = np.zeros((3, 4), np.uint16)
CLIENTS = Path(__file__).resolve().parents[3] / "docs" / "clients"
PAIR = np.zeros(2, np.float32)


def received(body: Body, *, clock: str = "host", arrived_ns: int = 10**10) -> Received:
    return Received(Stamped("rig", 0, 0, clock, body), arrived_ns)


def test_host_times_are_believed() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    [scan] = messages.measured(received(Scan(PIXELS, 17, 2, 500, 900)))
    assert isinstance(scan, Scan)
    assert (scan.number, scan.plane, scan.t_start_ns, scan.t_end_ns) == (0, 2, 500, 900)


def test_on_another_host_times_of_its_clock_are_mapped() -> None:
    """Its clock is 3 s behind, which no other rule could tell from a delay of 3 s."""
    messages = NativeMessages(scan_rate_hz=30.0, to_host_ns=lambda t_ns: t_ns + 3 * 10**9)
    [scan] = messages.measured(received(Scan(PIXELS, 0, 0, 500, 900)))
    [behaviour] = messages.measured(received(Behaviour(700, 3.0, 30.0, PAIR)))
    [rois] = messages.measured(received(Fluorescence(PAIR, PAIR, 0, 800, PAIR)))
    assert isinstance(scan, Scan)
    assert (scan.t_start_ns, scan.t_end_ns) == (3 * 10**9 + 500, 3 * 10**9 + 900)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.t_sample_ns == 3 * 10**9 + 700
    assert isinstance(rois, Fluorescence)
    assert rois.t_scan_ns == 3 * 10**9 + 800
    foreign = messages.measured(received(Behaviour(700, 3.0, 30.0, PAIR), clock="rig"))
    assert isinstance(foreign[0], Behaviour)
    assert foreign[0].t_sample_ns == 10**10


def test_a_foreign_clock_is_mapped_to_the_arrival() -> None:
    messages = NativeMessages(scan_rate_hz=10.0)
    bodies: list[Body] = [
        Scan(PIXELS, 0, 0, 400, 500),
        Behaviour(700, 3.0, 30.0, PAIR),
        Fluorescence(PAIR, PAIR, 0, 900, PAIR),
    ]
    scan, behaviour, rois = (
        measured
        for body in bodies
        for measured in messages.measured(received(body, clock="rig", arrived_ns=10**10))
    )
    assert isinstance(scan, Scan)
    assert (scan.t_start_ns, scan.t_end_ns) == (10**10 - 100_000_000, 10**10)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.t_sample_ns == 10**10
    assert isinstance(rois, Fluorescence)
    assert rois.t_scan_ns == 10**10


def test_one_restart_of_the_clock_is_counted_once_for_scans_and_behaviour() -> None:
    messages, tick_ns = NativeMessages(scan_rate_hz=10.0), 10**8
    for k in range(60):
        # the clock begins anew at 0 with the scan number 30
        stamp_ns = tick_ns * (k % 30) + (10**12 if k < 30 else 0)
        arrived_ns = 10**10 + k * tick_ns
        for body in (
            Scan(PIXELS, k, 0, stamp_ns, stamp_ns + tick_ns),
            Behaviour(stamp_ns + tick_ns, 3.0, 30.0, PAIR),
        ):
            messages.measured(received(body, clock="rig", arrived_ns=arrived_ns))
    assert messages.health()["clock_restarts"] == 1


def test_behaviour_and_roi_values_of_this_host_go_on_as_they_are() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    for body in (Behaviour(700, 3.0, 30.0, PAIR), Fluorescence(PAIR, PAIR, 0, 900, PAIR)):
        [measured] = messages.measured(received(body))
        assert measured is body


def test_old_scans_and_other_messages_do_not_go_on() -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    messages.measured(received(Scan(PIXELS, 5, 0, 1, 2)))
    assert messages.measured(received(Scan(PIXELS, 5, 0, 1, 2))) == []
    assert messages.measured(received(Command("x", "stop", ""))) == []
    assert (messages.intake.health()["repeated"], messages.ignored) == (1, 1)


def test_an_address_in_use_is_named(tmp_path: Path, clock: Any) -> None:
    config = ZmqNativeConfig(address=f"ipc://{tmp_path}/nowhere/deeper/x")
    with pytest.raises(AddressInUseError, match="deeper"):
        ZmqNativeSource(config, clock=clock)


MAIN = """
#include <stdio.h>
#include "scan_message.h"
int main(void) {
    uint16_t pixels[6] = {1, 2, 3, 4, 500, 65535};
    uint8_t message[600];
    size_t size = scan_message(message, pixels, 2, 3, 70000, 5000000000, 5033000000);
    return fwrite(message, 1, size, stdout) != size;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_the_c_example_in_the_docs_makes_one_of_our_messages(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(MAIN)
    build = ["cc", "-std=c99", "-Wall", "-Werror", "-I", str(CLIENTS), "-o", str(tmp_path / "a")]
    subprocess.run([*build, str(tmp_path / "main.c")], check=True)
    message = unpack(subprocess.run([str(tmp_path / "a")], check=True, capture_output=True).stdout)
    assert (message.stream, message.seq, message.clock) == ("rig/scan", 70000, "rig")
    scan = message.body
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.pixels_counts, [[1, 2, 3], [4, 500, 65535]])
    assert (scan.number, scan.t_start_ns, scan.t_end_ns) == (70000, 5_000_000_000, 5_033_000_000)


def test_the_c_and_matlab_examples_state_the_wire_version_of_today() -> None:
    header = (CLIENTS / "scan_message.h").read_text()
    script = (CLIENTS / "send_scans.m").read_text()
    assert f'number(at, "v", {WIRE_VERSION})' in header
    assert f"int('v', {WIRE_VERSION})" in script


@pytest.mark.parametrize("version", [1, 2])
def test_scans_of_both_wire_versions_are_accepted_from_a_rig(
    tmp_path: Path, clock: Any, version: int
) -> None:
    address = f"ipc://{tmp_path}/rig"
    source = ZmqNativeSource(ZmqNativeConfig(address=address), clock=clock)
    wire = msgpack.unpackb(pack(Stamped("rig", 0, 0, "host", Scan(PIXELS, 7, 0, 500, 900))))
    with closing(source), zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.connect(address)
        push.send(msgpack.packb(wire | {"v": version}))
        taken: list[Any] = []
        while not taken:
            taken.extend(source.measured_until(clock.now_ns() + 10_000_000))
    [scan] = taken
    assert (scan.t_start_ns, scan.t_end_ns) == (500, 900)


@pytest.mark.parametrize("version", [1, 2])
def test_roi_values_of_both_wire_versions_are_accepted(version: int) -> None:
    wire = msgpack.unpackb(pack(Stamped("rig", 0, 0, "host", Fluorescence(PAIR, PAIR, 0, 9, PAIR))))
    if version == 1:
        wire["f_counts"], wire["neuropil_counts"] = wire.pop("f_raw"), wire.pop("f_neuropil")
    message = unpack(msgpack.packb(wire | {"v": version}))
    [body] = NativeMessages(scan_rate_hz=30.0).measured(Received(message, 10**10))
    assert isinstance(body, Fluorescence)
    assert len(body.f_raw) == len(PAIR)


def test_roi_values_are_numbered_on_after_a_restart_of_the_rigs_program() -> None:
    messages, found = NativeMessages(scan_rate_hz=10.0), list[Any]()
    for n, number in enumerate([*range(5, 40), *range(20)]):
        values = Fluorescence(PAIR, PAIR, number, n * 10**8, PAIR)
        found += messages.measured(received(values, arrived_ns=n * 10**8))
    assert [values.number for values in found] == list(range(5, 60))
    assert [values.rig_number for values in found[35:]] == list(range(20))
    assert messages.health()["restarts"] == 1


@pytest.mark.parametrize("clock", ["host", "rig"])
def test_samples_with_an_implausible_stamp_are_left_out_and_counted(clock: str) -> None:
    messages, found = NativeMessages(scan_rate_hz=10.0), list[Any]()
    for n in range(60):
        t_ns = n * 10**8 + (10**15 if n == 30 else 0)
        for body in (
            Behaviour(t_ns, float(n), 30.0, PAIR),
            Fluorescence(PAIR, PAIR, n, t_ns, PAIR),
        ):
            found += messages.measured(received(body, clock=clock, arrived_ns=n * 10**8 + 10**6))
    assert [one.running_cm_s for one in found if isinstance(one, Behaviour)] == [
        n for n in range(60) if n != 30
    ]
    assert [one.number for one in found if isinstance(one, Fluorescence)] == [
        n for n in range(60) if n != 30
    ]
    assert messages.health()["stamps_rejected"] == 2


@pytest.mark.parametrize(("running", "pupil"), [(float("nan"), 30.0), (1.0, float("inf"))])
def test_behaviour_without_a_finite_value_is_left_out_and_counted(
    running: float, pupil: float
) -> None:
    messages = NativeMessages(scan_rate_hz=30.0)
    assert messages.measured(received(Behaviour(700, running, pupil, PAIR))) == []
    assert messages.health()["behaviour_unusable"] == 1


def test_a_rig_program_on_another_computer_sends_with_its_key_and_other_hosts_do_not(
    tmp_path: Path, clock: Any
) -> None:
    folders = introduced(tmp_path, ["microscope", "matlab", "screen"])
    address, here = own_address(), folders["microscope"]
    # of the key `screen` the config says that it is another host of the run
    screen = {"address": "10.0.0.4", "processes": ["stimulus"]}
    hosts = {"microscope": {"address": address}, "screen": screen}
    own = [folder.own() for folder in folders.values()]
    keys = RigKeys(own[0], here, NetworkConfig.model_validate({"hosts": hosts}))
    endpoint = f"tcp://{address}:{free_port(address)}"
    source = ZmqNativeSource(ZmqNativeConfig(address=endpoint), clock=clock, keys=keys)
    with closing(source), zmq.Context() as context:
        for key, is_taken in ((own[2], False), (own[1], True)):
            with context.socket(zmq.PUSH) as rig:
                rig.set(zmq.LINGER, 0)
                rig.curve_serverkey, rig.curve_publickey = own[0].public, key.public
                rig.curve_secretkey = key.secret
                rig.connect(endpoint)
                rig.send(pack(Stamped("rig", 0, 0, "rig", Scan(np.ones((2, 2), "u2"), 0, 0, 0, 1))))
                got, refused = [], source.health()["messages_refused"]
                until_s = time.monotonic() + 60
                while not got and source.health()["messages_refused"] == refused:
                    got = list(source.measured_until(clock.now_ns() + 10_000_000))
                    assert time.monotonic() < until_s
            assert bool(got) is is_taken
