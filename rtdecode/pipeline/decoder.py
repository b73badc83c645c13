"""The decoder's process: scans and behaviour in; responses, and paced reconstructions, out."""

import sys
from contextlib import ExitStack

import numpy as np

from rtdecode.acquire import GapWatch
from rtdecode.behaviour import BehaviourJoin
from rtdecode.emit import Pace
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.pipeline.decoding_stage import DecodingStage
from rtdecode.pipeline.emission import Emission
from rtdecode.pipeline.inversion import Inversion, inversion
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.runtime.sockets import Publisher
from rtdecode.schema.config.run import Role
from rtdecode.schema.messages import Behaviour, Body, Reconstruction, Scan


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
    """Decode until told to stop."""
    config, network = process.config, process.config.network
    publisher = process.publisher(network.decoder)
    inlet = process.subscriber([network.bridge], [Scan, Behaviour])
    calcium, neurons = calcium_stage(config, clock=process.clock)
    inverted = inversion(config, neurons=neurons, clock=process.clock)
    with ExitStack() as ending:
        emission = None
        if inverted is not None:
            emission = _emission(process, inverted)
        stage = DecodingStage(
            gaps=GapWatch(seen_by=process.name),
            calcium=calcium,
            behaviour=BehaviourJoin(_neutral(inverted)),
            decoder=None if inverted is None else inverted.decoder,
        )
        process.wait_for_go(inlet, hears=["bridge"] if Role.BRIDGE in config.processes else [])
        start = process.ticket.start(twin_hash="" if inverted is None else inverted.twin_hash)
        publisher.start(start)
        ending.callback(publisher.end, session=process.ticket.session, reason="stopped")
        if emission is not None:
            ending.enter_context(emission.started(start))
        run_loop(
            inlet,
            stage,
            DecoderSink(publisher, emission),
            stop=process.stop,
            clock=process.clock,
            on_turn=process.on_turn(
                lambda: {**stage.counters(), **(emission.counters() if emission else {})}
            ),
        )
    return 0


def _emission(process: Process, inverted: Inversion) -> Emission:
    pace = Pace(
        process.config.emit, latency_s=inverted.response_latency_s, clock=process.clock
    )
    outlet = process.publisher(process.config.network.emit, source="emit")
    return Emission(pace, outlet, clock=process.clock)


def _neutral(inverted: Inversion | None) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.zeros(4, np.float32) if inverted is None else inverted.neutral_behaviour


if __name__ == "__main__":
    raise SystemExit(run_process("decoder", main, sys.argv[1:]))
