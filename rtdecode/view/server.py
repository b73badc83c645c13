"""Web server of the live page: one thread with its own event loop; `push` never blocks."""

import asyncio
import errno
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib import resources
from queue import SimpleQueue

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import AddressInUseError, AddressUnusableError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received
from rtdecode.view.access import PageAccess, Right, is_local
from rtdecode.view.browser_input import (
    MOST_BYTES,
    WATCHING,
    BrowserCommand,
    BrowserInput,
    BrowserMessage,
    UnwantedInputError,
)
from rtdecode.view.browser_queue import BrowserQueue
from rtdecode.view.certificate import server_context
from rtdecode.view.gate import OPENING, RIGHT, Gate, OwnAddress, printed_host
from rtdecode.view.listener import LimitedListener, binary_messages, server_settings
from rtdecode.view.note_inbox import NoteInbox
from rtdecode.view.page import Page
from rtdecode.view.run_facts import RunFacts
from rtdecode.view.screen_facts import ScreenFacts

log = logging.getLogger(__name__)

_STATUS_S = 0.25
_STOP_S = 5.0
_LAST_S, _TURN_S = 1.0, 0.02
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PEER_STREAMS, STREAMS = 16, 64
"""Browsers that are sent the page, of one IP address and in all."""
_TOO_MANY = 1013
"""Code with which a further browser is closed (try again later)."""
_UNREADABLE = (1002, 1007, 1009)
"""Codes with which the server closes: no WebSocket frame, no UTF-8, too large."""


class PageServer:
    """Serves the live page and sends packets to all connected browsers.

    Parameters
    ----------
    config
        Host and port; the system chooses the port where it is 0.
    frame_rate_hz
        Rate of the frame grid.
    clock
        The host's clock.
    secret
        Secret of the run, from which the tokens of the page follow; a random one by default.
    facts, screen
        What the config states of the run, and of the screen.
    """

    def __init__(
        self,
        config: ViewConfig,
        *,
        frame_rate_hz: float,
        clock: Clock | None = None,
        secret: str = "",
        facts: RunFacts | None = None,
        screen: ScreenFacts | None = None,
    ) -> None:
        self._config, self._clock = config, clock or HostClock()
        self._secret = secret or secrets.token_hex(16)
        self._own_address = OwnAddress(config, port=config.port)
        self._access: PageAccess | None = None
        self._screen = screen or ScreenFacts()
        self._page = Page(frame_rate_hz=frame_rate_hz, clock=self._clock, facts=facts)
        self._queues: dict[BrowserQueue, str] = {}
        self._refused = self._closed = 0
        self._commands: SimpleQueue[BrowserCommand] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self.notes = NoteInbox(lambda: self._page.is_ended)
        """Notes of browsers that may act."""
        self._server = uvicorn.Server(server_settings(self._app(), most_bytes=MOST_BYTES))
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Start the thread; returns the address of the page, without a token.

        Raises
        ------
        AddressInUseError
            If another program uses this address.
        AddressUnusableError
            If this machine has no such address.
        BadInputError
            If the certificate or its key cannot be used (`server_context`).
        """
        context = server_context(self._config, now=datetime.now(UTC))
        listener = self._listener()
        at, port = listener.getsockname()[:2]
        scheme = "http" if context is None else "https"
        self._own_address = OwnAddress(self._config, port=port, scheme=scheme)
        if not is_local(at) or self._config.names:
            self._access = PageAccess(self._secret)
        self._server.config.load()
        self._server.config.ssl = context
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="page")
        self._thread.start()
        self._ready.wait()
        return f"{scheme}://{printed_host(self._config, listens_at=at)}:{port}/"

    def push(self, items: Sequence[Received]) -> None:
        """Send packets of these messages to all browsers, without waiting for them."""
        if self._loop is not None and items:
            with suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._send_packets, list(items))

    def commands(self) -> list[BrowserCommand]:
        """Commands of browsers to the controller since the last call."""
        return [self._commands.get() for _ in range(self._commands.qsize())]

    def counters(self) -> dict[str, float]:
        """Connected browsers, refused requests, and browsers closed for what they sent."""
        return {
            "browsers": float(len(self._queues)),
            "refused": float(self._refused),
            "closed": float(self._closed),
        }

    def stop(self) -> None:
        """Send the last status, close all connections and end the thread."""
        if self._loop is not None:
            with suppress(RuntimeError, TimeoutError):  # the loop has just closed, or is busy
                asyncio.run_coroutine_threadsafe(self._send_last(), self._loop).result(_LAST_S)
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_S)
            self._thread = None

    def _listener(self) -> LimitedListener:
        host, port = self._config.host, self._config.port
        try:
            return LimitedListener(host, port, on_refused=self._count_refused)
        except OSError as error:
            address = f"{host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise AddressInUseError(address=address, option="view.port") from error
            got = error.strerror or str(error)
            raise AddressUnusableError(address=address, option="view.host", got=got) from error

    def _serve(self, listener: LimitedListener) -> None:
        try:
            self._server.run(sockets=[listener])
        finally:
            listener.close()
            self._ready.set()

    def _app(self) -> Starlette:
        folder = resources.files("rtdecode.view") / "static"
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

        async def serve_file(request: Request) -> Response:
            name = request.path_params.get("name", "index.html")
            if name not in files:
                return Response("not found", status_code=404)
            kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            return Response(files[name], media_type=kind)

        async def lead_on(_request: Request) -> Response:
            return Response(files["open.html"], media_type=_TYPES["html"])

        return Starlette(
            routes=[
                Route("/", serve_file),
                Route(OPENING, lead_on),
                Route("/note", self.notes.receive, methods=["POST"]),
                WebSocketRoute("/live", self._serve_browser),
                Route("/{name}", serve_file),
            ],
            lifespan=self._lifespan,
            middleware=[
                Middleware(
                    Gate, lambda: self._own_address, lambda: self._access, self._count_refused
                )
            ],
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        status = asyncio.create_task(self._send_status())
        self._ready.set()
        yield
        self._loop = None
        status.cancel()

    def _send_packets(self, items: Sequence[Received]) -> None:
        packets = self._page.packets_of(items)
        for queue in self._queues:
            queue.put_packets(packets)

    async def _send_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            if self._queues:
                self._put_status()

    def _put_status(self) -> None:
        texts = self._page.status_texts()
        for queue in self._queues:
            # all of it but one number is the same for all browsers, and is written once
            queue.put_text(f'{{"dropped": {queue.dropped}, {texts[queue.may_act][1:]}')

    async def _send_last(self) -> None:
        """Send what a browser keeps on display once the page of a run that has ended is gone."""
        if not self._page.is_ended:
            return
        self._put_status()
        while any(queue.waits for queue in self._queues):
            await asyncio.sleep(_TURN_S)
        await asyncio.sleep(_TURN_S)

    async def _serve_browser(self, socket: WebSocket) -> None:
        await socket.accept()
        right, peer = socket.scope[RIGHT], "" if socket.client is None else socket.client.host
        if len(self._queues) >= STREAMS or self._streams_of(peer) >= PEER_STREAMS:
            self._count_refused()
            await socket.close(_TOO_MANY, "too many browsers")
            return
        queue = BrowserQueue(may_act=right is Right.ACT)
        screen = self._screen.as_json()
        queue.put_text(json.dumps({"history": self._page.history(), "screen": screen}))
        self._queues[queue] = peer
        sending = asyncio.create_task(_send(socket, queue))
        try:
            await self._receive(socket, queue, BrowserInput(right))
        finally:
            self._queues.pop(queue)
            sending.cancel()

    def _streams_of(self, peer: str) -> int:
        return sum(one == peer for one in self._queues.values())

    async def _receive(self, socket: WebSocket, queue: BrowserQueue, browser: BrowserInput) -> None:
        """Read what a browser sends until it disconnects, or sends what no browser does."""
        try:
            while (message := await socket.receive())["type"] == "websocket.receive":
                said = browser.read(message.get("text"), t_ns=self._clock.now_ns())
                self._act_on(said, queue)
            self._closed += message.get("code") in _UNREADABLE
        except UnwantedInputError as unwanted:
            self._closed += 1
            with suppress(RuntimeError):  # it disconnected meanwhile
                await socket.close(unwanted.code, unwanted.reason)

    def _act_on(self, said: BrowserMessage, queue: BrowserQueue) -> None:
        if said.what == "alarm":
            self._page.acknowledge_alarm(said.number)
        elif said.what in WATCHING:
            queue.watch(said, self._page.microscope)
        elif said.what:
            self._commands.put(BrowserCommand(said.what, self._queues[queue]))
        else:
            queue.acknowledge(said.number)
            self._page.acknowledge(said.number)

    def _count_refused(self) -> None:
        self._refused += 1


async def _send(socket: WebSocket, queue: BrowserQueue) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it disconnected meanwhile
        while True:
            messages = await queue.next_packets()
            for text in (one for one in messages if isinstance(one, str)):
                await socket.send_text(text)
            if packets := [one for one in messages if isinstance(one, bytes)]:
                await socket.send(binary_messages(packets))
