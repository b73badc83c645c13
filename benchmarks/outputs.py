"""Delay of the outputs of the closed loop, from the decision to the other end of the output.

    .venv/bin/python benchmarks/outputs.py [--triggers 1000]

Fires each kind of output 20 times a second. The other end is another process: a ZeroMQ subscriber,
an LSL inlet, and the master of a pseudo-terminal pair in place of a serial device (a real UART adds
the time of a byte, 87 us at 115,200 baud, and that of its USB adapter). Prints and writes to
`benchmarks/results/outputs.json` the delay to the end of the hand-over (`Delivery.delay_ms`) and
that to the receipt.
"""

import argparse
import multiprocessing
import os
import select
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.outputs import Outputs
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config.outputs import LslOutput, Output, SerialOutput, ZmqOutput
from rtdecode.schema.control import Action

RESULTS = Path(__file__).parent / "results" / "outputs.json"
PERIOD_NS = 50_000_000
WARM_UP = 20
"""First triggers of each output, which are not counted: an inlet connects with the first one."""
CLOCK = HostClock()
Receiver = Callable[[str], Iterator[int]]


def zmq_numbers(endpoint: str) -> Iterator[int]:
    """Number of each action that a subscriber receives."""
    with Messaging() as messaging:
        subscriber = Subscriber(
            messaging, clock=CLOCK, endpoints=[endpoint], kinds=[Action], queue=100
        )
        while True:
            for item in subscriber.take(1.0):
                body = item.message.body
                yield body.number if isinstance(body, Action) else -1


def lsl_numbers(stream: str) -> Iterator[int]:
    """Number of each action whose marker an inlet receives."""
    from mne_lsl import lsl

    inlet = lsl.StreamInlet(lsl.resolve_streams(timeout=10, name=stream)[0])
    inlet.open_stream(timeout=10)
    while True:
        markers, _ = inlet.pull_sample(timeout=1.0)
        if markers:
            yield int(markers[0].split()[1])


def serial_numbers(master: str) -> Iterator[int]:
    """A consecutive number for each byte 255 that arrives at the master."""
    n = 0
    while True:
        select.select([int(master)], [], [])
        for byte in os.read(int(master), 16):
            if byte == SerialOutput(name="a", port="b").byte:
                yield n
                n += 1


def receive(receiver: Receiver, where: str, last: int, results: Connection) -> None:
    """Send the time of receipt of each number up to `last`."""
    times: dict[int, int] = {}
    for number in receiver(where):
        times[number] = CLOCK.now_ns()
        if number == last:
            break
    results.send(times)


def measured(config: Output, receiver: Receiver, where: str, n: int) -> dict[str, dict[str, float]]:
    """Quantiles in ms of both delays of one output."""
    decided, delays = {}, {}
    results, end = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=receive, args=(receiver, where, n - 1, end), daemon=True
    )
    process.start()
    with Messaging() as messaging, Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        CLOCK.sleep_until(CLOCK.now_ns() + 3_000_000_000)
        for number in range(n):
            now_ns = CLOCK.now_ns()
            decided[number] = now_ns
            outputs.fire(action(number, now_ns))
            CLOCK.sleep_until(now_ns + PERIOD_NS)
            delays |= {one.number: one.delay_ms for one in outputs.deliveries()}
    received: dict[int, int] = results.recv() if results.poll(10) else {}
    process.join(1)
    counted = range(WARM_UP, n)
    arrival_ms = [(received[k] - decided[k]) / 1e6 for k in counted if k in received]
    handed_over = quantiles([delays[k] for k in counted])
    return {"handed_over_ms": handed_over, "received_ms": quantiles(arrival_ms)}


def action(number: int, now_ns: int) -> Action:
    """A trigger that is decided now."""
    times = (now_ns, now_ns, now_ns, now_ns)
    return Action(
        number, "trigger", "bench", "sent", "emit/reconstruction", 0, *times, target="out"
    )


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 99 % and maximum, and the number of values."""
    p50, p99 = np.percentile(values, [50, 99])
    found = {"p50": p50, "p99": p99, "max": max(values)}
    return {name: round(float(value), 3) for name, value in found.items()} | {"n": len(values)}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--triggers", type=int, default=1000)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    master, slave = os.openpty()
    with tempfile.TemporaryDirectory() as folder:
        endpoint, stream = f"ipc://{folder}/zmq", f"rtdecode-bench-{os.getpid()}"
        kinds: dict[str, tuple[Output, Receiver, str]] = {
            "zmq": (ZmqOutput(name="out", endpoint=endpoint), zmq_numbers, endpoint),
            "lsl": (LslOutput(name="out", stream=stream), lsl_numbers, stream),
            "serial": (
                SerialOutput(name="out", port=os.ttyname(slave)),
                serial_numbers,
                str(master),
            ),
        }
        table = {
            name: measured(*parts, options.triggers + WARM_UP) for name, parts in kinds.items()
        }
    for name, figures in table.items():
        print(name, figures)
    config = {"triggers": options.triggers, "period_ms": PERIOD_NS / 1e6}
    write_benchmark(options.json, name="outputs", config=config, results=table)


if __name__ == "__main__":
    main()
