"""Which requests the page answers: its own names, its own origin, and browsers with a right.

Duties: check Host and Origin of each request, exchange the token in an address for a cookie, note
the right of a request in its scope, refuse all others with a sentence that states what to do, and
add the headers that keep other pages out. It does not know what the page shows.
"""

import asyncio
import socket
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Address, ip_address
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from rtdecode.schema.config.session import ViewConfig, is_ip_address
from rtdecode.view.access import PARAMETERS, PageAccess, Right, is_local

RIGHT = "rtdecode.right"
"""Key of a scope that holds the right of its request."""
OPENING = "/open"
"""Path to which an address with a token leads. Its page leads on to the live page by itself: the
cookie, which is never sent where a page of another site leads here, is then sent."""
_REFUSED_CLOSE = 4403
_GUESS_DELAY_S = 0.2
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_DEFAULT_PORTS = {"http": 80, "https": 443}
_BEARER = "Bearer "
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FOREIGN = (
    "This page is not available under this name: open it under the address that the terminal of "
    "the run prints, or add the name to view.names in the config."
)
_NO_RIGHT = (
    "This page belongs to a run of rtdecode, and this browser has no access to it.\n\n"
    "Open the whole address that the terminal of the run prints, with all that follows the "
    "question mark; it is also in page.txt in the folder of the session. An address is valid until "
    "its run ends, and the next run has another one. The browser must accept the cookie of this "
    "page.\n"
)


class OwnAddress:
    """The names under which browsers reach the page, and the check of a request against them.

    A page elsewhere can give its own name the address of this machine (DNS rebinding); the browser
    then sends that name as Host, and lets the page read the answer. Requests are therefore
    answered only under a loopback name, the configured host and names, and in numbers under the
    address at which the request has arrived, always with the port of the page.

    Where the page listens on every interface, the host name of this machine is one of its names.
    """

    def __init__(self, config: ViewConfig, *, port: int, scheme: str = "http") -> None:
        self.scheme, self.port = scheme, port
        names = (config.host, *config.names)
        self._names = {*_LOOPBACK, *(_bracketed(name.lower()) for name in names)}
        if config.host in _EVERY_INTERFACE:
            self._names.add(socket.gethostname().lower())

    def permits(self, headers: Headers, *, arrived_at: str = "") -> bool:
        """Whether Host, and Origin where there is one, are names of this page.

        `arrived_at` is the IP address of this machine at which the connection has arrived. A
        program other than a browser sends no Origin.
        """
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        return (
            len(hosts) == 1
            and self._is_own(hosts[0], arrived_at)
            and origins in ([], [f"{self.scheme}://{hosts[0]}"])
        )

    def _is_own(self, host: str, arrived_at: str) -> bool:
        name, colon, port = host.lower().rpartition(":")
        if not colon or port.endswith("]"):
            name, port = host.lower(), str(_DEFAULT_PORTS[self.scheme])
        if port != str(self.port):
            return False
        return name in self._names or _same_address(name.strip("[]"), arrived_at)


def _same_address(given: str, other: str) -> bool:
    """Whether both are the same IP address; an IPv4 address may be written as IPv6."""
    if not (is_ip_address(given) and is_ip_address(other)):
        return False
    found = [ip_address(one.partition("%")[0]) for one in (given, other)]
    plain = [(one.ipv4_mapped or one) if isinstance(one, IPv6Address) else one for one in found]
    return plain[0] == plain[1]


def _bracketed(host: str) -> str:
    """`host` as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def printed_host(config: ViewConfig, *, listens_at: str) -> str:
    """Host of the address that is printed: the first of `names`, or where the page listens.

    >>> printed_host(ViewConfig(host="0.0.0.0", names=("rig.lab",)), listens_at="0.0.0.0")
    'rig.lab'
    """
    if config.names:
        return _bracketed(config.names[0])
    if is_local(listens_at):
        return _bracketed(listens_at)
    if config.host in _EVERY_INTERFACE:
        return _bracketed(_address_of_this_machine(config.host))
    return _bracketed(config.host)


def _address_of_this_machine(listens_at: str) -> str:
    """Address from which this machine would send to another network; its name where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))  # of no machine (RFC 5737); nothing is sent
        except OSError:
            return socket.gethostname()
        return str(trial.getsockname()[0])


class Gate:
    """Application that passes on the requests that the page answers, and refuses the others.

    Parameters
    ----------
    app
        The page. It finds the right of a request at `RIGHT` in the scope.
    own_address
        Names of the page.
    access
        Tokens of the run; None for a page of this machine alone, where everybody may act.
    on_refused
        Called for each request that is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        own_address: Callable[[], OwnAddress],
        access: Callable[[], PageAccess | None],
        on_refused: Callable[[], None],
    ) -> None:
        self._app, self._own_address, self._access = app, own_address, access
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent = self._with_headers(scope, send)
        arrived_at = (scope.get("server") or ("",))[0]
        if not self._own_address().permits(Headers(scope=scope), arrived_at=arrived_at):
            await self._refuse(scope, receive, sent, _FOREIGN)
            return
        access = self._access()
        token = "" if access is None or scope["type"] != "http" else _token(scope)
        if access is not None and token:
            await self._open(access, token, scope, receive, sent)
            return
        given = self._given(Headers(scope=scope))
        scope[RIGHT] = Right.ACT if access is None else access.of_any(given)
        if scope[RIGHT] is Right.NONE and scope["path"] != OPENING:
            await self._refuse(scope, receive, sent, _NO_RIGHT, guessed=given)
            return
        await self._app(scope, receive, sent)

    async def _open(
        self, access: PageAccess, token: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Exchange the token of an address for a cookie."""
        right = access.of_token(token)
        if right is Right.NONE:
            await self._refuse(scope, receive, send, _NO_RIGHT, guessed=token)
            return
        answer = RedirectResponse(OPENING, status_code=303)
        answer.set_cookie(
            self._cookie_name(),
            access.cookie(right),
            path="/",
            secure=self._is_encrypted(),
            httponly=True,
            samesite="strict",
        )
        await answer(scope, receive, send)

    def _given(self, headers: Headers) -> str:
        """Cookie of a browser, or the token that a program sends as Bearer; empty where none."""
        bearer = headers.get("authorization", "")
        if bearer.startswith(_BEARER):
            return bearer.removeprefix(_BEARER)
        return _cookie(headers, self._cookie_name())

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, why: str, *, guessed: str = ""
    ) -> None:
        self._on_refused()
        if guessed:
            await asyncio.sleep(_GUESS_DELAY_S)
        if scope["type"] == "websocket":
            # closed before it is accepted, a WebSocket is answered with 403
            await WebSocket(scope, receive, send).close(_REFUSED_CLOSE)
        else:
            await Response(why, status_code=403, media_type="text/plain")(scope, receive, send)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                # browsers ignore it with a message elsewhere
                if self._is_encrypted() or is_local(_host_of(scope)):
                    headers["Cross-Origin-Opener-Policy"] = "same-origin"
            await send(message)

        return sent

    def _is_encrypted(self) -> bool:
        return self._own_address().scheme == "https"

    def _cookie_name(self) -> str:
        """A name for each port, as browsers send the cookies of one port to all of a host."""
        prefix = "__Host-" if self._is_encrypted() else ""
        return f"{prefix}rtdecode-{self._own_address().port}"


def _token(scope: Scope) -> str:
    """Token in the address of a request; empty where it has none."""
    fields = parse_qsl(scope["query_string"].decode("latin-1"))
    return next((value for name, value in fields if name in PARAMETERS), "")


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _host_of(scope: Scope) -> str:
    return Headers(scope=scope).get("host", "").rpartition(":")[0].strip("[]")
