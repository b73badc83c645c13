"""The process of the web page: displayed frames, reconstructions, responses, scores → page."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from rtdecode.pipeline.topology import subscriptions
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.loop import LoopReport, NullSink, run_loop
from rtdecode.runtime.operator_link import OperatorCommand, command_to_controller
from rtdecode.runtime.process import Process
from rtdecode.schema.config.roles import Role
from rtdecode.schema.control import Acknowledgement, Action, Delivery
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
    Start,
)
from rtdecode.streams.gaps import GapWatch
from rtdecode.view.server import PageServer

log = logging.getLogger(__name__)
_SHOWN: tuple[type[Body], ...] = (
    DisplayedFrame,
    Reconstruction,
    Responses,
    Score,
    ResponsePrediction,
    Gap,
    Event,
    Action,
    Acknowledgement,
    Delivery,
)
_NUMBERED = DisplayedFrame | Reconstruction | Responses | Score


class PageStage:
    """Stage that passes messages to the page and gives nothing.

    Repeated frames, responses and scores are dropped, and missing ones become a `Gap`: what the
    page counts and what it missed are together what was sent, also where the page began later.
    """

    def __init__(self, page: PageServer) -> None:
        self._page = page
        self._gaps = GapWatch(detected_by=Role.VIEW.value, first_expected=0)
        self._n_gaps = 0

    def step(self, items: Sequence[Received]) -> Sequence[Body]:
        self._page.push([shown for item in items for shown in self._shown(item)])
        return ()

    def _shown(self, item: Received) -> Iterator[Received]:
        """`item` and the gap before it; repeated gaps and events are dropped by the page."""
        body = item.message.body
        if not isinstance(body, Start | _NUMBERED):
            yield item
            return
        for passed in self._gaps.step([item]):
            yield self._received(passed, item) if isinstance(passed, Gap) else passed

    def _received(self, gap: Gap, item: Received) -> Received:
        seq, self._n_gaps = self._n_gaps, self._n_gaps + 1
        message = Stamped(Role.VIEW.value, seq, item.t_received_ns, item.message.clock, gap)
        return Received(message, item.t_received_ns)


def started_page(process: Process) -> tuple[PageServer, str]:
    """The page and its address: after a restart the one before, so that browsers find it again."""
    config, before = process.config, process.run_info.before_restart
    if config.view.port == 0 and before:
        # another program may have taken the port meanwhile; then the system chooses one
        with suppress(AddressInUseError):
            return _page_at(urlsplit(before).port or 0, process)
    return _page_at(config.view.port, process)


def _page_at(port: int, process: Process) -> tuple[PageServer, str]:
    config = process.config
    view = config.view.model_copy(update={"port": port})
    page = PageServer(view, frame_rate_hz=config.frame_rate_hz, clock=process.clock)
    return page, page.start()


def main(process: Process) -> int:
    """Serve the page until the run stops."""
    sources = subscriptions(Role.VIEW, process.config)
    subscriber = process.subscriber(sources.endpoints, _SHOWN)
    page, address = started_page(process)
    log.info("page at %s", address)
    try:
        process.set_detail(address)
        # after a restart the page is needed most where another process gives nothing
        expected = () if process.run_info.restarts else sources.expected
        process.wait_for_start(subscriber, expected)
        heartbeat = process.on_turn(dict)

        def on_turn(report: LoopReport) -> None:
            for name in page.commands():
                command = command_to_controller(
                    OperatorCommand(name), by="the page", t_ns=process.clock.now_ns()
                )
                process.report(command)
            heartbeat(report)

        run_loop(
            subscriber,
            PageStage(page),
            NullSink(),
            stop=process.stop,
            clock=process.clock,
            poll_s=0.02,
            on_turn=on_turn,
        )
    finally:
        page.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(run_process("view", main, sys.argv[1:]))
