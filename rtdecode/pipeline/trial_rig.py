"""The process that replays the trials of a data set in real time, in place of bridge and stimulus.

It sends as `bridge` and as `stimulus` what a rig sends, each message at its time on the frame grid,
and ends after the last trial. Nothing is displayed and nothing is scanned.
"""

import logging
import sys

from rtdecode.pipeline.trial_replay import causality_events, trial_source
from rtdecode.pipeline.trial_stream import TrialStream
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.process import Process
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.frame_grid import FrameGrid

log = logging.getLogger(__name__)
_TURN_NS = 50_000_000
_LEAD_NS = 500_000_000
"""From the start of the run to the first frame."""
END = "all trials were replayed"


def main(process: Process) -> int:
    """Send all trials, or those until a stop; exit code 0."""
    network, source = process.config.network, trial_source(process.config)
    stream = TrialStream(source)
    rig = {
        name: process.publisher(endpoint, source=name)
        for name, endpoint in (("bridge", network.bridge), ("stimulus", network.stimulus))
    }
    log.info("%d trials of %s, %s", len(stream.numbers), source.path, stream.causality.value)
    process.wait_for_start()
    for publisher in rig.values():
        publisher.start(process.run_info.start())
    for event in causality_events(stream.causality):
        rig["bridge"].push(event)
    reason = _send(process, stream, rig)
    for publisher in rig.values():
        publisher.end(session=process.run_info.session, reason=reason)
    return 0


def _send(process: Process, stream: TrialStream, rig: dict[str, Publisher]) -> str:
    """Send what is due frame by frame; why it ended."""
    grid, clock = FrameGrid(process.config.frame_rate_hz), process.clock
    first_frame = grid.frame_at(clock.now_ns() + _LEAD_NS) + 1
    sent = dict.fromkeys(("frames", "trial"), 0.0)
    for due in stream.messages(grid, first_frame=first_frame):
        while (left_ns := due.t_ns - clock.now_ns()) > 0 and not process.stop.is_set():
            clock.sleep_until(clock.now_ns() + min(left_ns, _TURN_NS))
            process.send_heartbeat(sent)
        if process.stop.is_set():
            return "stopped as asked"
        for source, body in due.messages:
            rig[source].push(body)
        sent |= {"frames": sent["frames"] + 1, "trial": float(due.trial)}
        process.send_heartbeat(sent)
    return END


if __name__ == "__main__":
    raise SystemExit(run_process("bridge", main, sys.argv[1:]))
