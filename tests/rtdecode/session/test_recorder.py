from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import SessionExistsError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Gap, Stamped, Start
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import MOST_LOST, Recorder
from rtdecode.session.unsent_tails import MOST_QUIET_FLUSHES

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


def start_of(t_ns: int, last_seq_before: dict[str, int] | None = None) -> Stamped:
    body = Start("s", "", "", "", last_seq_before=last_seq_before or {})
    return Stamped("bridge", 0, t_ns, "host", body)


def gaps_in(folder: Path) -> list[tuple[str, int, int]]:
    bodies = (item.message.body for item in LogReader(folder / "log.mcap").messages())
    gaps = (body for body in bodies if isinstance(body, Gap))
    return [(gap.stream, gap.first_missing, gap.n_missing) for gap in gaps]


def later(message: Stamped, t_ns: int) -> Stamped:
    return replace(message, t_ns=t_ns + message.t_ns)


def test_what_a_killed_sender_had_not_sent_is_missing(
    tmp_path: Path, recorder: Recorder, behaviour: Message
) -> None:
    write(recorder, start_of(-1), *(behaviour(seq) for seq in (0, 1)))
    # the kind `scan` never came, before or after
    stated = {"start": 0, "behaviour": 4, "scan": 1}
    write(recorder, start_of(1_000_000_000, stated), later(behaviour(0), 1_000_000_001))
    # killed again: both tails count
    write(recorder, start_of(2_000_000_000, {"start": 0, "behaviour": 2}))
    report = recorder.close()
    assert sorted(gaps_in(tmp_path)) == [
        ("bridge/behaviour", 1, 2),
        ("bridge/behaviour", 2, 3),
        ("bridge/scan", 0, 2),
    ]
    assert report.lost_by_stream == {"bridge/behaviour": 5, "bridge/scan": 2}


def test_late_messages_of_a_killed_sender_shorten_what_is_missing(
    tmp_path: Path, recorder: Recorder, behaviour: Message
) -> None:
    write(recorder, start_of(-1), behaviour(0))
    write(recorder, start_of(1_000_000_000, {"start": 0, "behaviour": 9}))
    # number 2 is missing between late messages, which come among those of the successor
    write(recorder, behaviour(1), later(behaviour(0), 1_000_000_001), behaviour(3), behaviour(4))
    assert gaps_of(recorder) == {"bridge/behaviour": 1}
    recorder.close()
    assert gaps_in(tmp_path) == [("bridge/behaviour", 2, 1), ("bridge/behaviour", 5, 5)]


def gaps_of(recorder: Recorder) -> dict[str, int]:
    return dict(recorder.report().lost_by_stream)


def test_what_does_not_come_for_some_flushes_is_stated_during_the_run(
    recorder: Recorder, behaviour: Message
) -> None:
    write(recorder, start_of(-1), behaviour(0))
    write(recorder, start_of(1_000_000_000, {"start": 0, "behaviour": 9}))
    for _ in range(MOST_QUIET_FLUSHES):
        recorder.flush()
    assert gaps_of(recorder) == {}
    write(recorder, behaviour(1))
    for _ in range(MOST_QUIET_FLUSHES):
        recorder.flush()
    assert gaps_of(recorder) == {}
    recorder.flush()
    assert gaps_of(recorder) == {"bridge/behaviour": 8}


def test_the_first_message_of_a_kind_after_a_restart_can_be_missing(
    tmp_path: Path, recorder: Recorder, behaviour: Message
) -> None:
    write(recorder, start_of(-1), *(behaviour(seq) for seq in range(3)))
    write(recorder, start_of(1_000_000_000, {"start": 0, "behaviour": 2}))
    write(recorder, later(behaviour(1), 1_000_000_000))
    recorder.close()
    assert gaps_in(tmp_path) == [("bridge/behaviour", 0, 1)]


def test_a_sender_that_was_killed_and_not_started_again_has_its_tail(
    tmp_path: Path, recorder: Recorder, behaviour: Message
) -> None:
    write(recorder, start_of(-1), behaviour(0))
    recorder.expect_last("bridge", {"start": 0, "behaviour": 3})
    recorder.expect_last("nobody", {"behaviour": 3})
    recorder.close()
    assert gaps_in(tmp_path) == [("bridge/behaviour", 1, 3)]


@pytest.mark.parametrize(
    "stated", [{"behaviour": MOST_LOST + 9}, {"behaviour": -5}, {"no_kind": 4}]
)
def test_a_start_whose_numbers_cannot_be_genuine_states_nothing(
    tmp_path: Path, recorder: Recorder, behaviour: Message, stated: dict[str, int]
) -> None:
    # the first START of a source cannot follow a kill of it
    write(recorder, start_of(-1, {"behaviour": 7}), behaviour(0), start_of(1_000_000_000, stated))
    recorder.close()
    assert gaps_in(tmp_path) == []
    assert "number_implausible" in {
        item.message.body.code
        for item in LogReader(tmp_path / "log.mcap").messages()
        if isinstance(item.message.body, Event)
    }
