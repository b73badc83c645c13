import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcap.reader import make_reader

from rtdecode.schema.errors import LogRemovedError, LogWriteError, SessionExistsError
from rtdecode.session.log import LogWriter


@contextmanager
def _disk_of(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def add(
    writer: LogWriter, data: bytes, *, stream: str = "a/b", seq: int = 0, sent: int = 5
) -> None:
    writer.add(data, stream=stream, seq=seq, t_sent_ns=sent, t_logged_ns=7)


def test_the_libraries_own_reader_finds_every_message(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    add(writer, b"one", stream="bridge/scan", seq=3)
    add(writer, b"two", stream="stimulus/displayed_frame", seq=4)
    add(writer, b"x" * 200_000, stream="bridge/scan", seq=5)
    writer.close()
    with (tmp_path / "log.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        found = [(c.topic, c.message_encoding, m) for _, c, m in reader.iter_messages()]
        summary = reader.get_summary()
    assert [(topic, m.sequence, m.data[:3]) for topic, _, m in found] == [
        ("bridge/scan", 3, b"one"),
        ("stimulus/displayed_frame", 4, b"two"),
        ("bridge/scan", 5, b"xxx"),
    ]
    assert {encoding for _, encoding, _ in found} == {"msgpack"}
    assert {(m.publish_time, m.log_time) for _, _, m in found} == {(5, 7)}
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == 3


def test_a_scan_does_not_wait_for_a_flush(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    for seq in range(20):
        add(writer, bytes(131_072), seq=seq)
    assert (tmp_path / "log.mcap").stat().st_size > 10 * 131_072
    writer.close()


def test_numbers_that_the_index_cannot_hold_are_cut_not_refused(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    add(writer, b"one", seq=2**32 + 1, sent=-9)
    writer.close()
    with (tmp_path / "log.mcap").open("rb") as file:
        [(_, _, message)] = make_reader(file).iter_messages()
    assert (message.sequence, message.publish_time) == (1, 0)


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "log.mcap").write_bytes(b"precious")
    with pytest.raises(SessionExistsError):
        LogWriter(tmp_path / "log.mcap")
    assert (tmp_path / "log.mcap").read_bytes() == b"precious"


def _fill(writer: LogWriter, *, last: str) -> None:
    for _ in range(40 if last == "add" else 1):
        add(writer, bytes(400_000))
    writer.flush() if last == "flush" else writer.close()


@pytest.mark.parametrize("last", ["add", "flush", "close"])
def test_a_disk_that_fills_up_is_a_named_error(tmp_path: Path, last: str) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    with _disk_of(300_000), pytest.raises(LogWriteError, match="what was flushed before is kept"):
        _fill(writer, last=last)
    writer.close()


def test_a_log_that_is_removed_while_it_is_recorded_is_a_named_error(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    writer.flush()
    (tmp_path / "log.mcap").unlink()
    with pytest.raises(LogRemovedError, match="removed or renamed while it was recorded"):
        writer.flush()
    writer.close()
