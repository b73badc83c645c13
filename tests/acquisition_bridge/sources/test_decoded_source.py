"""Link and decoder together: a new connection discards an incomplete message."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.decoded_source import DecodedSource
from acquisition_bridge.sources.intake import DecodedScan, Intake


class Pairs:
    """A decoder: two bytes are a scan, the first its counter."""

    def __init__(self) -> None:
        self._buffer = b""

    def reset(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[DecodedScan]:
        self._buffer += data
        while len(self._buffer) > 1:
            counter, value = self._buffer[:2]
            self._buffer = self._buffer[2:]
            yield DecodedScan(np.full((2, 2), value, np.uint16), counter)


class Line:
    """A link that plays (connection, bytes)."""

    def __init__(self, script: list[tuple[int, bytes]]) -> None:
        self._script = script
        self.connections = 1
        self.closed = False

    @property
    def ended(self) -> bool:
        return not self._script

    def read(self, until_ns: int) -> bytes:
        self.connections, data = self._script.pop(0)
        return data

    def close(self) -> None:
        self.closed = True


def test_scans_come_with_what_the_link_brings(clock: Any) -> None:
    line = Line([(1, b"\x00\x05\x01"), (1, b"\x06"), (2, b"\x04"), (3, b"\x02\x07")])
    spec = FrameSpec(2, 2, "uint16")
    source = DecodedSource(line, Pairs(), clock=clock, spec=spec, intake=Intake(scan_rate_hz=30.0))
    values: list[tuple[int, int]] = []
    while not source.ended:
        values += [
            (s.number, int(s.pixels_counts[0, 0])) for s in source.measured_until(clock.now_ns())
        ]
    # the incomplete pair of the second connection is discarded, the third begins with a full one
    assert values == [(0, 5), (1, 6), (2, 7)]
    assert source.health()["connections"] == 3
    source.close()
    assert line.closed
