"""Start and stop of a run by another program: requests of one line of text, and their answers.

A request is one ZeroMQ message of text, `VERB TOKEN`, from a REQ or DEALER socket, with the verbs
of `Verb`; the text of a note follows on the next lines. Its answer is one message, `accepted: …` or
`refused: …`. Where the endpoint is one of this computer the token must be that of `requests.json`
in the session folder, which its user alone can read. Over the network the key of the sender takes
its place.
"""

import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from threading import Event

from rtdecode.runtime.limits import NO_MESSAGE_BYTES
from rtdecode.runtime.owner_file import Access
from rtdecode.runtime.sockets import Arrivals, Messaging, has_room, received_parts
from rtdecode.schema.errors import BadInputError, NoRunError, RunSilentError
from rtdecode.schema.messages import Event as EventMessage
from rtdecode.schema.notes import clean_note, note_event

ANSWER_S = 5.0
_SUPERVISOR = "supervisor"
_LINE = "\n"


class Verb(StrEnum):
    """What another program may ask for."""

    START = "start"
    STOP = "stop"
    STATE = "state"
    NOTE = "note"
    """Record the text that follows as a note."""


class RunState(StrEnum):
    """Answers to `state`."""

    PREPARING = "preparing"
    """Hosts join, and processes become ready."""
    READY = "ready"
    """All processes are ready, and the start is awaited."""
    RUNNING = "running"


class RunRequests:
    """The end of the supervisor: takes requests and answers them.

    Parameters
    ----------
    stop
        Set by the request `stop`.
    record
        Records an event; False where the session has not begun, or is at its end.
    """

    def __init__(
        self,
        messaging: Messaging,
        *,
        endpoint: str,
        stop: Event,
        record: Callable[[EventMessage], bool] = lambda _event: False,
    ) -> None:
        self._messaging = messaging
        self._socket = messaging.router(endpoint, largest=NO_MESSAGE_BYTES)
        self._stop, self._record, self._token = stop, record, secrets.token_hex(16)
        self.access = Access(endpoint, self._token)
        self.state = RunState.PREPARING
        self.is_started = False
        """Whether a start was asked for."""

    def answer(self) -> None:
        """Answer all requests that have come."""
        arrivals = Arrivals(self._messaging, self._socket, 0.0)
        for _, parts in arrivals:
            # the empty part of a REQ socket stands before the text, and before its answer
            text = self._answer_to(parts[-1].decode(errors="replace"), host=arrivals.host)
            if has_room(self._socket):
                self._socket.send_multipart([*parts[:-1], text.encode()])

    def _answer_to(self, request: str, *, host: str) -> str:
        """The answer to a `request`; the key of another `host` has been checked."""
        head, _, text = request.partition("\n")
        verb, _, token = head.partition(" ")
        if not host and not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            return "refused: the token is not that of requests.json of this session"
        return self._noted(text) if verb == Verb.NOTE else self._answered(verb)

    def _noted(self, text: str) -> str:
        try:
            event = note_event(clean_note(text), process=_SUPERVISOR)
        except BadInputError as error:
            return f"refused: {error}"
        if not self._record(event):
            return "refused: the session has not begun yet, or ends now: give the note again later"
        return "accepted: the note is recorded in the log"

    def _answered(self, verb: str) -> str:
        if verb == Verb.STATE:
            return f"accepted: {self.state.value}"
        if verb == Verb.STOP:
            self._stop.set()
            return "accepted: the run ends"
        if verb != Verb.START:
            return f"refused: '{verb:.20}' is none of {', '.join(Verb)}"
        if self.state is RunState.RUNNING:
            return "refused: the run has started already"
        self.is_started = True
        is_ready = self.state is RunState.READY
        return "accepted: the run starts" + ("" if is_ready else " once all processes are ready")


def request_access(path: Path) -> Access:
    """What `path`, the `requests.json` of a session, gives access to. Raises NoRunError."""
    try:
        return Access.read(path)
    except FileNotFoundError as error:
        got = f"it has no {path.name}, which is there while its run goes on"
        raise NoRunError(folder=path.parent, got=got) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NoRunError(folder=path.parent, got=f"its {path.name} cannot be read") from error


def requested(
    access: Access, verb: Verb, *, text: str = "", wait_s: float = ANSWER_S
) -> tuple[bool, str]:
    """Ask for `verb`, with the `text` of a note; whether it was accepted, and what the answer says.

    Raises RunSilentError.
    """
    name = f"request-{secrets.token_hex(4)}"
    with Messaging() as messaging:
        socket = messaging.dealer(access.endpoint, identity=name)
        socket.send(f"{verb} {access.token}{_LINE + text if text else ''}".encode())
        for _, parts in received_parts(socket, wait_s):
            outcome, _, answer = parts[-1].decode(errors="replace").partition(": ")
            return outcome == "accepted", answer
    raise RunSilentError(verb=verb, waited_s=wait_s)
