"""A real run at an address that other computers reach: strangers at each of its ports.

Each stranger is refused before its first message, the run goes on without loss, and its log states
what was refused.
"""

import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
from free_ports import free_port
from lab_keys import own_address
from live_run import received_so_far
from zmq.utils.monitor import recv_monitor_message

from rtdecode.runtime.key_folder import KeyFolder, OwnKey
from rtdecode.schema.config.network import ENDPOINTS
from rtdecode.schema.messages import Event

pytestmark = pytest.mark.system

POLICY = """
class Never:
    def __init__(self, setting):
        pass

    def decide(self, observation):
        return []
"""
BOUND = (
    "control",
    "recorder",
    "supervisor",
    "events",
    "bridge",
    "stimulus",
    "commands",
    "controller",
)
WAIT_S = 60.0
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
PARTNERS = {"control": zmq.DEALER, "commands": zmq.DEALER, "recorder": zmq.PUSH}
"""Kind of the socket that is connected to an endpoint; SUB for the others."""
_NAMES = {zmq.DEALER: b"DEALER", zmq.PUSH: b"PUSH", zmq.SUB: b"SUB"}


@pytest.fixture
def lab(user: Any) -> "OpenRun":
    return OpenRun(user, own_address())


class OpenRun:
    """A run on this machine whose endpoints are all at its address in the network."""

    def __init__(self, user: Any, address: str) -> None:
        self.user, self.address = user, address
        folder = Path(user.folder) / "keys"
        self.key = KeyFolder(folder).new("decoder")
        (Path(user.folder) / "never.py").write_text(POLICY)
        ports = {free_port(address) for _ in range(3 * len(ENDPOINTS))}
        addresses = [f"tcp://{address}:{port}" for port in ports]
        self.endpoints = dict(zip((*BOUND, "laser"), addresses, strict=False))
        self.config = {
            "seconds": 3600.0,
            "processes": ["recorder", "stimulus", "bridge", "controller"],
            "decode": None,
            "stimulus": {"presenter": "headless", "embedded_clips": 2, "clip_s": 1.0},
            "acquisition": {"source": {"kind": "simulated", "neurons": 20}},
            "control": {
                "policy": {"file": "never.py", "class": "Never"},
                "outputs": [{"kind": "zmq", "name": "laser", "endpoint": self.endpoints["laser"]}],
            },
            "network": {
                "hosts": {"decoder": {"address": address}},
                "keys": str(folder),
                **{name: self.endpoints[name] for name in BOUND},
            },
        }

    def wait_until_recording(self, process: Any) -> None:
        """Wait until scans are in the log."""
        log = Path(self.user.folder) / "s" / "log.mcap"
        while not log.is_file() or log.stat().st_size < 200_000:
            if process.poll() is not None:
                pytest.fail(str(process.communicate()[0]))
            time.sleep(0.1)

    def strangers(self) -> list[Event]:
        """The events in the log, of a run that may go on, that count strangers."""
        log = Path(self.user.folder) / "s" / "log.mcap"
        found = received_so_far(log, lambda stream: stream.endswith("/event"))
        bodies = [one.message.body for one in found]
        events = [body for body in bodies if isinstance(body, Event)]
        return [event for event in events if event.code == "stranger_refused"]


def connections(
    endpoint: str, kind: int, count: int, *, server: bytes, own: OwnKey
) -> tuple[int, int]:
    """(made, admitted) of `count` connections with a pinned server key and an own key."""
    made = admitted = 0
    with zmq.Context() as context, context.socket(kind) as stranger:
        stranger.set(zmq.LINGER, 0)
        stranger.set(zmq.RECONNECT_IVL, 1)
        stranger.set(zmq.CURVE_SERVERKEY, server)
        stranger.set(zmq.CURVE_PUBLICKEY, own.public)
        stranger.set(zmq.CURVE_SECRETKEY, own.secret)
        with stranger.get_monitor_socket(
            zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
        ) as monitor:
            stranger.connect(endpoint)
            while made < count and monitor.poll(WAIT_S * 1000):
                event = recv_monitor_message(monitor)["event"]
                made += 1
                admitted += event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            stranger.disable_monitor()
    return made, admitted


def plain_connections(endpoint: str, kind: int, count: int) -> tuple[int, int]:
    """(made, admitted) of `count` connections without encryption; READY would admit one."""
    name = _NAMES[kind]
    ready = b"\x05READY\x0bSocket-Type" + len(name).to_bytes(4, "big") + name
    ready = b"\x04" + bytes([len(ready)]) + ready
    address, port = endpoint.removeprefix("tcp://").split(":")
    made = admitted = 0
    for _ in range(count):
        with closing(socket.create_connection((address, int(port)), timeout=WAIT_S)) as stranger:
            answer = b""
            # the other side may have closed the connection already
            with suppress(ConnectionError):
                stranger.sendall(_GREETING + ready)
                while part := stranger.recv(4096):
                    answer += part
            made += 1
            admitted += b"READY" in answer
    return made, admitted


def test_nobody_without_an_allowed_key_gets_in_at_any_port(lab: OpenRun) -> None:
    _refused_at_each_port(lab, 10)


@pytest.mark.long
def test_of_a_thousand_strangers_at_each_port_none_gets_in(lab: OpenRun) -> None:
    _refused_at_each_port(lab, 334)


def _refused_at_each_port(lab: OpenRun, of_each: int) -> None:
    unknown = OwnKey("unknown", *zmq.curve_keypair())
    other_server, _ = zmq.curve_keypair()
    lab.user.config(**lab.config)
    servers, counted = {"unknown key": lab.key.public, "other server": other_server}, {}
    with lab.user.running("run", "run.yaml", "--out", "s") as process:
        lab.wait_until_recording(process)
        for name, endpoint in lab.endpoints.items():
            kind = PARTNERS.get(name, zmq.SUB)
            counted[name, "plain"] = plain_connections(endpoint, kind, of_each)
            for what, server in servers.items():
                made = connections(endpoint, kind, of_each, server=server, own=unknown)
                counted[name, what] = made
            # the key of this host is admitted at the same port
            right = connections(endpoint, kind, 1, server=lab.key.public, own=lab.key)
            assert right == (1, 1), name
        expected = {*lab.config["processes"], "supervisor"}
        while {event.process for event in lab.strangers()} != expected:
            assert process.poll() is None
            time.sleep(0.2)
        process.terminate()
        said = process.communicate()[0]
    assert counted == dict.fromkeys(counted, (of_each, 0))
    assert process.returncode == 0, said
    assert "no message was lost" in said
    assert all(event.counts["connections"] > 0 for event in lab.strangers())


def test_without_keys_a_run_is_refused_with_the_command_to_type(lab: OpenRun) -> None:
    network = {**lab.config["network"], "keys": str(lab.user.folder / "none")}
    config = lab.user.config(**lab.config | {"network": network})
    refused = lab.user.told("run", config)
    assert refused.returncode == 2
    assert "rtdecode keys new NAME --folder" in refused.stderr
    assert not [*Path(lab.user.folder).glob("sessions/*")]
