"""`rtdecode bench wire`: latency of a message between two processes, by size and transport.

The transports are a Unix socket, TCP, and TCP with a key (CURVE) at an address that other computers
can reach. They take turns scan by scan, so that each has the same load of the machine.

`python -m rtdecode.bench.wire FOLDER SIDE COUNT NAME=ENDPOINT ...` is the sender, which
`benchmark_wire` starts; both processes read the same CLOCK_MONOTONIC.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.runtime.keys import network_keys
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config.network import NetworkConfig, is_near
from rtdecode.schema.messages import End, Health, Scan, Stamped, Start

_RATE_HZ = 30.0
_NS_PER_S = 1e9
_ANNOUNCED = 200
"""Messages before the first scan, 2 s, in which a connection with a key is made."""
_LONGEST_S = 120
_US = 1e3
_HOST = "bench"


@dataclass(frozen=True, slots=True)
class HopLatency:
    """One-way latency of a square uint16 scan."""

    transport: str
    side_px: int
    kilobytes: float
    p50_ms: float
    p99_ms: float
    messages: int
    lost: int
    pack_us: float
    unpack_us: float


def benchmark_wire(
    *, sides_px: Sequence[int] = (64, 256, 512, 1024), count: int = 300
) -> list[dict[str, Any]]:
    """One row for each transport and size: p50 and p99 in ms, lost messages, codec times in us.

    There are no rows with a key on a computer without a network.
    """
    return [asdict(row) for side_px in sides_px for row in _measured(side_px, count)]


def _measured(side_px: int, count: int) -> list[HopLatency]:
    with tempfile.TemporaryDirectory(prefix="rtd-") as name:
        folder = Path(name)
        hops = _hops(folder)
        argv = [sys.executable, "-m", "rtdecode.bench.wire", name, str(side_px), str(count)]
        argv += [f"{transport}={endpoint}" for transport, endpoint in hops.items()]
        with subprocess.Popen(argv) as sender, _messaging(folder, hops) as wire:  # noqa: S603 - ours
            inlet = Subscriber(
                wire,
                clock=HostClock(),
                endpoints=hops.values(),
                kinds=[Scan],
                queue=count + 10,
            )
            latencies_ns = _latencies_ns(inlet, hops)
            sender.wait(_LONGEST_S)
    pack_us, unpack_us = _codec_us(side_px)
    return [
        HopLatency(
            transport=transport,
            side_px=side_px,
            kilobytes=side_px * side_px * 2 / 1000,
            p50_ms=float(np.percentile(found, 50)) / 1e6,
            p99_ms=float(np.percentile(found, 99)) / 1e6,
            messages=len(found),
            lost=count - len(found),
            pack_us=pack_us,
            unpack_us=unpack_us,
        )
        for transport, found in latencies_ns.items()
    ]


def _hops(folder: Path) -> dict[str, str]:
    """Endpoint of each transport."""
    near = {"ipc": f"ipc://{folder}/hop", "tcp": f"tcp://127.0.0.1:{_free_port('127.0.0.1')}"}
    if not (address := _own_address()):
        return near
    KeyFolder(folder / "keys").new(_HOST)
    return near | {"tcp with key": f"tcp://{address}:{_free_port(address)}"}


def _messaging(folder: Path, hops: Mapping[str, str]) -> Messaging:
    """Sockets with the key in `folder`, where one of the `hops` needs it."""
    far = next((endpoint for endpoint in hops.values() if not is_near(endpoint)), "")
    address = far.removeprefix("tcp://").rpartition(":")[0]
    hosts = {_HOST: {"address": address}} if far else {}
    network = {"hosts": hosts, "keys": folder / "keys", "bridge": far}
    return Messaging(network_keys(NetworkConfig.model_validate(network)))


def _latencies_ns(inlet: Subscriber, sources: Mapping[str, str]) -> dict[str, list[int]]:
    """Latencies by transport, until each has sent END."""
    clock, open_sources = HostClock(), set(sources)
    latencies: dict[str, list[int]] = {source: [] for source in sources}
    until_ns = clock.now_ns() + _LONGEST_S * 1_000_000_000
    while open_sources and clock.now_ns() < until_ns:
        for got in inlet.take(0.1):
            if isinstance(got.message.body, End):
                open_sources.discard(got.message.source)
            if isinstance(got.message.body, Scan):
                latencies[got.message.source].append(got.t_received_ns - got.message.t_ns)
    return latencies


def _codec_us(side_px: int, repeats: int = 50) -> tuple[float, float]:
    message = Stamped("bench", 0, 0, "host", _scan(side_px))
    clock, data = HostClock(), pack(message)
    begun_ns = clock.now_ns()
    for _ in range(repeats):
        pack(message)
    packed_ns = clock.now_ns()
    for _ in range(repeats):
        unpack(data)
    return (
        (packed_ns - begun_ns) / repeats / _US,
        (clock.now_ns() - packed_ns) / repeats / _US,
    )


def _scan(side_px: int) -> Scan:
    return Scan(np.zeros((side_px, side_px), np.uint16), 0, 0, 0, 0)


def _own_address() -> str:
    """The address of this computer in its network; empty where it has none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            # nothing is sent: the system is asked for the route to an address of documentation
            probe.connect(("203.0.113.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            return ""
    return "" if is_near(f"tcp://{address}:1") else address


def _free_port(address: str) -> int:
    with closing(socket.socket()) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def send(folder: Path, side_px: int, count: int, hops: Mapping[str, str]) -> None:
    """Send `count` scans over each of `hops` at 30 Hz, after the subscriber could connect."""
    clock, period_ns = HostClock(), round(_NS_PER_S / _RATE_HZ / len(hops))
    with _messaging(folder, hops) as wire:
        outlets = [
            Publisher(wire, source, clock=clock, publish=endpoint, record="", queue=count + 10)
            for source, endpoint in hops.items()
        ]
        for _ in range(_ANNOUNCED):
            for outlet in outlets:
                outlet.announce(Health("starting", ""))
            clock.sleep_until(clock.now_ns() + period_ns)
        for outlet in outlets:
            outlet.start(Start(_HOST, config_yaml="", git_revision="", twin_hash=""))
        scan = _scan(side_px)
        for _ in range(count):
            for outlet in outlets:
                clock.sleep_until(clock.now_ns() + period_ns)
                outlet.push(scan)
        for outlet in outlets:
            outlet.end(session=_HOST, reason="done")


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[4:])
    send(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), given)
