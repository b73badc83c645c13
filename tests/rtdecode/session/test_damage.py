"""A log with one changed byte or a missing end loses one chunk at most, and states what it lost."""

import errno
import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import RepairWriteError
from rtdecode.schema.messages import End, Stamped
from rtdecode.session.damage import Damage, damage_as_values, damage_noted
from rtdecode.session.log import LogWriter
from rtdecode.session.reader import Logged, LogReader
from rtdecode.session.records import Content, RecordFile, Unreadable
from rtdecode.session.recover import recover

DERANDOMISED = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CHUNK_MESSAGES = 5
"""Messages of the fixture's log in one chunk."""


@pytest.fixture
def two_sources(tmp_path: Path, behaviour: Callable[..., Stamped]) -> Path:
    """A log of 40 samples of two sources in turn, 5 to a chunk."""
    path = tmp_path / "two" / "log.mcap"
    path.parent.mkdir()
    writer = LogWriter(path)
    for n in range(40):
        message = behaviour(n, "bridge" if n % 2 else "stimulus")
        writer.add(
            pack(message),
            stream=message.stream,
            seq=n,
            t_sent_ns=n,
            t_logged_ns=1_000_000 * (n + 1),
        )
        if n % CHUNK_MESSAGES == CHUNK_MESSAGES - 1:
            writer.flush()
    writer.close()
    return path


def changed(log: Path, at: int, mask: int) -> Path:
    """A copy of `log` in a folder of its own, with one changed byte."""
    content = bytearray(log.read_bytes())
    content[at] ^= mask
    return copied(log, bytes(content))


def copied(log: Path, content: bytes) -> Path:
    copy = log.parent / "copy" / "log.mcap"
    copy.parent.mkdir(exist_ok=True)
    for old in copy.parent.glob("*.mcap"):
        old.unlink()
    copy.write_bytes(content)
    return copy


def missing_of(whole: list[Logged], kept: list[Logged]) -> list[int]:
    """Numbers of the messages of `whole` that are not in `kept`, in their order."""
    numbers = {entry.seq for entry in kept}
    return [entry.seq for entry in whole if entry.seq not in numbers]


@DERANDOMISED
@given(share=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_one_changed_byte_costs_at_most_its_chunk_and_the_count_is_exact(
    two_sources: Path, share: float, mask: int
) -> None:
    whole = list(LogReader(two_sources).logged())
    log = changed(two_sources, int(share * two_sources.stat().st_size), mask)
    reader = LogReader(log)
    kept = list(reader.logged())
    missing = missing_of(whole, kept)
    assert len({n // CHUNK_MESSAGES for n in missing}) <= 1
    assert len(missing) in {0, CHUNK_MESSAGES}
    assert [entry for entry in whole if entry.seq not in missing] == kept
    counted = sum((Counter(one.counts) for one in reader.damage), Counter[str]())
    assert counted == Counter(e.stream for e in whole if e.seq in missing)
    assert all(one.counted for one in reader.damage)
    if missing:
        times = [e.t_received_ns for e in whole if e.seq in missing]
        [damage] = [one for one in reader.damage if one.counts]
        assert (damage.first_ns, damage.last_ns) == (min(times), max(times))


@DERANDOMISED
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_log_cut_anywhere_keeps_all_whole_chunks_and_states_its_missing_end(
    two_sources: Path, share: float
) -> None:
    whole = list(LogReader(two_sources).logged())
    content = two_sources.read_bytes()
    log = copied(two_sources, content[: 64 + int(share * (len(content) - 64))])
    reader = LogReader(log)
    kept = list(reader.logged())
    missing = missing_of(whole, kept)
    assert kept == whole[: len(kept)]
    assert not reader.complete
    torn = sum((Counter(one.counts) for one in reader.damage), Counter[str]())
    assert torn <= Counter(e.stream for e in whole if e.seq in missing)
    if missing:
        assert not reader.damage[-1].counted
        assert reader.damage[-1].last_ns is None


@pytest.mark.parametrize("seed", range(5))
def test_two_damaged_chunks_are_both_skipped_and_both_counted(two_sources: Path, seed: int) -> None:
    content = bytearray(two_sources.read_bytes())
    rng = random.Random(seed)
    first, second = (content.index(b"running", len(content) * n // 5) for n in (1, 3))
    content[first] ^= rng.randrange(1, 256)
    content[second] ^= rng.randrange(1, 256)
    reader = LogReader(copied(two_sources, bytes(content)))
    assert len(list(reader.logged())) == 40 - 2 * CHUNK_MESSAGES
    assert [sum(one.counts.values()) for one in reader.damage] == [CHUNK_MESSAGES] * 2


def test_a_wiped_part_of_several_chunks_is_not_stated_as_counted(two_sources: Path) -> None:
    content = bytearray(two_sources.read_bytes())
    first, last = content.index(b"running"), content.index(b"running", len(content) // 2)
    content[first:last] = bytes(last - first)
    reader = LogReader(copied(two_sources, bytes(content)))
    assert 0 < len(list(reader.logged())) < 40 - CHUNK_MESSAGES
    assert not all(one.counted for one in reader.damage)
    assert "at least" in "".join(one.sentence(zero_ns=0) for one in reader.damage)


def test_a_range_without_a_record_is_found_between_intact_records(log: Path) -> None:
    content = bytearray(log.read_bytes())
    content[content.index(b"running")] ^= 1
    parts = list(RecordFile(io.BytesIO(content)).parts())
    [unreadable] = [part for part in parts if isinstance(part, Unreadable)]
    assert unreadable.is_one_chunk
    assert not unreadable.is_tail
    assert sum(isinstance(part, Content) for part in parts) == 7


def test_damage_is_noted_in_a_log_and_read_again() -> None:
    damage = Damage(80, 900, {"bridge/scan": 2}, counted=True, first_ns=1, last_ns=2)
    assert damage_noted(damage_as_values([damage])) == [damage]
    [unknown] = damage_noted({"damage": "no list"})
    assert unknown.loses_messages


def test_a_damaged_first_chunk_and_no_summary_leave_the_streams_named(two_sources: Path) -> None:
    content = bytearray(two_sources.read_bytes()[:-100])
    content[content.index(b"running")] ^= 1
    reader = LogReader(copied(two_sources, bytes(content)))
    assert {entry.stream for entry in reader.logged()} == {"bridge/behaviour", "stimulus/behaviour"}
    [damage] = reader.damage
    assert damage.counts == {"stimulus/behaviour": 3, "bridge/behaviour": 2}


def test_recover_keeps_the_original_and_never_calls_a_log_with_gaps_complete(log: Path) -> None:
    content = bytearray(log.read_bytes())
    content[content.index(b"running", len(content) // 3)] ^= 1
    log.write_bytes(content)
    report = recover(log.parent)
    [damaged] = report.damaged
    assert damaged.read_bytes() == content
    assert report.counts == {"bridge/behaviour": 35}
    first = report.sentences()
    assert first[0] == f"35 messages recovered; the damaged log is kept as {damaged}"
    assert "5 messages are missing (5 of bridge/behaviour)" in first[1]
    again = recover(log.parent)
    assert (again.was_complete, again.damaged) == (True, ())
    assert again.damage == report.damage
    second = again.sentences()
    assert second[0] == f"{log} was recovered before and has gaps; nothing was changed"
    assert second[1:] == first[1:]


def test_damage_of_a_recovered_log_is_added_to_what_was_missing_before(log: Path) -> None:
    for _ in range(2):
        content = bytearray(log.read_bytes())
        content[content.index(b"running", len(content) // 3)] ^= 1
        log.write_bytes(content)
        recover(log.parent)
    report = recover(log.parent)
    assert sum(report.damage[0].counts.values()) == 5
    assert (
        sum(report.counts.values()) + sum(sum(one.counts.values()) for one in report.damage) == 40
    )
    assert len(list(log.parent.glob("log.damaged*.mcap"))) == 2


def test_a_source_without_its_end_is_stated(log: Path) -> None:
    assert "the log holds no END of bridge" in recover(log.parent).sentences()[-1]


def test_a_log_with_its_end_is_complete(tmp_path: Path, end: Callable[..., Stamped]) -> None:
    writer = LogWriter(tmp_path / "log.mcap")
    message = end({"bridge/behaviour": 3})
    writer.add(pack(message), stream=message.stream, seq=0, t_sent_ns=0, t_logged_ns=1)
    writer.close()
    assert isinstance(message.body, End)
    [sentence] = recover(tmp_path).sentences()
    assert sentence.endswith("log.mcap is complete; nothing was changed")


@pytest.mark.parametrize("step", ["write", "link"])
def test_a_full_disk_leaves_the_damaged_log_alone_and_is_one_sentence(
    log: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    torn = log.read_bytes()[:3000]
    log.write_bytes(torn)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync" if step == "write" else "os.link", full)
    with pytest.raises(RepairWriteError, match=r"is unchanged.*\(No space left on device\)"):
        recover(log.parent)
    assert log.read_bytes() == torn
    assert [path.name for path in log.parent.glob("*.mcap")] == ["log.mcap"]
