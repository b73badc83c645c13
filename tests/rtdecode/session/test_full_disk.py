"""A log on a disk that is full ends with its index where space was in reserve, and can be read."""

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcap.reader import make_reader

from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import LogFullError, LogRemovedError, LogWriteError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Stamped
from rtdecode.session.log_file import LogFile
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

Message = Callable[..., Stamped]
DISK_BYTES = 1_000_000


class SmallDisk:
    """The raw file of a log on a disk without space beyond `DISK_BYTES`.

    A write that does not fit is cut, as by the system, and the next one fails. The space of the
    reserve is added once the reserve is given up, if there was one and `errno_` is about space.
    """

    def __init__(self, log: LogFile, errno_: int) -> None:
        self._file, self._log, self._errno = log._file, log, errno_
        self._reserve_bytes = log._reserved_bytes if errno_ != errno.EIO else 0
        self.written = self._file.tell()

    def write(self, data: bytearray) -> int:
        left = DISK_BYTES - self.written
        left += self._reserve_bytes if self._log._reserve is None else 0
        if left <= 0:
            raise OSError(self._errno, "injected")
        written = self._file.write(bytes(data[:left])) or 0
        self.written += written
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def on_small_disk(recorder: Recorder, errno_: int) -> Recorder:
    file = recorder._log._writer._file
    file._file = SmallDisk(file, errno_)
    return recorder


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Iterator[Recorder]:
    made = Recorder(tmp_path, flush_s=1.0, clock=clock)
    yield made
    made.close()


def fill(recorder: Recorder, scan: Message) -> None:
    """Write scans 33 ms apart until the recorder refuses."""
    for seq in range(100):
        message = scan(seq)
        recorder.write(pack(message), message, 1_000_000_000 + seq * 33_000_000)


def plain(log: Path) -> list[tuple[str, int]]:
    """Stream and number of every message, by the index, read with `mcap` alone."""
    with log.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_summary() is not None
        return [(c.topic, m.sequence) for _, c, m in reader.iter_messages()]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_on_a_full_disk_the_log_has_all_messages_its_index_and_the_event(
    tmp_path: Path, recorder: Recorder, scan: Message, code: int
) -> None:
    with pytest.raises(LogFullError):
        fill(on_small_disk(recorder, code), scan)
    n = recorder.report().counts["bridge/scan"]
    recorder.close()
    log = tmp_path / "log.mcap"
    scans = [("bridge/scan", seq) for seq in range(n)]
    assert sorted(plain(log)) == sorted([*scans, ("recorder/event", 0)])
    [event] = [
        item.message.body
        for item in LogReader(log).messages(lambda stream: stream.endswith("/event"))
    ]
    assert isinstance(event, Event)
    assert (event.severity, event.code) == ("alarm", "disk_full")
    assert f"every message of its first {(n - 1) * 0.033:.1f} s and nothing after" in event.text
    assert LogReader(log).has_index()


def test_the_error_names_the_disk_and_what_to_do(
    tmp_path: Path, recorder: Recorder, scan: Message
) -> None:
    on_small_disk(recorder, errno.ENOSPC)
    with pytest.raises(LogFullError, match=r"disk mounted at / is full \(No space") as error:
        fill(recorder, scan)
    assert "free space at /, or record on another disk" in str(error.value)
    assert error.value.exit_code == 1


def test_a_disk_that_fails_leaves_a_log_of_whole_records(
    tmp_path: Path, recorder: Recorder, scan: Message
) -> None:
    on_small_disk(recorder, errno.EIO)
    with pytest.raises(LogWriteError, match="Input/output error"):
        fill(recorder, scan)
    recorder.close()
    reader = LogReader(tmp_path / "log.mcap")
    kept = [entry.seq for entry in reader.logged()]
    assert kept == list(range(len(kept)))
    assert len(kept) == DISK_BYTES // len(pack(scan(0)))
    assert [part.size for part in reader.damage] == [0]


@contextmanager
def _files_of(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_of_the_file_size_leaves_a_log_of_whole_records(
    tmp_path: Path, recorder: Recorder, scan: Message
) -> None:
    with _files_of(300_000), pytest.raises(LogWriteError, match="File too large"):
        fill(recorder, scan)
    recorder.close()
    reader = LogReader(tmp_path / "log.mcap")
    assert [entry.seq for entry in reader.logged()] == [0, 1]
    assert [part.size for part in reader.damage] == [0]


def test_the_reserve_has_no_name_and_grows_with_the_index(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log.mcap", reserve_bytes=10)
    before = file._reserved_bytes
    for _ in range(100_000):
        file.write(b"\x07" + bytes(63))
    file.flush()
    assert file._reserved_bytes > before + 100_000 * 128
    assert [path.name for path in tmp_path.iterdir()] == ["log.mcap"]
    file.close()


def test_a_log_that_is_replaced_by_another_file_is_noticed(
    tmp_path: Path, recorder: Recorder, scan: Message, clock: Clock
) -> None:
    recorder.write(pack(scan(0)), scan(0), 0)
    (tmp_path / "log.mcap").rename(tmp_path / "moved.mcap")
    (tmp_path / "log.mcap").write_bytes(b"another")
    clock.sleep_until(clock.now_ns() + 2_000_000_000)
    with pytest.raises(LogRemovedError, match="a renamed log has everything until then"):
        recorder.flush_if_due()
    recorder.close()
    assert (tmp_path / "log.mcap").read_bytes() == b"another"
    assert plain(tmp_path / "moved.mcap") == [("bridge/scan", 0)]
