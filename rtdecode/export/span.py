"""The part of a session that an export writes, in seconds since its first message, and its size."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.series import Series

BLOCK = 256
"""Values of a stream that are in memory at once."""
_IN_FILE: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "npz": dict.fromkeys(
            ("displayed", "decoded", "uncertainty", "activity", "fluorescence", "neuropil"), 1.0
        ),
        # float32 of measured noise is compressed to about 0.6, grey levels to half
        "nwb": {"displayed": 0.5}
        | dict.fromkeys(("decoded", "uncertainty", "activity", "fluorescence", "neuropil"), 0.6),
        # of about two scans a second, each a byte a pixel
        "foxglove": {"displayed": 2.0, "decoded": 0.15, "uncertainty": 0.2, "scans": 0.06},
        "sensorium": {"displayed": 2.0, "activity": 0.5},
        # four panels of ten times the rows
        "mp4": {"displayed": 12.0},
    }
)
"""Bytes in a file of each format for each byte of a stream in memory."""


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


def needed_bytes(session: RecordedSession, *, to: str, span: Span) -> float:
    """Estimated size in bytes of an export of `session`; 0 where nothing of it is written."""
    in_file = _IN_FILE.get(to, {})
    held = {name: span.of(session.stream(name)) for name in session.streams if name in in_file}
    return sum(
        in_file[name] * len(stream) * stream[:1].load().values.nbytes
        for name, stream in held.items()
        if len(stream)
    )
