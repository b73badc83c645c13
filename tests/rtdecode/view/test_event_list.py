"""The list has every event, the banner the alarms that are neither over nor acknowledged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import Event
from rtdecode.schema.notes import note_event
from rtdecode.view.event_list import EventList

S = 1_000_000_000


def event(severity: str, code: str, *, process: str = "recorder") -> Event:
    return Event(severity, process, code, f"it is {code}", {"messages": 2})


def texts(entries: list[dict[str, object]]) -> list[object]:
    return [entry["code"] for entry in entries]


def test_severity_decides_what_is_in_the_banner() -> None:
    events = EventList()
    for severity in ("info", "warning", "alarm"):
        events.add(event(severity, severity), t_ns=0)
    assert texts(events.newest()) == ["alarm", "warning", "info"]
    assert texts(events.alarms()) == ["alarm"]


@pytest.mark.parametrize(
    ("alarm", "end"),
    [
        ("field_lost", "field_found"),
        ("twin_mismatch", "twin_match"),
        ("disarmed", "armed"),
    ],
)
def test_an_alarm_ends_with_the_event_that_it_is_over(alarm: str, end: str) -> None:
    events = EventList()
    events.add(event("alarm", alarm, process="decoder"), t_ns=0)
    events.add(event("info", end, process="decoder"), t_ns=1)
    assert events.alarms() == []


def test_an_alarm_that_is_over_leaves_the_banner_and_stays_in_the_list() -> None:
    events = EventList()
    events.add(event("alarm", "recorder_stalled"), t_ns=0)
    events.add(event("info", "recorder_resumed", process="bridge"), t_ns=1)
    assert texts(events.alarms()) == ["recorder_stalled"]
    events.add(event("info", "recorder_resumed"), t_ns=2)
    assert events.alarms() == []
    assert texts(events.newest()) == ["recorder_resumed", "recorder_resumed", "recorder_stalled"]


def test_an_alarm_that_is_sent_again_after_it_was_acknowledged_comes_back() -> None:
    events = EventList()
    events.add(event("alarm", "disk_low"), t_ns=0)
    (first,) = events.alarms()
    events.add(event("alarm", "disk_low"), t_ns=1)
    events.acknowledge(first["number"])  # a browser that had not shown the second one yet
    (second,) = events.alarms()
    events.acknowledge(second["number"])
    assert events.alarms() == []
    events.add(event("alarm", "disk_low"), t_ns=2)
    assert texts(events.alarms()) == ["disk_low"]


def test_times_count_from_the_earliest_start() -> None:
    events = EventList()
    events.add(event("info", "odd"), t_ns=9 * S)
    assert events.newest()[0]["t_s"] is None
    for start_s in (5, 4, 7):
        events.begin(t_ns=start_s * S)
    assert events.newest()[0]["t_s"] == 5


@given(st.lists(st.sampled_from(["a", "b"]), max_size=60))
def test_rows_sum_up_what_happened_in_a_row(codes: list[str]) -> None:
    events = EventList()
    for n, code in enumerate(codes):
        events.add(event("warning", code), t_ns=n)
    rows = events.newest()[::-1]
    expanded = [row["code"] for row in rows for _ in range(row["times"])]
    assert expanded == codes[len(codes) - len(expanded) :]
    assert [row["counts"] for row in rows] == [{"messages": 2 * row["times"]} for row in rows]
    assert len(rows) == 40 or len(expanded) == len(codes)
    last = [code for n, code in enumerate(codes) if n == 0 or codes[n - 1] != code]
    assert [row["code"] for row in rows] == last[-40:]


def test_notes_that_follow_each_other_are_rows_of_their_own() -> None:
    events = EventList()
    for n, text in enumerate(("eye closed", "eye open", "eye open")):
        events.add(note_event(text, process="view"), t_ns=n)
    assert [one["text"] for one in events.newest()] == ["eye open", "eye open", "eye closed"]
