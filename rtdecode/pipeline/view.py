"""The process of the web page: displayed frames, reconstructions, responses, scores → page."""

import logging
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    Behaviour,
    Body,
    DisplayedFrame,
    Event,
    Fluorescence,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
    Stamped,
    Start,
)
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.streams.gaps import GapWatch
from rtdecode.view.access import is_local, page_addresses
from rtdecode.view.run_facts import RunFacts
from rtdecode.view.screen_facts import ScreenFacts
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
    Fluorescence,
    Behaviour,
    FieldOfView,
    PlaneNeurons,
)
_LAST_S = 0.05
_PERIOD_NS = 60_000_000_000
_REFUSALS = {"refused": "requests", "closed": "browsers"}
"""Counter of the page → name of its count in the event."""
_REFUSED_TEXT = "refused by the page: no token of this run, a foreign name, or beyond its limits"
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


class RefusalEvents:
    """Reports what the page refuses as an event, at most one a minute.

    Parameters
    ----------
    offer
        Sends an event; False where it cannot be sent now, and is tried again.
    """

    def __init__(self, offer: Callable[[Event], bool]) -> None:
        self._offer, self._due_ns = offer, 0
        self._reported: dict[str, float] = dict.fromkeys(_REFUSALS, 0.0)

    def report(self, counters: Mapping[str, float], *, t_ns: int) -> None:
        """Report at `t_ns` (HostNs) what the `counters` of the page have more than before."""
        now = {name: counters[name] for name in _REFUSALS}
        more = {name: n - self._reported[name] for name, n in now.items()}
        if t_ns < self._due_ns or not any(more.values()):
            return
        counts = {_REFUSALS[name]: n for name, n in more.items() if n}
        if self._offer(Event("warning", Role.VIEW.value, "page_refused", _REFUSED_TEXT, counts)):
            self._reported, self._due_ns = now, t_ns + _PERIOD_NS


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
    secret = process.run_info.page_secret or secrets.token_hex(16)
    page = PageServer(
        view,
        frame_rate_hz=config.frame_rate_hz,
        clock=process.clock,
        secret=secret,
        facts=RunFacts.of(config, session=process.run_info.session),
        screen=ScreenFacts.of(config),
    )
    address = page.start()
    # a process without a supervisor has nobody else to print them
    for one in () if process.run_info.token else page_addresses(address, secret=secret).values():
        log.info("open %s", one)
    return page, address


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
        heartbeat = process.on_turn(page.counters)
        refusals = RefusalEvents(process.offer_event)

        def on_turn(report: LoopReport) -> None:
            for given in page.commands():
                by = "the page" if is_local(given.peer) else f"the page at {given.peer}"
                command = OperatorCommand(given.name)
                t_ns = process.clock.now_ns()
                process.report(command_to_controller(command, by=by, t_ns=t_ns))
            page.notes.send(process.offer_event)
            refusals.report(page.counters(), t_ns=process.clock.now_ns())
            heartbeat(report)

        stage = PageStage(page)
        run_loop(
            subscriber,
            stage,
            NullSink(),
            stop=process.stop,
            clock=process.clock,
            poll_s=0.02,
            on_turn=on_turn,
        )
        # the page ends after the sources: their last messages, and the final score, are here
        stage.step(subscriber.take(_LAST_S))
        page.notes.send(process.offer_event)
        for text in page.notes.left:
            log.error("a note could not be recorded at the end of the run: %s", text)
    finally:
        page.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(run_process("view", main, sys.argv[1:]))
