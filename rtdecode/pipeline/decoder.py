"""The decoder's process: scans and behaviour in; responses, and paced reconstructions, out."""

import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rtdecode.pipeline.calcium_files import CalciumKeeper, refusals_pictured
from rtdecode.pipeline.decoding_stage import Assembly, assembled, response_latency_s
from rtdecode.runtime.loop import LoopReport, run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.runtime.sockets import Publisher
from rtdecode.schema.config.run import Role
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, Body, Fluorescence, Reconstruction, Scan, Start
from rtdecode.session.layout import SessionLayout
from rtdecode.streams.paced_output import PacedOutput


class PacedQueue:
    """Source of the emitting loop: wakes for what comes in and for what becomes due."""

    def __init__(self, pace: PacedOutput) -> None:
        self._pace = pace
        self._items: queue.SimpleQueue[Reconstruction] = queue.SimpleQueue()

    def push(self, item: Reconstruction) -> None:
        """Put one reconstruction into the queue."""
        self._items.put(item)

    def take(self, wait_s: float) -> Sequence[Reconstruction]:
        try:
            return [self._items.get(timeout=min(wait_s, self._pace.wait_s()))]
        except queue.Empty:
            return []


class Emission:
    """Publishes reconstructions at their due times until the block ends.

    An error in its thread is raised in the thread that pushes next, or at the end of the block.
    """

    def __init__(self, pace: PacedOutput, publisher: Publisher, *, clock: Clock) -> None:
        self._pace, self._publisher, self._clock = pace, publisher, clock
        self._queue = PacedQueue(pace)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="emission")

    def push(self, item: Reconstruction) -> None:
        """Hand one reconstruction over; never waits."""
        self._raise_error()
        self._queue.push(item)

    def counters(self) -> dict[str, float]:
        """What the heartbeat tells."""
        return {"out": self._pace.n_out, "late": self._pace.n_late}

    @contextmanager
    def started(self, start: Start) -> Iterator[None]:
        """Emit while the block runs, between START and END of its own source."""
        self._publisher.start(start)
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
        self._raise_error()
        self._publisher.end(session=start.session, reason="stopped")

    def _run(self) -> None:
        try:
            run_loop(self._queue, self._pace, self._publisher, stop=self._stop, clock=self._clock)
            for last in self._pace.rest():
                self._publisher.push(last)
        except Exception as error:  # noqa: BLE001 - raised again where the process can end
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class DecoderSink:
    """Reconstructions go to the paced emission, everything else out at once."""

    def __init__(self, publisher: Publisher, emission: Emission | None) -> None:
        self._publisher, self._emission = publisher, emission

    def push(self, item: Body) -> None:
        if isinstance(item, Reconstruction) and self._emission is not None:
            self._emission.push(item)
        else:
            self._publisher.push(item)


def main(process: Process) -> int:
    """Decode until told to stop; FieldMismatchError where another field of view is shown."""
    session = SessionLayout(process.config.record.folder / process.run_info.session)
    with refusals_pictured(session.report):
        _decode(process, session.folder)
    return 0


def _decode(process: Process, folder: Path) -> None:
    config, network = process.config, process.config.network
    publisher = process.publisher(network.decoder)
    inlet = process.subscriber([network.bridge], [Scan, Fluorescence, Behaviour])
    parts = assembled(config, seen_by=process.name, clock=process.clock)
    emission = None if config.decode is None else _emission(process)
    keeper = CalciumKeeper(parts.calcium, folder)
    keeper.keep()
    beat = process.on_turn(lambda: _counters(parts, emission))

    def on_turn(report: LoopReport) -> None:
        keeper.keep()
        beat(report)

    process.wait_for_start(
        inlet, expected_sources=["bridge"] if Role.BRIDGE in config.processes else []
    )
    start = process.run_info.start(twin_hash=parts.twin_hash)
    with ExitStack() as ending:
        publisher.start(start)
        ending.callback(publisher.end, session=process.run_info.session, reason="stopped")
        if emission is not None:
            ending.enter_context(emission.started(start))
        run_loop(
            inlet,
            parts.stage,
            DecoderSink(publisher, emission),
            stop=process.stop,
            clock=process.clock,
            on_turn=on_turn,
        )


def _emission(process: Process) -> Emission:
    latency_s = response_latency_s(process.config)
    pace = PacedOutput(process.config.emit, latency_s=latency_s, clock=process.clock)
    publisher = process.publisher(process.config.network.emit, source="emit")
    return Emission(pace, publisher, clock=process.clock)


def _counters(parts: Assembly, emission: Emission | None) -> dict[str, float]:
    return {**parts.stage.counters(), **(emission.counters() if emission else {})}


if __name__ == "__main__":
    raise SystemExit(run_process("decoder", main, sys.argv[1:]))
