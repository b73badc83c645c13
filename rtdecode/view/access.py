"""Who may open the page and act on it: addresses with a token of the run, cookies, and rights.

A page of this machine alone needs none: whoever reaches it may act, as a person at the terminal
may. Any other page has two addresses, one to watch and one to act. Opening one sets a cookie in the
browser, which holds until the run ends. All tokens follow from a secret that is made anew for each
run and is known to the supervisor and the process of the page: a restarted page knows the same
ones, and none is sent to it, logged or passed on a command line.

>>> access = PageAccess("0123456789abcdef")
>>> access.of_token(access.token(Right.WATCH)), access.of_token("guessed")
(<Right.WATCH: 1>, <Right.NONE: 0>)
>>> PageAccess("of the next run").of_token(access.token(Right.ACT))
<Right.NONE: 0>
"""

import base64
import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import IntEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from rtdecode.runtime.owner_file import new_owner_file
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import Health

log = logging.getLogger(__name__)
_BYTES = 24
_LOCAL = "localhost"


class Right(IntEnum):
    """What a browser may do; each includes those before it."""

    NONE = 0
    WATCH = 1
    """See all that the page shows."""
    ACT = 2
    """Arm and disarm the controller, and acknowledge alarms."""


_GIVEN = (Right.WATCH, Right.ACT)
PARAMETERS = {"watch": Right.WATCH, "act": Right.ACT}
"""Parameter of an address that carries the token → the right that it asks for."""


class PageAccess:
    """Tokens and cookies of one run, and the right that each gives.

    Parameters
    ----------
    secret
        Secret of the run; not empty.
    """

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the secret of a page must not be empty")
        self._secret = secret
        self._tokens = {self.token(right): right for right in _GIVEN}
        self._cookies = {self.cookie(right): right for right in _GIVEN}

    def token(self, right: Right) -> str:
        """Token of the address that gives `right`, 32 characters of base64."""
        return self._derived(f"page address {right.name}")

    def cookie(self, right: Right) -> str:
        """Value of the cookie that gives `right`; it is not the token."""
        return self._derived(f"page cookie {right.name}")

    def of_token(self, given: str) -> Right:
        """The right that the token of an address gives; each comparison takes the same time."""
        return _found(given, self._tokens)

    def of_any(self, given: str) -> Right:
        """The right that a cookie, or the token of a program, gives."""
        return max(_found(given, self._cookies), self.of_token(given))

    def _derived(self, purpose: str) -> str:
        digest = hmac.digest(self._secret.encode(), purpose.encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:_BYTES]).decode("ascii")


def _found(given: str, rights: dict[str, Right]) -> Right:
    data = given.encode("utf-8", "surrogateescape")
    # all are compared, so that the time does not depend on which one is equal
    equal = [hmac.compare_digest(data, known.encode("ascii")) for known in rights]
    found = [right for right, is_equal in zip(rights.values(), equal, strict=True) if is_equal]
    return max(found, default=Right.NONE)


def is_local(host: str) -> bool:
    """Whether `host`, without brackets, is reachable from this machine alone.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("rig.lab")
    (True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == _LOCAL


def page_addresses(address: str, *, secret: str) -> dict[Right, str]:
    """Addresses to open by the right that they give, of a page at `address`.

    >>> page_addresses("http://127.0.0.1:4242/", secret="secret")
    {<Right.ACT: 2>: 'http://127.0.0.1:4242/'}
    """
    if is_local(urlsplit(address).hostname or ""):
        return {Right.ACT: address}
    access = PageAccess(secret)
    return {right: f"{address}?{name}={access.token(right)}" for name, right in PARAMETERS.items()}


def unencrypted(view: ViewConfig) -> str:
    """Warning about a page that leaves this machine without TLS; empty for any other."""
    if view.certificate is not None or (is_local(view.host) and not view.names):
        return ""
    return (
        f"view.host {view.host} opens the page to the network without TLS: whoever can read the "
        f"traffic there can read the page and act on it; give view.certificate and view.private_key"
    )


class PageAddresses:
    """Adds the tokens to the page's address on its way to the terminal, and keeps them in a file.

    The process of the page states its address without them. The file, readable for its user alone,
    is there while the run goes on: for a terminal that was closed, and for a run without one.

    Parameters
    ----------
    file
        Where the addresses are kept.
    secret
        Secret of the run, as the process of the page has it.
    on_health
        Gets all heartbeats; that of the page has an address in each line of its detail.
    joined_host
        Name of the host of the page, where it is not that of the terminal.
    """

    def __init__(
        self,
        file: Path,
        *,
        secret: str,
        on_health: Callable[[str, Health], None],
        joined_host: str = "",
    ) -> None:
        self._joined_host = joined_host
        self._file, self._secret, self._on_health = file, secret, on_health
        self._written = ""

    def update(self, name: str, health: Health) -> None:
        """Pass on a heartbeat of the process `name`."""
        if name == Role.VIEW and health.detail:
            addresses = page_addresses(health.detail, secret=self._secret)
            detail = "\n".join(addresses.values())
            if len(addresses) > 1 and detail != self._written:
                self._written = detail
                self._write(f"{one}\n" for one in addresses.values())
            elif len(addresses) == 1 and self._joined_host:
                detail += f" (in a browser on the host {self._joined_host} alone)"
            health = replace(health, detail=detail)
        self._on_health(name, health)

    def remove(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)

    def _write(self, lines: Iterable[str]) -> None:
        try:
            self.remove()
            with new_owner_file(self._file) as file:
                file.writelines(lines)
        except OSError as error:  # a full disk ends a run by itself; the page alone never does
            log.warning("%s cannot be written: %s", self._file, error)
