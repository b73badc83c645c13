"""PrairieView's script commands over TCP (port 1236): arguments between SOH, CRLF at the end.

The answer is `ACK`, then the lines that the command gives, then `DONE`, each with CRLF; a refused
command is answered by a line that begins with `ERROR`. Not tried on a real rig.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress

from rtdecode.schema.errors import StreamError

_SEPARATOR, _END = "\x01", b"\r\n"
_ANSWER_S = 5.0
_MOST_BYTES = 1 << 20


def encoded(arguments: Sequence[str]) -> bytes:
    """Bytes of one command; raises StreamError for what would end an argument or the command."""
    for argument in arguments:
        if not argument.isascii() or not argument.isprintable() or not argument:
            raise _error(f"{argument!r:.80} cannot be an argument")
    return _SEPARATOR.join(arguments).encode() + _END


def answer(data: bytes) -> list[str] | None:
    """Lines between ACK and DONE, None while they are incomplete; raises StreamError."""
    whole = data[: data.rfind(_END) + len(_END)] if _END in data else b""
    lines = whole.decode("utf-8", "replace").split("\r\n")[:-1]
    if lines and lines[0] != "ACK":
        raise _error(f"it answered {lines[0]!r:.80} instead of ACK")
    refused = next((line for line in lines if line.upper().startswith("ERROR")), None)
    if refused is not None:
        raise _error(f"it refused the command: {refused:.200}")
    return lines[1 : lines.index("DONE")] if "DONE" in lines else None


class PrairieControl:
    """A connection that sends one command after the other and waits for each answer."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_connection((host, port), _ANSWER_S)
        except OSError as error:
            raise _error(f"nobody answers at {host}:{port} ({error})") from error

    def command(self, *arguments: str) -> list[str]:
        """Send a command and give its answer's lines; StreamError where it is refused."""
        self._socket.sendall(encoded(arguments))
        data = b""
        while (lines := answer(data)) is None:
            data += self._received()
            if len(data) > _MOST_BYTES:
                raise _error("its answer does not end")
        return lines

    def close(self) -> None:
        """Leave; PrairieView expects to be told."""
        with suppress(OSError):
            self._socket.sendall(encoded(["-x"]))
        self._socket.close()

    def _received(self) -> bytes:
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError as error:
            raise _error(f"no answer within {_ANSWER_S:g} s") from error
        if not data:
            raise _error("it closed the connection")
        return data


class PrairieSwitch:
    """Asks PrairieView for raw samples, `buffered_frames` kept while we are slow, none left out.

    With 0 buffered frames PrairieView would keep the newest and silently leave out the others.
    """

    def __init__(self, host: str, port: int, *, buffered_frames: int) -> None:
        self._address = (host, port)
        self._buffered_frames = buffered_frames
        self._control: PrairieControl | None = None

    def turn_on(self) -> None:
        """Connect and switch the stream on; raises StreamError."""
        self._control = PrairieControl(*self._address)
        self._control.command("-srd", "True", str(self._buffered_frames))

    def turn_off(self) -> None:
        """Switch the stream off and leave."""
        if self._control is not None:
            with suppress(StreamError, OSError):
                self._control.command("-srd", "False")
            self._control.close()
            self._control = None


def _error(reason: str) -> StreamError:
    return StreamError(stream="prairie_raw (its control)", reason=reason)
