"""`python -m acquisition_bridge CONFIG [--movie FILE]`: the process that streams a microscope.

On a rig it streams to the recorder whose address is in the config. A config without addresses
describes a run on one machine, which `rtdecode run` starts with all its processes.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from acquisition_bridge.bridge import KeptSink, run_bridge
from acquisition_bridge.sources.continued import NAMES, LastScan
from acquisition_bridge.sources.opening import open_source
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.platform import continue_as
from rtdecode.runtime.process import Process
from rtdecode.runtime.progress import kept_progress
from rtdecode.schema.errors import EndpointMissingError, RtdecodeError
from rtdecode.schema.messages import DisplayedFrame

log = logging.getLogger(__name__)
_JOIN_S = 2.0
"""Time in s that a bridge without a supervisor waits for subscribers to connect."""


def main(argv: Sequence[str]) -> int:
    """Run the bridge; its exit code."""
    parser = argparse.ArgumentParser(
        usage="python -m acquisition_bridge [--movie FILE] CONFIG",
        description="Stream a microscope, or a recorded movie, with the settings of CONFIG (YAML).",
    )
    parser.add_argument("--movie", type=Path, help="TIFF or .raw file to stream")
    args, rest = parser.parse_known_args(argv)
    if "--supervised" not in rest and _names_no_address(rest):
        _start_whole_run(rest, args.movie)
    return run_process("bridge", lambda process: bridge(process, args.movie), rest)


def _names_no_address(rest: Sequence[str]) -> bool:
    """True for a readable config without endpoints; the process reports an unreadable one."""
    if len(rest) != 1:
        return False
    try:
        network = read_config(Path(rest[0])).network
    except RtdecodeError:
        return False
    return not any(network.endpoints().values())


def _start_whole_run(rest: Sequence[str], movie: Path | None) -> NoReturn:
    # replaces this process, because the bridge must not import the decoder
    named = [] if movie is None else ["--movie", str(movie)]
    continue_as([sys.executable, "-m", "rtdecode", "run", *rest, *named])


def bridge(process: Process, movie: Path | None) -> int:
    """Open the source, wait until all processes are ready, and stream; exit code 0.

    Raises
    ------
    EndpointMissingError
        If the config has no address for the bridge.
    """
    config = process.config if movie is None else process.config.with_movie(movie)
    network = config.network
    if not network.bridge:
        raise EndpointMissingError(name="network.bridge")
    progress = kept_progress(
        process.config, process.run_info, file=f"{process.name}.progress", names=NAMES
    )
    kept = progress.read() if process.run_info.restarts else None
    last = None if kept is None else LastScan(**kept)
    with closing(open_source(config, process.clock, last=last)) as source, progress:
        log.info("source: %s", source.spec)
        publisher = process.publisher(network.bridge)
        screen = None
        if source.needs_displayed_frames:
            screen = process.subscriber([network.stimulus], [DisplayedFrame])
        process.wait_for_start(screen, ["stimulus"] if screen is not None else [])
        publisher.start(process.run_info.start())
        if not network.control:
            process.stop.wait(_JOIN_S)
            publisher.announce_start()
        reason = run_bridge(
            source,
            KeptSink(publisher, progress),
            screen=screen,
            stop=process.stop,
            clock=process.clock,
            after_turn=lambda: process.send_heartbeat(source.health()),
            end_after_s=config.acquisition.end_after_s,
        )
        publisher.end(session=process.run_info.session, reason=reason)
        if not process.may_continue:
            progress.remove()
        log.info("%s: %s", reason, source.health())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
