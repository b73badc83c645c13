"""Web server of the live page: one thread with its own event loop; `push` never blocks."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import resources
from ipaddress import ip_address
from queue import SimpleQueue

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import AddressInUseError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received
from rtdecode.view.browser_queue import BrowserQueue
from rtdecode.view.page import Page

log = logging.getLogger(__name__)

_STATUS_S = 0.25
_STOP_S = 5.0
_FOREIGN_ORIGIN = 4403
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_HTTP_PORT = 80
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:",
    "X-Content-Type-Options": "nosniff",
}


class OwnAddress:
    """The names under which browsers reach the page, and the check of a request against them.

    A page elsewhere can give its own name the address of this machine (DNS rebinding); the browser
    then sends that name as Host, and lets the page read the answer. Requests are therefore
    answered only under a loopback name or the configured host, with the port of the page.

    Where the page listens on every interface, the host name of this machine and addresses in
    numbers are its names too, as neither can be given away by a name server elsewhere.
    """

    def __init__(self, host: str, port: int) -> None:
        self._port = port
        configured = f"[{host}]" if ":" in host else host.lower()
        self._names = {*_LOOPBACK, configured}
        self._numbers = host in _EVERY_INTERFACE
        if self._numbers:
            self._names.add(socket.gethostname().lower())

    def permits(self, headers: Headers) -> bool:
        """Whether Host, and Origin where there is one, are names of this page.

        A program other than a browser sends no Origin.
        """
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        return (
            len(hosts) == 1 and self._is_own(hosts[0]) and origins in ([], [f"http://{hosts[0]}"])
        )

    def _is_own(self, host: str) -> bool:
        name, colon, port = host.lower().rpartition(":")
        if not colon or port.endswith("]"):
            name, port = host.lower(), str(_HTTP_PORT)
        if port != str(self._port):
            return False
        return name in self._names or (self._numbers and _is_numeric(name.strip("[]")))


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class HostCheck:
    """Application that answers 403 to requests under a foreign name, and passes on the others."""

    def __init__(self, app: ASGIApp, own_address: Callable[[], OwnAddress]) -> None:
        self._app, self._own_address = app, own_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan" or self._own_address().permits(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif kind == "websocket":
            # Closed before it is accepted, a WebSocket is answered with 403.
            await WebSocket(scope, receive, send).close(_FOREIGN_ORIGIN)
        else:
            refusal = Response("this page is not available under this name", status_code=403)
            await refusal(scope, receive, send)


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
    """

    def __init__(
        self, config: ViewConfig, *, frame_rate_hz: float, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._own_address = OwnAddress(config.host, config.port)
        self._page = Page(frame_rate_hz=frame_rate_hz, clock=clock or HostClock())
        self._queues: set[BrowserQueue] = set()
        self._commands: SimpleQueue[str] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(), log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Start the thread; returns the address of the page.

        Raises
        ------
        AddressInUseError
            If another program uses this address.
        """
        listener = self._listener()
        port = listener.getsockname()[1]
        self._own_address = OwnAddress(self._config.host, port)
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="page")
        self._thread.start()
        self._ready.wait()
        return f"http://{self._config.host}:{port}/"

    def push(self, items: Sequence[Received]) -> None:
        """Send packets of these messages to all browsers, without waiting for them."""
        if self._loop is not None and items:
            with suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._send_packets, list(items))

    def commands(self) -> list[str]:
        """Commands of browsers to the controller since the last call: arm, renew, disarm."""
        return [self._commands.get() for _ in range(self._commands.qsize())]

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
            listener.listen()  # from here on connections wait instead of being refused
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
                WebSocketRoute("/live", self._serve_browser),
                Route("/{name}", serve_file),
            ],
            lifespan=self._lifespan,
            middleware=[Middleware(HostCheck, lambda: self._own_address)],
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
        for packet in self._page.packets_of(items):
            for queue in self._queues:
                queue.put_packet(packet)

    async def _send_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            if self._queues:
                status = self._page.status()
                for queue in self._queues:
                    own = {"dropped": queue.dropped, "may_arm": queue.may_arm}
                    queue.put_text(json.dumps(status | own))

    async def _serve_browser(self, socket: WebSocket) -> None:
        await socket.accept()
        queue = BrowserQueue(may_arm=_is_of_this_machine(socket))
        queue.put_text(json.dumps({"history": self._page.history()}))
        self._queues.add(queue)
        sending = asyncio.create_task(_send(socket, queue))
        try:
            await self._receive(socket, queue)
        finally:
            self._queues.discard(queue)
            sending.cancel()

    async def _receive(self, socket: WebSocket, queue: BrowserQueue) -> None:
        """Read what a browser sends until it disconnects.

        Numbers of drawn frames and of acknowledged alarms, and commands to the controller.
        """
        with suppress(WebSocketDisconnect):
            while True:
                what, _, number = (await socket.receive_text()).rpartition(" ")
                if not (number.isascii() and number.isdecimal()):
                    continue
                if what == "alarm":
                    self._page.acknowledge_alarm(int(number))
                elif what == "disarm" or (what in ("arm", "renew") and queue.may_arm):
                    self._commands.put(what)
                elif not what:
                    queue.acknowledge(int(number))
                    self._page.acknowledge(int(number))


def _is_of_this_machine(socket: WebSocket) -> bool:
    """Whether the browser runs on the machine of the run, or reaches it through a tunnel to it."""
    return socket.client is not None and ip_address(socket.client.host).is_loopback


async def _send(socket: WebSocket, queue: BrowserQueue) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it disconnected meanwhile
        while True:
            for message in await queue.next_packets():
                if isinstance(message, str):
                    await socket.send_text(message)
                else:
                    await socket.send_bytes(message)
