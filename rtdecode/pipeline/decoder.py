"""The decoder's process: scans and behaviour in; responses, and paced reconstructions, out."""

import sys
from contextlib import ExitStack
from pathlib import Path

from rtdecode.emit import Pace
from rtdecode.pipeline.assembly import Assembly, assembled
from rtdecode.pipeline.calcium_files import CalciumKeeper, refusals_pictured
from rtdecode.pipeline.emission import Emission
from rtdecode.runtime.loop import LoopReport, run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.runtime.sockets import Publisher
from rtdecode.schema.config.run import Role
from rtdecode.schema.messages import Behaviour, Body, Fluorescence, Reconstruction, Scan
from rtdecode.session.layout import SessionLayout


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
    session = SessionLayout(process.config.record.folder / process.ticket.session)
    with refusals_pictured(session.report):
        _decode(process, session.folder)
    return 0


def _decode(process: Process, folder: Path) -> None:
    config, network = process.config, process.config.network
    publisher = process.publisher(network.decoder)
    inlet = process.subscriber([network.bridge], [Scan, Fluorescence, Behaviour])
    parts = assembled(config, seen_by=process.name, clock=process.clock)
    emission = _emission(process, parts)
    keeper = CalciumKeeper(parts.calcium, folder)
    keeper.keep()
    beat = process.on_turn(lambda: _counters(parts, emission))

    def on_turn(report: LoopReport) -> None:
        keeper.keep()
        beat(report)

    process.wait_for_go(inlet, hears=["bridge"] if Role.BRIDGE in config.processes else [])
    start = process.ticket.start(twin_hash=parts.twin_hash)
    with ExitStack() as ending:
        publisher.start(start)
        ending.callback(publisher.end, session=process.ticket.session, reason="stopped")
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


def _emission(process: Process, parts: Assembly) -> Emission | None:
    if parts.inversion is None:
        return None
    latency_s = parts.inversion.response_latency_s
    pace = Pace(process.config.emit, latency_s=latency_s, clock=process.clock)
    outlet = process.publisher(process.config.network.emit, source="emit")
    return Emission(pace, outlet, clock=process.clock)


def _counters(parts: Assembly, emission: Emission | None) -> dict[str, float]:
    return {**parts.stage.counters(), **(emission.counters() if emission else {})}


if __name__ == "__main__":
    raise SystemExit(run_process("decoder", main, sys.argv[1:]))
