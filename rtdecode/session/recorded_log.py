"""The log behind the streams of a recorded session: messages, and what is known without arrays.

Duties: state what a stream is (`StreamKind`), read its messages one by one, and keep the times,
numbers and names of those that were read. It must not know which streams there are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.runtime.codec import unpack
from rtdecode.schema.errors import MessageError, UnreadableFileError
from rtdecode.schema.messages import Stamped
from rtdecode.session.message_heads import message_head
from rtdecode.session.message_index import MessageIndex
from rtdecode.session.series import I64, Coords

Read = Callable[[Stamped], Any]


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What a stream of a session is, and how it is read from its messages."""

    name: str
    stream: str
    """Name of the stream in the log."""
    unit: str
    dims: tuple[str, ...]
    values: Callable[[Any], NDArray[Any]]
    """The values of one message, from its body."""
    t_ns: Callable[[Stamped], int]
    """Time of one message."""
    t_means: str
    """What the times are the times of."""
    coords: Mapping[str, Read]
    """What else is known of each message; the same for all kinds of one stream."""
    fixed: Coords
    """What is known of the other axes."""
    is_part: Callable[[Any], bool] | None = None
    """Which messages belong to it; None for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """What is known of the messages of a stream without their arrays."""

    t_ns: I64
    coords: Mapping[str, NDArray[Any]]
    is_part: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Presentation:
    """A clip that was displayed once, from its first flip to the flip after its last frame."""

    clip: str
    number: int
    """How often the clip was displayed before."""
    t_start_ns: int
    t_end_ns: int
    t_start_s: float
    """Seconds since the first message of the session, as `t_end_s`."""
    t_end_s: float
    n_frames: int


class RecordedLog:
    """The messages of one log, the heads that were read of them, and the clips."""

    def __init__(self, path: Path, index: MessageIndex) -> None:
        self.path, self.index = path, index
        self.bytes_read = 0
        """Bytes that were read from the log since it was opened, without its index."""
        self.presentations: Callable[[], Sequence[Presentation]] = lambda: ()
        self._heads: dict[str, Heads] = {}

    def heads(self, kind: StreamKind) -> Heads:
        """Times and numbers of all messages of `kind`; they are read once."""
        if kind.stream not in self._heads:
            count = len(self.index.places[kind.stream])
            self._heads[kind.stream] = self._read_heads(kind, range(count))
        return self._heads[kind.stream]

    def heads_of(self, kind: StreamKind, numbers: Sequence[int] | I64) -> Heads:
        """Times and numbers of some messages of `kind`."""
        if kind.stream in self._heads or len(numbers) == len(self.index.places[kind.stream]):
            known = self.heads(kind)
            chosen = np.asarray(numbers, np.int64)
            coords = {name: column[chosen] for name, column in known.coords.items()}
            return Heads(known.t_ns[chosen], coords, known.is_part[chosen])
        return self._read_heads(kind, numbers)

    def _read_heads(self, kind: StreamKind, numbers: Sequence[int] | I64) -> Heads:
        places = self.index.places[kind.stream]
        with self.index.opened() as messages:
            each = (message_head(messages, places, int(number)) for number in numbers)
            with _damage_named(self.path):
                found = heads_in(kind, each)
            self.bytes_read += messages.bytes_read
        return found

    def messages(self, kind: StreamKind, numbers: I64) -> Iterator[Stamped]:
        """Whole messages of `kind`, one after another; UnreadableFileError at a damaged one."""
        places = self.index.places[kind.stream]
        with self.index.opened() as messages:
            for number in numbers:
                yield unpacked(messages.content(places, int(number)), log=self.path)
            self.bytes_read += messages.bytes_read


def unpacked(content: bytes, *, log: Path) -> Stamped:
    """A message of `log`; UnreadableFileError where it is damaged."""
    with _damage_named(log):
        return unpack(content)


@contextmanager
def _damage_named(log: Path) -> Iterator[None]:
    """Block that reads messages of `log`; one that is not valid is damage of the file."""
    try:
        yield
    except MessageError as error:
        raise UnreadableFileError(
            what="session log",
            path=log,
            expected="a valid message where its index states one",
            got=str(error),
            remedy="`check()` states what is damaged; opened with checked=True, the session leaves "
            "it out",
        ) from error


def heads_in(kind: StreamKind, messages: Iterable[Stamped]) -> Heads:
    """Times and numbers of `messages`, which may be whole."""
    times, part = list[int](), list[bool]()
    columns: dict[str, list[Any]] = {name: [] for name in kind.coords}
    for message in messages:
        times.append(kind.t_ns(message))
        part.append(kind.is_part is None or kind.is_part(message.body))
        for name, read in kind.coords.items():
            columns[name].append(read(message))
    return Heads(
        np.array(times, np.int64),
        {name: np.array(column) for name, column in columns.items()},
        np.array(part, np.bool_),
    )
