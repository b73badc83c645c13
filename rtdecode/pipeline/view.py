"""The page's process: everything that can be shown in, a web page out."""

import logging
import sys
from collections.abc import Sequence

from rtdecode.runtime.loop import NullSink, run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.schema.config.run import Role
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
)
from rtdecode.view.server import PageServer

log = logging.getLogger(__name__)
_SHOWN: tuple[type[Body], ...] = (DisplayedFrame, Reconstruction, Responses, Score, Gap)


class PageStage:
    """Stage that shows what it gets and gives nothing on."""

    def __init__(self, page: PageServer) -> None:
        self._page = page

    def step(self, items: Sequence[Received]) -> Sequence[Body]:
        self._page.push(items)
        return ()


def main(process: Process) -> int:
    """Serve the page until told to stop."""
    config, network = process.config, process.config.network
    sources = {
        "stimulus": (Role.STIMULUS, network.stimulus),
        "decoder": (Role.DECODER, network.decoder),
        "emit": (Role.DECODER, network.emit),
        "evaluate": (Role.EVALUATE, network.evaluate),
    }
    heard = {n: at for n, (role, at) in sources.items() if role in config.processes}
    inlet = process.subscriber(heard.values(), _SHOWN)
    page = PageServer(config.view, frame_rate_hz=config.emit.frame_rate_hz, clock=process.clock)
    address = page.start()
    log.info("page at %s", address)
    try:
        process.set_detail(address)
        process.wait_for_start(inlet, expected_sources=heard)
        run_loop(
            inlet,
            PageStage(page),
            NullSink(),
            stop=process.stop,
            clock=process.clock,
            poll_s=0.02,
            on_turn=process.on_turn(dict),
        )
    finally:
        page.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(run_process("view", main, sys.argv[1:]))
