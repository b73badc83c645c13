"""A log in parts holds what a log in one file holds, whatever happens between two parts."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from plain_log import parts_of as plain_parts
from plain_log import read_plain
from split_log import plain_messages, split_copy

from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import LogWriteError, SessionExistsError, UnreadableFileError
from rtdecode.schema.messages import Event, Stamped
from rtdecode.session.layout import SessionLayout, named_session, session_at
from rtdecode.session.log_parts import LogParts, part_path, parts_of
from rtdecode.session.part_reader import LogFileReader
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover

STREAMS = ("bridge/event", "decoder/event", "view/event")
MIB = 1024 * 1024


def message(stream: str, seq: int, size: int = 10) -> bytes:
    body = Event("info", "p", "c", "x" * size)
    return pack(Stamped(stream.partition("/")[0], seq, seq, "host", body))


class Written:
    """A log in parts, and the messages that were written to it."""

    def __init__(self, folder: Path, *, part_bytes: float = 1000, most_chunks: int = 1000) -> None:
        self.path = folder / "log.mcap"
        self.log = LogParts(
            self.path, name="of a test", part_bytes=part_bytes, most_chunks=most_chunks
        )
        self.messages: list[tuple[str, int, bytes]] = []

    def add(self, stream: str = STREAMS[0], size: int = 10) -> None:
        seq = len(self.messages)
        data = message(stream, seq, size)
        self.log.add(data, stream=stream, seq=seq, t_sent_ns=seq, t_logged_ns=1000 + seq)
        self.messages.append((stream, seq, data))

    def part(self, n_messages: int = 10) -> None:
        """Write a part of `n_messages`, and begin the next."""
        before = len(parts_of(self.path))
        for k in range(n_messages):
            self.add(STREAMS[k % 2], size=200)
        self.log.flush()
        self.log.wait()
        assert len(parts_of(self.path)) == before + 1


def read(log: Path) -> list[tuple[str, int, bytes]]:
    return [(one.stream, one.seq, one.data) for one in LogReader(log).logged()]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    made = Written(tmp_path)
    yield made
    made.log.wait()


STEPS = st.lists(st.one_of(st.just(-1), st.integers(0, 3000)), min_size=1, max_size=40)


@given(steps=STEPS, part_bytes=st.integers(500, 20_000))
def test_nothing_is_lost_doubled_or_reordered(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], part_bytes: int
) -> None:
    made = Written(tmp_path_factory.mktemp("parts"), part_bytes=part_bytes)
    for k, step in enumerate(steps):
        if step < 0:
            made.log.flush()
            made.log.wait()
        else:
            made.add(STREAMS[k % 3], size=step)
    made.log.close()
    reader = LogReader(made.path)
    assert [(one.stream, one.seq, one.data) for one in reader.logged()] == made.messages
    assert (reader.complete, reader.damage, reader.has_index()) == (True, (), True)
    assert plain_messages(made.path) == made.messages


def test_each_part_is_a_whole_log_of_its_own(written: Written) -> None:
    for _ in range(3):
        written.part()
    written.log.close()
    parts = list(parts_of(written.path).values())
    names = ["log.mcap", "log_0001.mcap", "log_0002.mcap", "log_0003.mcap"]
    assert [path.name for path in parts] == names
    for number, path in enumerate(parts):
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True)
            summary = reader.get_summary()
            [note] = [one for one in reader.iter_metadata() if one.name == "rtdecode.part"]
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == (10 if number < 3 else 0)
        assert (note.metadata["log"], note.metadata["part"]) == ("of a test", str(number))


def test_a_part_states_how_many_messages_lie_before_it(written: Written) -> None:
    for _ in range(2):
        written.part()
    written.log.close()
    note = LogFileReader(part_path(written.path, 2)).note_at_start()
    assert note is not None
    assert (note.messages, note.last_ns) == ({STREAMS[0]: 10, STREAMS[1]: 10}, 1019)


def test_each_part_is_for_its_user_alone(written: Written) -> None:
    written.part()
    written.log.close()
    modes = {path.stat().st_mode & 0o777 for path in parts_of(written.path).values()}
    assert modes == {0o600}


def test_a_part_ends_after_so_many_chunks(tmp_path: Path) -> None:
    made = Written(tmp_path, part_bytes=1e9, most_chunks=5)
    for _ in range(20):
        made.add()
        made.log.flush()
        made.log.wait()
    made.log.close()
    for path in parts_of(made.path).values():
        with path.open("rb") as file:
            summary = make_reader(file).get_summary()
        assert summary is not None
        assert len(summary.chunk_indexes) <= 5
    assert read(made.path) == made.messages


def test_the_recorder_does_not_wait_for_the_end_of_a_part(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, fsync = threading.Event(), os.fsync

    def slow(handle: int) -> None:
        released.wait(120)
        fsync(handle)

    monkeypatch.setattr("os.fsync", slow)
    for _ in range(10):
        written.add(size=200)
    written.log.flush()
    assert len(parts_of(written.path)) == 2
    for _ in range(30):
        written.add(size=200)
        written.log.flush()
    # a further part waits for the end of this one, and the messages do not
    assert len(parts_of(written.path)) == 2
    assert read(written.path)[:40] == written.messages
    released.set()
    written.log.close()
    assert read(written.path) == written.messages


def test_a_part_whose_end_cannot_be_written_is_an_error(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_handle: int) -> None:
        raise OSError(errno.EIO, "injected")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", failing)
        written.part()
    with pytest.raises(LogWriteError, match=r"log\.mcap cannot be written any more"):
        written.log.flush()
    written.log.close()
    assert read(written.path) == written.messages


@pytest.mark.parametrize("moment", ["open", "write", "reserve"])
def test_a_log_goes_on_where_no_further_part_can_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    made = LogParts(tmp_path / "log.mcap", name="n", part_bytes=1000, reserve_bytes=MIB)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "injected")

    target = {
        "open": "rtdecode.session.log.LogFile",
        "write": "rtdecode.session.log_file.LogFile.flush",
        "reserve": "os.posix_fallocate",
    }[moment]
    data = [message(STREAMS[0], seq, 500) for seq in range(8)]
    for seq, one in enumerate(data):
        made.add(one, stream=STREAMS[0], seq=seq, t_sent_ns=0, t_logged_ns=seq)
    if moment == "write":
        made._writer.flush()
    with monkeypatch.context() as patched:
        patched.setattr(target, full)
        # what a flush calls once a part is due
        made._split()
    assert list(parts_of(tmp_path / "log.mcap")) == [0]
    assert not made.full
    for seq in range(8, 16):
        data.append(message(STREAMS[0], seq, 500))
        made.add(data[-1], stream=STREAMS[0], seq=seq, t_sent_ns=0, t_logged_ns=seq)
        made.flush()
    made.close()
    assert [one for _, _, one in read(tmp_path / "log.mcap")] == data
    assert len(parts_of(tmp_path / "log.mcap")) > 1


def test_a_part_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "log_0002.mcap").write_bytes(b"precious")
    with pytest.raises(SessionExistsError):
        LogParts(tmp_path / "log.mcap", name="n", part_bytes=1)
    with pytest.raises(SessionExistsError):
        named_session(tmp_path)
    assert not (tmp_path / "log.mcap").exists()


def test_a_file_that_appears_in_the_place_of_a_part_is_left_alone(written: Written) -> None:
    part_path(written.path, 1).write_bytes(b"precious")
    for _ in range(30):
        written.add(size=200)
        written.log.flush()
    written.log.close()
    assert part_path(written.path, 1).read_bytes() == b"precious"
    assert plain_messages_of(written.path) == written.messages


def plain_messages_of(path: Path) -> list[tuple[str, int, bytes]]:
    with path.open("rb") as file:
        found = make_reader(file, validate_crcs=True).iter_messages(log_time_order=False)
        return [(channel.topic, one.sequence, one.data) for _, channel, one in found]


@pytest.mark.parametrize("missing", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_a_missing_part_is_damage_with_its_counts_and_times(
    written: Written, missing: tuple[int, ...]
) -> None:
    for _ in range(3):
        written.part()
    for _ in range(4):
        written.add()
    written.log.close()
    for number in missing:
        part_path(written.path, number).unlink()
    reader = LogReader(written.path)
    kept = [one for one in written.messages if one[1] // 10 not in missing]
    assert [(one.stream, one.seq, one.data) for one in reader.logged()] == kept
    [damage] = reader.damage
    n = 5 * len(missing)
    assert (damage.counts, damage.counted) == ({STREAMS[0]: n, STREAMS[1]: n}, True)
    first_ns = 0 if missing[0] == 0 else 1000 + 10 * missing[0] - 1
    assert (damage.first_ns, damage.last_ns) == (first_ns, 1000 + 10 * missing[-1] + 9)
    assert (reader.complete, reader.has_index()) == (False, False)
    sentence = damage.sentence(zero_ns=1000)
    assert f"what {'log_0001' if missing == (1,) else ''}" in sentence
    assert ("from its start to" in sentence, "-" in sentence) == (missing[0] == 0, False)


def test_a_missing_last_part_is_damage(written: Written) -> None:
    for _ in range(2):
        written.part()
    written.log.close()
    part_path(written.path, 2).unlink()
    reader = LogReader(written.path)
    assert [(one.stream, one.seq, one.data) for one in reader.logged()] == written.messages
    [damage] = reader.damage
    assert (damage.file, damage.last_ns, damage.counted) == ("log_0002.mcap", None, False)
    assert (reader.complete, reader.has_index()) == (False, False)
    assert not recover(written.path.parent).was_complete
    assert recover(written.path.parent).was_complete
    assert LogReader(written.path).has_index()


def test_a_missing_part_stays_stated_after_a_recovery(written: Written) -> None:
    for _ in range(3):
        written.part()
    written.log.close()
    missing = part_path(written.path, 1)
    missing.unlink()
    before = {path: path.read_bytes() for path in parts_of(written.path).values()}
    report = recover(written.path.parent)
    assert (report.was_complete, report.damaged) == (False, ())
    again = recover(written.path.parent)
    assert again.was_complete
    assert again.damage == report.damage
    assert again.sentences()[1:] == report.sentences()[1:]
    assert {path: path.read_bytes() for path in before} == before
    assert LogReader(written.path).has_index()
    # and a later damage of another part is counted beside it
    part_path(written.path, 2).unlink()
    _, second = sorted(LogReader(written.path).summary().damage, key=lambda one: one.file)
    assert (sum(second.counts.values()), second.counted) == (10, True)


def test_only_the_damaged_part_is_rewritten(written: Written) -> None:
    for _ in range(3):
        written.part()
    written.log.close()
    damaged = part_path(written.path, 1)
    content = bytearray(damaged.read_bytes())
    content[content.index(b"xxxx")] ^= 1
    damaged.write_bytes(content)
    inodes = {n: path.stat().st_ino for n, path in parts_of(written.path).items() if n != 1}
    report = recover(written.path.parent)
    kept = written.path.with_name("log_0001.damaged.mcap")
    assert report.damaged == (kept,)
    assert kept.read_bytes() == content
    assert SessionLayout(written.path.parent).repaired
    assert sum(report.counts.values()) == 20
    [lost] = report.damage
    assert (sum(lost.counts.values()), lost.file) == (10, "log_0001.mcap")
    assert {n: path.stat().st_ino for n, path in parts_of(written.path).items() if n != 1} == inodes
    again = LogReader(written.path)
    assert sum(again.summary().counts.values()) == 20
    assert (again.complete, again.has_index()) == (True, True)
    assert recover(written.path.parent).damage == report.damage


def test_a_killed_recorder_is_recovered_at_any_byte_of_its_last_part(written: Written) -> None:
    written.part()
    written.part()
    for _ in range(4):
        written.add()
    written.log.close()
    last = part_path(written.path, 2)
    whole, end = last.read_bytes(), len(last.read_bytes())
    for size in (0, 1, 7, 8, 30, 100, end // 2, end - 1):
        for old in written.path.parent.glob("*damaged*"):
            old.unlink()
        last.write_bytes(whole[:size])
        found = read(written.path)
        assert found == written.messages[: len(found)]
        assert len(found) >= 20
        report = recover(written.path.parent)
        assert report.damaged == (last.with_name("log_0002.damaged.mcap"),)
        assert report.damaged[0].read_bytes() == whole[:size]
        assert read(written.path) == found
        assert recover(written.path.parent).was_complete


@pytest.mark.parametrize("end", ["without its index", "without its last messages"])
def test_a_part_that_was_not_closed_loses_no_message_unless_it_is_cut(
    written: Written, end: str
) -> None:
    written.part()
    written.part()
    written.log.close()
    first = written.path
    content = first.read_bytes()
    statement = content.index(b"rtdecode.part_end")
    cut = content.index(b"\x0f", statement) if end == "without its index" else statement // 2
    first.write_bytes(content[:cut])
    reader = LogReader(written.path)
    found = [(one.stream, one.seq, one.data) for one in reader.logged()]
    lost = [one for one in written.messages if one not in found]
    assert not reader.complete
    assert sum(sum(one.counts.values()) for one in reader.damage) == len(lost)
    assert all(one.counted for one in reader.damage)
    assert (lost == []) == (end == "without its index")
    assert [one.sentence(zero_ns=0) for one in reader.damage]
    recover(written.path.parent)
    assert read(written.path) == found
    assert LogReader(written.path).summary().complete


def test_a_part_of_another_log_is_refused(written: Written, tmp_path: Path) -> None:
    written.part()
    written.log.close()
    (tmp_path / "other").mkdir()
    other = LogParts(tmp_path / "other" / "log.mcap", name="another", part_bytes=1)
    other.flush()
    other.close()
    part_path(tmp_path / "other" / "log.mcap", 1).rename(part_path(written.path, 2))
    with pytest.raises(UnreadableFileError, match=r"log_0002\.mcap.*of the log another.*move it"):
        read(written.path)


def test_a_further_part_is_not_taken_for_a_session(written: Written) -> None:
    written.part()
    written.log.close()
    with pytest.raises(UnreadableFileError, match="a further part of the log of a session"):
        session_at(part_path(written.path, 1))


def test_the_independent_reader_counts_the_same(written: Written) -> None:
    for _ in range(3):
        written.part()
    written.log.close()
    assert plain_parts(written.path) == list(parts_of(written.path).values())
    found = read_plain(written.path)
    assert dict(found.messages) == dict(LogReader(written.path).summary().counts)


def test_a_copy_in_parts_has_the_same_messages(log: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = split_copy(log, tmp_path / "copy" / "log.mcap", parts=4)
    assert len(parts_of(copy)) >= 4
    assert list(LogReader(copy).logged()) == list(LogReader(log).logged())


WRITER = """
import sys
from pathlib import Path
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Event, Stamped
from rtdecode.session.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), flush_s=0.001, split_mb=0.02, clock=HostClock())
for seq in range(1_000_000):
    message = Stamped("bridge", seq, seq, "host", Event("info", "p", "c", "x" * 500))
    recorder.write(pack(message), message, seq)
    recorder.flush()
    print(seq, flush=True)
"""


@pytest.mark.system
def test_a_recorder_that_is_killed_between_its_parts_loses_nothing_that_was_flushed(
    tmp_path: Path,
) -> None:
    for kill in range(6):
        folder = tmp_path / str(kill)
        folder.mkdir()
        command = [sys.executable, "-c", WRITER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            flushed = -1
            for line in writer.stdout:
                flushed = int(line)
                # parts begin about every 30 messages
                if flushed >= 300 + 7 * kill:
                    break
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                flushed = int(line) if line.endswith("\n") else flushed
        found = [one.seq for one in LogReader(folder / "log.mcap").logged()]
        assert found == list(range(len(found)))
        assert len(found) > flushed
        assert len(parts_of(folder / "log.mcap")) > 1
        report = recover(folder)
        assert report.counts == {"bridge/event": len(found)}
        assert [seq for _, seq, _ in plain_messages(folder / "log.mcap")] == found
