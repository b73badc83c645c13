"""Messages to record, and a clock that goes only when told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Behaviour, Body, End, Scan, Stamped
from rtdecode.session.log import LogWriter


@dataclass
class HandClock:
    """Time that a test sets."""

    now: int = 1_000_000_000

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, t_ns: int) -> None:
        self.now = max(self.now, t_ns)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def _stamped(body: Body, seq: int, source: str = "bridge") -> Stamped:
    return Stamped(source, seq, t_ns=10_000_000 * seq, clock="host", body=body)


@pytest.fixture
def behaviour() -> Callable[..., Stamped]:
    """Behaviour number `seq`; its running speed is its number."""

    def made(seq: int, source: str = "bridge") -> Stamped:
        body = Behaviour(10_000_000 * seq, float(seq), 20.0, np.array([1, 2], np.float32))
        return _stamped(body, seq, source)

    return made


@pytest.fixture
def scan() -> Callable[[int], Stamped]:
    """Scan number `seq`, 256 × 256 like a real one; every pixel is its number."""

    def made(seq: int) -> Stamped:
        pixels = np.full((256, 256), seq, np.uint16)
        return _stamped(Scan(pixels, seq, 0, 66_000_000 * seq, 66_000_000 * (seq + 1)), seq)

    return made


@pytest.fixture
def end() -> Callable[[dict[str, int]], Stamped]:
    """END of the bridge, which says that it sent up to these numbers."""

    def made(last_seq: dict[str, int]) -> Stamped:
        return _stamped(End(session="s", reason="asked", last_seq=last_seq), 0)

    return made


@pytest.fixture
def log(tmp_path: Path, behaviour: Callable[..., Stamped]) -> Path:
    """A whole log of 40 behaviour samples, got 12 ms apart."""
    path = tmp_path / "log.mcap"
    writer = LogWriter(path)
    for seq in range(40):
        message = behaviour(seq)
        writer.add(
            pack(message),
            stream=message.stream,
            seq=seq,
            t_sent_ns=message.t_ns,
            t_logged_ns=12_000_000 * seq + 1,
        )
        if seq % 5 == 4:
            writer.flush()
    writer.close()
    return path
