"""The part of a session that an export writes, in seconds since its first message."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.series import Series

BLOCK = 256
"""Values of a stream that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, by default the whole session.

    >>> Span(2.0, 3.0).is_whole, Span().is_whole
    (False, True)
    """

    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole session."""
        return self.start_s <= 0 and math.isinf(self.end_s)

    def of(self, stream: RecordedStream) -> RecordedStream:
        """The part of `stream` in this span."""
        # a frame may have been on the screen before the first message was recorded
        return stream if self.is_whole else stream.between(self.start_s, self.end_s)

    def holds(self, t_s: float) -> bool:
        """Whether a time lies in this span."""
        return self.is_whole or self.start_s <= t_s < self.end_s


def blocks(stream: RecordedStream, *, size: int = BLOCK) -> Iterator[Series]:
    """The values of `stream`, block by block."""
    for first in range(0, len(stream), size):
        yield stream[first : first + size].load()
