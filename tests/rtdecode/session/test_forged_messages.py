"""No sequence of valid wire messages leaves a log without its index, or one that cannot be read."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.plausible import MOST_LOST
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import BODIES, Body, End, Event, Gap, Health, Stamped, Trigger
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import MOST_STREAMS, Recorder

Message = Callable[..., Stamped]
INT64 = st.integers(-(2**63), 2**63 - 1)
NUMBERS = INT64 | st.integers(-2, 5)
KINDS = st.sampled_from([body.kind for body in BODIES]) | st.text(max_size=5)
BODY = (
    st.builds(End, st.just("s"), st.just(""), st.dictionaries(KINDS, NUMBERS, max_size=6))
    | st.builds(Trigger, st.text(max_size=3), NUMBERS, st.floats())
    | st.builds(Gap, st.text(max_size=3), NUMBERS, NUMBERS, st.text(max_size=3))
    | st.builds(Event, st.text(max_size=3), st.text(max_size=3), st.just("code"), st.text())
    | st.just(Health("running", ""))
)
SOURCES = st.sampled_from(["bridge", "recorder", "a/b", "", "é\0"]) | st.text(max_size=3)
MESSAGES = st.builds(Stamped, SOURCES, NUMBERS, NUMBERS, st.just("host"), BODY)
COMMON = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)


def recorded(folder: Path, clock: Clock, messages: list[Stamped]) -> Path:
    """The log of `messages`, which come over the wire."""
    log = folder / "log.mcap"
    log.unlink(missing_ok=True)
    recorder = Recorder(folder, flush_s=1.0, clock=clock)
    for message in messages:
        data = pack(message)
        recorder.write(data, unpack(data), clock.now_ns())
    recorder.close()
    return log


@COMMON
@given(messages=st.lists(MESSAGES, max_size=30))
def test_any_valid_messages_leave_a_log_with_its_index(
    tmp_path: Path, clock: Clock, messages: list[Stamped]
) -> None:
    log = recorded(tmp_path, clock, messages)
    with log.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_summary() is not None
        found = [m.data for _, _, m in reader.iter_messages()]
    assert Counter(map(pack, messages)) <= Counter(found)
    # the messages that the recorder adds can be read as well
    assert len(list(LogReader(log).messages())) == len(found)


def bodies(log: Path, kind: type[Body]) -> list[Body]:
    found = (item.message.body for item in LogReader(log).messages())
    return [body for body in found if isinstance(body, kind)]


def test_a_sender_of_ever_new_names_is_limited_and_counted(tmp_path: Path, clock: Clock) -> None:
    health = Health("running", "")
    many = [Stamped(f"sender{n}", 0, 0, "host", health) for n in range(70_000)]
    log = recorded(tmp_path, clock, [*many, Stamped("sender3", 1, 0, "host", health)])
    counts = LogReader(log).summary().counts
    assert len(counts) == MOST_STREAMS + 1
    assert counts["sender3/health"] == 2
    [event] = bodies(log, Event)
    assert isinstance(event, Event)
    assert (event.code, event.counts) == ("stream_refused", {"messages": 70_000 - MOST_STREAMS})


def test_a_name_of_hundreds_of_characters_is_refused(tmp_path: Path, clock: Clock) -> None:
    log = recorded(tmp_path, clock, [Stamped("x" * 900, 0, 0, "host", Health("running", ""))])
    assert LogReader(log).summary().counts == {"recorder/event": 1}


@pytest.mark.parametrize(
    "last_seq",
    [
        {"behaviour": 2**63 - 1},
        {"behaviour": -5},
        {"no kind": 7},
        {f"kind{n}": n for n in range(900)},
    ],
    ids=["huge", "negative", "unknown kind", "900 kinds"],
)
def test_a_forged_end_is_recorded_and_states_no_loss(
    tmp_path: Path, clock: Clock, behaviour: Message, end: Message, last_seq: dict[str, int]
) -> None:
    log = recorded(tmp_path, clock, [behaviour(0), end(last_seq)])
    assert bodies(log, Gap) == []
    assert len(bodies(log, End)) == 1
    [event] = bodies(log, Event)
    assert isinstance(event, Event)
    assert event.code == "number_implausible"


def test_an_end_of_an_unknown_source_states_no_loss(
    tmp_path: Path, clock: Clock, end: Message
) -> None:
    log = recorded(tmp_path, clock, [end({"behaviour": 5})])
    assert bodies(log, Gap) == []
    assert len(bodies(log, Event)) == 1


def test_an_implausible_number_shifts_nothing_that_follows(
    tmp_path: Path, clock: Clock, behaviour: Message, end: Message
) -> None:
    forged = Stamped("bridge", MOST_LOST + 2, 0, "host", behaviour(0).body)
    sent = [behaviour(0), forged, behaviour(1), behaviour(3), end({"behaviour": 4})]
    log = recorded(tmp_path, clock, sent)
    gaps = [(gap.first_missing, gap.n_missing) for gap in bodies(log, Gap) if isinstance(gap, Gap)]
    assert gaps == [(2, 1), (4, 1)]
    assert LogReader(log).summary().counts["bridge/behaviour"] == 4


def test_an_error_while_closing_still_leaves_the_index(
    tmp_path: Path, clock: Clock, behaviour: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, flush_s=1.0, clock=clock)
    recorder.write(pack(behaviour(0)), behaviour(0), 0)

    def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(recorder, "_write_last", broken)
    with pytest.raises(RuntimeError):
        recorder.close()
    assert LogReader(tmp_path / "log.mcap").has_index()
