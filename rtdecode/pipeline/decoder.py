"""The process of the decoder: scans and behaviour → responses and paced reconstructions."""

import logging
import queue
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rtdecode.pipeline.calcium_files import CalciumFiles, mismatch_figure
from rtdecode.pipeline.decoding_stage import Assembly, assembled, response_latency_s
from rtdecode.pipeline.field_views import FieldViews
from rtdecode.pipeline.topology import subscriptions
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.loop import LoopReport, run_loop
from rtdecode.runtime.process import Process
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import KeptFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Event,
    Fluorescence,
    Reconstruction,
    Scan,
    Start,
)
from rtdecode.schema.recorded_activity import RecordedActivity
from rtdecode.session.layout import SessionLayout
from rtdecode.streams.paced_output import PacedOutput

log = logging.getLogger(__name__)
_CONNECTION_NS = 2_000_000_000
_POLL_S = 0.05


class PacedQueue:
    """Source of the output loop; it waits for a new reconstruction or for the next due time."""

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
    """Publishes reconstructions at their due times, in a thread of its own.

    An error in that thread is raised by the next `push`, or at the end of the block of `started`.

    Parameters
    ----------
    ready
        Publisher of each reconstruction before its pacing, for a controller; None without one.
    """

    def __init__(
        self,
        pace: PacedOutput,
        publisher: Publisher,
        *,
        clock: Clock,
        ready: Publisher | None = None,
    ) -> None:
        self._pace, self._publisher, self._clock = pace, publisher, clock
        self._ready = ready
        self._queue = PacedQueue(pace)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="emission")

    def push(self, item: Reconstruction) -> None:
        """Pass on one reconstruction without waiting."""
        self._raise_error()
        if self._ready is not None:
            self._ready.push(item)
        self._queue.push(item)

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        return {
            "out": self._pace.n_out,
            "late": self._pace.n_late,
            "output_delay_ms": self._pace.delay_ms,
        }

    @contextmanager
    def started(self, start: Start) -> Iterator[None]:
        """Publish while the block runs, between START and END of the source `emit`."""
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
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class DecoderSink:
    """Sink that paces reconstructions and publishes everything else at once."""

    def __init__(self, publisher: Publisher, emission: Emission | None) -> None:
        self._publisher, self._emission = publisher, emission

    def push(self, item: Body) -> None:
        if isinstance(item, Event):
            level = logging.INFO if item.severity == "info" else logging.WARNING
            log.log(level, "%s %s", item.text, item.counts)
        if isinstance(item, Reconstruction) and self._emission is not None:
            self._emission.push(item)
        else:
            self._publisher.push(item)


def main(process: Process) -> int:
    """Decode until the run stops; FieldMismatchError if the scans show another field of view."""
    session = SessionLayout(process.config.record.folder / process.run_info.session)
    with mismatch_figure(session.report):
        _decode(process, session.folder)
    return 0


def _decode(process: Process, folder: Path) -> None:
    config, network = process.config, process.config.network
    publisher = process.publisher(network.decoder)
    sources = subscriptions(Role.DECODER, config)
    kinds = [Scan, Fluorescence, RecordedActivity, Behaviour]
    subscriber = process.subscriber(sources.endpoints, kinds)
    restarted = process.run_info.restarts > 0
    parts = assembled(
        config,
        detected_by=process.name,
        clock=process.clock,
        kept=folder if restarted else None,
    )
    emission = None if config.decode is None else _emission(process)
    files = CalciumFiles(parts.calcium, folder)
    views = FieldViews(
        parts.calcium, publisher, clock=process.clock, places=parts.places, hz=config.frame_rate_hz
    )
    with _refusal_recorded(process, publisher):
        files.check(process.run_info.before_restart)
    heartbeat = process.on_turn(lambda: _counters(parts, emission))

    def save_new() -> None:
        files.save_new()
        process.set_detail(files.identity)

    def on_turn(report: LoopReport) -> None:
        save_new()
        heartbeat(report)
        views.publish(report.step_ns[-1] if report.step_ns else 0)

    save_new()
    process.wait_for_start(subscriber, expected_sources=sources.expected)
    start = process.run_info.start(twin_hash=parts.twin_hash)
    with ExitStack() as ending:
        publisher.start(start)
        if restarted and parts.calcium.kept:
            publisher.push(_loaded(parts.calcium.kept, neurons=parts.calcium.neurons))
        ending.callback(publisher.end, session=process.run_info.session, reason="stopped")
        if emission is not None:
            ending.enter_context(emission.started(start))
        run_loop(
            subscriber,
            parts.stage,
            DecoderSink(publisher, emission),
            stop=process.stop,
            clock=process.clock,
            on_turn=on_turn,
        )


def _loaded(kept: Mapping[str, str], *, neurons: int | None) -> Event:
    """Event of a restart after which the neurons are those of before, in the same order."""
    text = f"after a restart, the session's own {', '.join(kept)} were loaded"
    return Event("info", "decoder", "rois_loaded", text, {"neurons": float(neurons or 0)})


@contextmanager
def _refusal_recorded(process: Process, publisher: Publisher) -> Iterator[None]:
    """Record a KeptFileError of the block as an alarm before it ends the process."""
    try:
        yield
    except KeptFileError as error:
        alarm = Event("alarm", "decoder", "rois_changed", str(error), {})
        # the queue to the recorder takes a moment to connect
        deadline_ns = process.clock.now_ns() + _CONNECTION_NS
        while not publisher.offer(alarm) and process.clock.now_ns() < deadline_ns:
            process.stop.wait(_POLL_S)
        raise


def _emission(process: Process) -> Emission:
    latency_s = response_latency_s(process.config)
    grid = FrameGrid(process.config.frame_rate_hz)
    pace = PacedOutput(process.config.emit, grid=grid, latency_s=latency_s, clock=process.clock)
    network = process.config.network
    publisher = process.publisher(network.emit, source="emit")
    ready = None
    if process.config.control is not None:
        ready = process.unrecorded_publisher(network.ready, source="ready")
    return Emission(pace, publisher, clock=process.clock, ready=ready)


def _counters(parts: Assembly, emission: Emission | None) -> dict[str, float]:
    return {**parts.stage.counters(), **(emission.counters() if emission else {})}


if __name__ == "__main__":
    raise SystemExit(run_process("decoder", main, sys.argv[1:]))
