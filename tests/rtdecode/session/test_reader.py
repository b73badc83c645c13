from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.schema.messages import Behaviour
from rtdecode.session.reader import LogReader, every_stream

FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_messages_come_back_as_they_were_sent(log: Path) -> None:
    items = list(LogReader(log).messages())
    assert [item.message.seq for item in items] == list(range(40))
    assert items[7].t_received_ns == 84_000_001
    body = items[7].message.body
    assert isinstance(body, Behaviour)
    assert body.running_cm_s == 7.0


HEADER_BYTES = 64


@FIXTURES
@given(share=st.floats(0, 1))
def test_a_log_cut_anywhere_gives_what_came_before(log: Path, share: float) -> None:
    whole = log.read_bytes()
    torn = log.with_name("torn.mcap")
    torn.write_bytes(whole[: HEADER_BYTES + int(share * (len(whole) - HEADER_BYTES - 1))])
    reader = LogReader(torn)
    seqs = [entry.seq for entry in reader.logged()]
    assert seqs == list(range(len(seqs)))
    assert len(seqs) % 5 == 0
    assert not reader.complete


def test_a_damaged_chunk_alone_is_missing(log: Path) -> None:
    spoilt = bytearray(log.read_bytes())
    spoilt[spoilt.index(b"behaviour", len(spoilt) // 3)] ^= 1
    log.write_bytes(spoilt)
    reader = LogReader(log)
    seqs = [entry.seq for entry in reader.logged()]
    [missing] = [n for n in range(8) if 5 * n not in seqs]
    assert seqs == [n for n in range(40) if n // 5 != missing]
    assert not reader.complete


def test_the_summary_counts_and_tells_whether_the_end_is_there(log: Path) -> None:
    summary = LogReader(log).summary()
    assert summary.counts == {"bridge/behaviour": 40}
    assert (summary.first_ns, summary.last_ns) == (1, 39 * 12_000_000 + 1)
    assert summary.complete
    log.write_bytes(log.read_bytes()[:-1])
    assert not LogReader(log).summary().complete


def test_only_wanted_streams_are_given(log: Path) -> None:
    assert list(LogReader(log).logged(lambda stream: stream == "bridge/scan")) == []
    assert len(list(LogReader(log).logged(lambda stream: stream == "bridge/behaviour"))) == 40
    assert not every_stream("")


@pytest.mark.parametrize("data", [b"", b"\x89MCAP", b"no log at all, but long enough"])
def test_a_file_that_is_no_log_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log.mcap").write_bytes(data)
    with pytest.raises(UnreadableFileError, match="expected an MCAP file"):
        list(LogReader(tmp_path / "log.mcap").logged())


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="give a session folder"):
        LogReader(tmp_path / "log.mcap")
