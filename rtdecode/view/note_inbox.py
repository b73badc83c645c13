"""Notes that persons write on the page, on their way to the log.

A note is a POST of plain text to `/note`, from a browser that may act; the gate has checked its
origin. The process of the page sends it as the event that `rtdecode note` sends too.
"""

from collections.abc import Callable
from queue import Full, Queue

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from rtdecode.schema.errors import BadInputError
from rtdecode.schema.messages import Event
from rtdecode.schema.notes import MOST_CHARACTERS, clean_note, note_event
from rtdecode.view.access import Right
from rtdecode.view.gate import RIGHT

MOST_BYTES = 4 * MOST_CHARACTERS
"""Bytes of one note: a character has up to 4."""
_MOST_WAITING = 50
_SOURCE = "view"


class NoteInbox:
    """Takes notes from browsers, and gives them to the process as events.

    Parameters
    ----------
    is_ended
        Whether the run has ended, after which nothing is recorded.
    """

    def __init__(self, is_ended: Callable[[], bool]) -> None:
        self._is_ended = is_ended
        self._notes: Queue[Event] = Queue(_MOST_WAITING)
        self._unsent: list[Event] = []

    async def receive(self, request: Request) -> Response:
        """Take the note of one request; the answer states in words why one is refused."""
        if request.scope[RIGHT] is not Right.ACT:
            return PlainTextResponse("A note needs the address to act.", 403)
        if self._is_ended():
            return PlainTextResponse("The session has ended: use `rtdecode note SESSION`.", 409)
        data = b""
        async for chunk in request.stream():
            data += chunk
            if len(data) > MOST_BYTES:
                text = f"A note has at most {MOST_CHARACTERS:,} characters."
                return PlainTextResponse(text, 413)
        try:
            self._notes.put_nowait(note_event(clean_note(data.decode()), process=_SOURCE))
        except Full:
            return PlainTextResponse("Too many notes wait: give it again later.", 503)
        except (BadInputError, UnicodeDecodeError) as error:
            return PlainTextResponse(f"{error}", 400)
        return Response(status_code=204)

    def send(self, offer: Callable[[Event], bool]) -> None:
        """Pass what waits to `offer`, in order; what it does not take waits on."""
        while self._unsent or not self._notes.empty():
            if not self._unsent:
                self._unsent.append(self._notes.get_nowait())
            if not offer(self._unsent[0]):
                return
            self._unsent.clear()

    @property
    def left(self) -> list[str]:
        """Texts that were not sent."""
        waiting = [self._notes.get_nowait() for _ in range(self._notes.qsize())]
        return [event.text for event in (*self._unsent, *waiting)]
