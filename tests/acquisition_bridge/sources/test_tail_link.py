"""A growing file: every byte once, in order; a replaced file is a new connection."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.raw_tail import TailLink


class StillClock:
    """A clock that stands still but for sleeping."""

    t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


@given(pieces=st.lists(st.binary(max_size=20), max_size=10))
def test_every_byte_comes_once_and_in_order(pieces: list[bytes], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("tail") / "x.raw"
    link, read = TailLink(path, clock=StillClock(), idle_s=None), b""
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        read += link.read(0)
    link.close()
    assert read == b"".join(pieces)


def test_it_waits_for_a_file_that_is_not_there_yet(tmp_path: Path, clock: Any) -> None:
    link = TailLink(tmp_path / "x.raw", clock=clock, idle_s=0.1)
    for _ in range(5):
        assert link.read(clock.now_ns() + 50_000_000) == b""
    assert not link.ended
    assert link.connections == 0
    link.close()


def test_a_replaced_or_truncated_file_is_a_new_connection(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(b"first")
    link = TailLink(path, clock=clock, idle_s=None)
    assert link.read(0) == b"first"
    path.write_bytes(b"cut")
    assert (link.read(0), link.connections) == (b"cut", 2)
    path.rename(tmp_path / "old.raw")
    path.write_bytes(b"another")
    assert (link.read(0), link.connections) == (b"another", 3)
    link.close()


def test_it_ends_when_the_file_has_not_grown_for_so_long(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(b"all")
    link = TailLink(path, clock=clock, idle_s=0.5)
    assert link.read(0) == b"all"
    assert link.read(clock.now_ns() + 400_000_000) == b""
    assert not link.ended
    assert link.read(clock.now_ns() + 200_000_000) == b""
    assert link.ended
    link.close()
