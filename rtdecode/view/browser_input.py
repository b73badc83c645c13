"""What a browser may send, and how much of it; anything else ends its connection with a code.

>>> browser = BrowserInput(Right.WATCH)
>>> browser.read("1031", t_ns=0)
BrowserMessage(what='', number=1031)
>>> browser.read("arm 1", t_ns=0)
Traceback (most recent call last):
rtdecode.view.browser_input.UnwantedInputError: arm needs the address to act
"""

import re
from dataclasses import dataclass

from rtdecode.view.access import Right

MOST_BYTES = 64
"""Bytes of a message; the longest that a browser sends has about 30."""
BURST, PER_S = 240, 120
"""Messages at once, and on average; a browser sends one for each frame that it has drawn."""
PRESENT = "present"
"""Message of a browser that displays frames as they happen (1), or no longer (0)."""
WATCHING = ("watch", "trace", "untrace", PRESENT)
"""Messages about what one browser displays, for which no right to act is needed."""
_FORM = re.compile(rf"(?:(alarm|arm|renew|disarm|{'|'.join(WATCHING)}) )?([0-9]{{1,18}})", re.ASCII)
_NS_PER_S = 1e9
_WRONG_KIND, _NOT_PERMITTED = 1003, 1008


class UnwantedInputError(Exception):
    """The connection is closed with `code`, as in RFC 6455."""

    def __init__(self, reason: str, *, code: int = _NOT_PERMITTED) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class BrowserMessage:
    """A drawn frame, an acknowledged alarm, a command to the controller, or what is watched."""

    what: str
    """Empty for a drawn frame, else alarm, arm, renew, disarm, or one of `WATCHING`."""
    number: int


@dataclass(frozen=True, slots=True)
class BrowserCommand:
    """A command to the controller."""

    name: str
    """arm, renew or disarm."""
    peer: str
    """IP address of the browser that sent it."""


class BrowserInput:
    """Reads the messages of one browser that has `right`."""

    def __init__(self, right: Right) -> None:
        self._right = right
        self._left, self._at_ns = float(BURST), 0

    def read(self, text: str | None, *, t_ns: int) -> BrowserMessage:
        """The message `text`, received at `t_ns` (HostNs); None for a binary one.

        Raises
        ------
        UnwantedInputError
            If a browser of rtdecode sends no such message, or not as many, or has no right to.
        """
        self._count(t_ns)
        if text is None:
            raise UnwantedInputError("binary messages are not read", code=_WRONG_KIND)
        found = _FORM.fullmatch(text)
        if found is None:
            raise UnwantedInputError("a message of another form")
        what, number = found[1] or "", int(found[2])
        if what and what not in WATCHING and self._right < Right.ACT:
            raise UnwantedInputError(f"{what} needs the address to act")
        return BrowserMessage(what, number)

    def _count(self, t_ns: int) -> None:
        gained = (t_ns - self._at_ns) / _NS_PER_S * PER_S
        self._left, self._at_ns = min(BURST, self._left + gained) - 1, t_ns
        if self._left < 0:
            raise UnwantedInputError("too many messages")
