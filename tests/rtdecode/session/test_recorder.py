from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import SessionExistsError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Gap, Stamped, Start
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

Message = Callable[..., Stamped]


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Iterator[Recorder]:
    made = Recorder(tmp_path, flush_s=1.0, clock=clock)
    yield made
    made.close()


def write(recorder: Recorder, *messages: Stamped, received_ns: int = 77) -> None:
    for message in messages:
        recorder.write(pack(message), message, received_ns)


def test_the_bytes_are_those_that_came(
    tmp_path: Path, recorder: Recorder, behaviour: Message, scan: Message
) -> None:
    sent = [scan(0), behaviour(0), behaviour(1), scan(1)]
    write(recorder, *sent)
    report = recorder.close()
    found = list(LogReader(tmp_path / "log.mcap").logged())
    assert [entry.data for entry in found] == [pack(message) for message in sent]
    assert [(e.stream, e.t_sent_ns, e.t_received_ns) for e in found] == [
        (message.stream, message.t_ns, 77) for message in sent
    ]
    assert report.counts == {"bridge/scan": 2, "bridge/behaviour": 2}
    assert report.lost == 0


def test_bytes_that_say_more_than_the_message_are_kept(
    tmp_path: Path, recorder: Recorder, behaviour: Message
) -> None:
    recorder.write(b"as it came", behaviour(0), 1)
    recorder.close()
    [entry] = LogReader(tmp_path / "log.mcap").logged()
    assert entry.data == b"as it came"


def test_a_hole_is_written_where_it_was_noticed(
    tmp_path: Path, recorder: Recorder, behaviour: Message, end: Message
) -> None:
    write(recorder, behaviour(0), behaviour(3), end({"behaviour": 5}))
    report = recorder.close()
    messages = [item.message for item in LogReader(tmp_path / "log.mcap").messages()]
    kinds = [message.body.kind for message in messages]
    assert kinds == ["behaviour", "gap", "behaviour", "end", "gap"]
    gaps = [message.body for message in messages if isinstance(message.body, Gap)]
    assert [(gap.stream, gap.first_missing, gap.n_missing) for gap in gaps] == [
        ("bridge/behaviour", 1, 2),
        ("bridge/behaviour", 4, 2),
    ]
    assert [m.seq for m in messages if m.stream == "recorder/gap"] == [0, 1]
    assert (report.lost, report.lost_by_stream) == (4, {"bridge/behaviour": 4})


def test_what_came_is_on_the_disk_one_flush_later(
    tmp_path: Path, recorder: Recorder, behaviour: Message, clock: Clock
) -> None:
    reader = LogReader(tmp_path / "log.mcap")
    write(recorder, behaviour(0), behaviour(1))
    recorder.flush_if_due()
    assert list(reader.logged()) == []
    clock.sleep_until(clock.now_ns() + 1_000_000_000)
    recorder.flush_if_due()
    assert [entry.seq for entry in reader.logged()] == [0, 1]
    recorder.close()


def test_a_busy_stream_is_flushed_without_being_asked(
    tmp_path: Path, recorder: Recorder, behaviour: Message, clock: Clock
) -> None:
    for seq in range(9):
        clock.sleep_until(clock.now_ns() + 200_000_000)
        write(recorder, behaviour(seq))
    on_disk = [entry.seq for entry in LogReader(tmp_path / "log.mcap").logged()]
    # at 0.6, 1.2 and 1.8 s: twice in the promised second
    assert on_disk == list(range(9))
    write(recorder, behaviour(9))
    on_disk = [entry.seq for entry in LogReader(tmp_path / "log.mcap").logged()]
    assert on_disk == list(range(9))
    recorder.close()


def test_a_recording_is_never_continued_in_place(
    tmp_path: Path, recorder: Recorder, clock: Clock
) -> None:
    recorder.close()
    with pytest.raises(SessionExistsError):
        Recorder(tmp_path, flush_s=1.0, clock=clock)


def test_a_sender_that_starts_again_at_0_loses_nothing(
    recorder: Recorder, behaviour: Message, end: Message
) -> None:
    write(recorder, *(behaviour(seq) for seq in (0, 1, 2)), end({"behaviour": 2}))
    write(recorder, behaviour(0), behaviour(1))
    report = recorder.close()
    assert (report.lost, report.counts["bridge/behaviour"]) == (0, 5)


def test_what_a_killed_sender_left_is_no_loss_where_it_comes_after_the_new_start(
    recorder: Recorder, behaviour: Message
) -> None:
    """A recorder that has stalled takes the messages of all connections in turn."""
    body = Start("s", config_yaml="", git_revision="", twin_hash="")
    starts = [Stamped("bridge", 0, t_ns, "host", body) for t_ns in (-1, 1_000_000_000)]
    new = [replace(behaviour(seq), t_ns=1_000_000_001 + seq) for seq in (0, 1, 3)]
    write(recorder, starts[0], *(behaviour(seq) for seq in range(50)))
    write(recorder, starts[1], behaviour(50), new[0], behaviour(51), new[1], behaviour(52), new[2])
    report = recorder.close()
    assert report.counts["bridge/behaviour"] == 56
    assert report.lost_by_stream == {"bridge/behaviour": 1}
