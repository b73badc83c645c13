"""Serves the page: one thread with its own event loop; pushing to it never waits."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import resources
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received
from rtdecode.view.audience import Onlooker
from rtdecode.view.page import Page

log = logging.getLogger(__name__)

_STATUS_S = 0.25
_STOP_S = 5.0
_FOREIGN_ORIGIN = 4403
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """The page, its address, and the thread that serves it.

    Parameters
    ----------
    config
        Host and port; port 0 lets the system choose.
    frame_rate_hz
        Rate of the frame grid.
    clock
        The host's clock.
    """

    def __init__(
        self, config: ViewConfig, *, frame_rate_hz: float = 30.0, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._page = Page(frame_rate_hz=frame_rate_hz, clock=clock or HostClock())
        self._onlookers: set[Onlooker] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(), log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Serve from now on; the address of the page.

        Raises
        ------
        AddressInUseError
            If somebody else listens there.
        """
        listener = self._listener()
        port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="page")
        self._thread.start()
        self._ready.wait()
        return f"http://{self._config.host}:{port}/"

    def push(self, items: Sequence[Received]) -> None:
        """Show what has come; returns at once, however slow the browsers are."""
        if self._loop is not None and items:
            with suppress(RuntimeError):  # the loop has just closed: nobody looks on any more
                self._loop.call_soon_threadsafe(self._show, list(items))

    def stop(self) -> None:
        """Close all connections and end the thread."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_S)
            self._thread = None

    def _listener(self) -> socket.socket:
        host, port = self._config.host, self._config.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # from here on who connects is kept waiting, not refused
        except OSError as error:
            listener.close()
            raise AddressInUseError(address=f"{host}:{port}", option="view.port") from error
        return listener

    def _serve(self, listener: socket.socket) -> None:
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
            return Response(files[name], media_type=kind, headers=_HEADERS)

        return Starlette(
            routes=[
                Route("/", serve_file),
                WebSocketRoute("/live", self._look_on),
                Route("/{name}", serve_file),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        telling = asyncio.create_task(self._tell_status())
        self._ready.set()
        yield
        self._loop = None
        telling.cancel()

    def _show(self, items: Sequence[Received]) -> None:
        for packet in self._page.step(items):
            for onlooker in self._onlookers:
                onlooker.offer(packet)

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            if self._onlookers:
                status = self._page.status()
                for onlooker in self._onlookers:
                    onlooker.tell(json.dumps(status | {"dropped": onlooker.dropped}))

    async def _look_on(self, socket: WebSocket) -> None:
        if not _own_origin(socket):
            await socket.close(_FOREIGN_ORIGIN)
            return
        await socket.accept()
        onlooker = Onlooker()
        onlooker.tell(json.dumps({"history": self._page.history()}))
        self._onlookers.add(onlooker)
        sending = asyncio.create_task(_send(socket, onlooker))
        try:
            await self._listen(socket, onlooker)
        finally:
            self._onlookers.discard(onlooker)
            sending.cancel()

    async def _listen(self, socket: WebSocket, onlooker: Onlooker) -> None:
        """Hear which frames the browser has drawn, until it goes."""
        with suppress(WebSocketDisconnect):
            while True:
                said = await socket.receive_text()
                if said.isdecimal():
                    frame = int(said)
                    onlooker.drawn(frame)
                    self._page.drawn(frame)


async def _send(socket: WebSocket, onlooker: Onlooker) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it went while something was on its way
        while True:
            for message in await onlooker.take():
                if isinstance(message, str):
                    await socket.send_text(message)
                else:
                    await socket.send_bytes(message)


def _own_origin(socket: WebSocket) -> bool:
    """Refuse pages of other sites that a browser might let look in; programs send no origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")
