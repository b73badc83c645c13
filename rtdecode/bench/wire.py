"""`rtdecode bench wire`: latency of a message between two processes, by size and transport.

`python -m rtdecode.bench.wire ADDRESS SIDE COUNT` is the sender, which `benchmark_wire` starts;
both processes read the same CLOCK_MONOTONIC.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.messages import End, Health, Scan, Stamped, Start

_PERIOD_NS = 10_000_000
_LONGEST_S = 60
_US = 1e3


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
    """One row for each transport and size: p50 and p99 in ms, lost messages, codec times in us."""
    rows = []
    for side_px in sides_px:
        for transport in ("ipc", "tcp"):
            with tempfile.TemporaryDirectory(prefix="rtd-") as folder:
                rows.append(asdict(_measured(transport, Path(folder), side_px, count)))
    return rows


def _measured(transport: str, folder: Path, side_px: int, count: int) -> HopLatency:
    address = f"ipc://{folder}/hop" if transport == "ipc" else f"tcp://127.0.0.1:{_free_port()}"
    argv = [sys.executable, "-m", "rtdecode.bench.wire", address, str(side_px), str(count)]
    with subprocess.Popen(argv) as sender, Messaging() as wire:  # noqa: S603 - our own module
        inlet = Subscriber(
            wire, clock=HostClock(), endpoints=[address], kinds=[Scan], queue=count + 10
        )
        latencies_ns = _latencies_ns(inlet, count)
        sender.wait(_LONGEST_S)
    pack_us, unpack_us = _codec_us(side_px)
    return HopLatency(
        transport=transport,
        side_px=side_px,
        kilobytes=side_px * side_px * 2 / 1000,
        p50_ms=float(np.percentile(latencies_ns, 50)) / 1e6,
        p99_ms=float(np.percentile(latencies_ns, 99)) / 1e6,
        messages=len(latencies_ns),
        lost=count - len(latencies_ns),
        pack_us=pack_us,
        unpack_us=unpack_us,
    )


def _latencies_ns(inlet: Subscriber, count: int) -> list[int]:
    clock, latencies = HostClock(), list[int]()
    until_ns = clock.now_ns() + _LONGEST_S * 1_000_000_000
    while clock.now_ns() < until_ns:
        for got in inlet.take(0.1):
            if isinstance(got.message.body, End):
                return latencies
            if isinstance(got.message.body, Scan):
                latencies.append(got.t_received_ns - got.message.t_ns)
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


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def send(address: str, side_px: int, count: int) -> None:
    """Send `count` scans, 10 ms apart, after the subscriber has had time to connect."""
    clock = HostClock()
    with Messaging() as wire:
        outlet = Publisher(wire, "bench", clock=clock, publish=address, record="", queue=count + 10)
        for _ in range(50):
            outlet.announce(Health("starting", ""))
            clock.sleep_until(clock.now_ns() + _PERIOD_NS)
        outlet.start(Start("bench", config_yaml="", git_revision="", twin_hash=""))
        scan = _scan(side_px)
        for _ in range(count):
            clock.sleep_until(clock.now_ns() + _PERIOD_NS)
            outlet.push(scan)
        outlet.end(session="bench", reason="done")


if __name__ == "__main__":
    send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
