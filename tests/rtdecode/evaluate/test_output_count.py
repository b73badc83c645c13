"""Losses are counted in their layers; late frames overall and over ten seconds; events summed."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.messages import Body, Command, Event, Gap, Received, Reconstruction, Stamped
from rtdecode.schema.notes import note_event


def received(body: Body) -> Received:
    return Received(Stamped("decoder", 0, 0, "host", body), 0)


@given(st.lists(st.integers(1, 100), min_size=1), st.integers(0, 3))
def test_what_the_log_lacks_is_what_the_recorder_detected(gaps: list[int], others: int) -> None:
    count = OutputCount()
    for watcher in ["recorder", *(f"watcher{n}" for n in range(others))]:
        for missing in gaps:
            count.count(received(Gap("bridge/scan", 0, missing, watcher)))
    count.count(received(Gap("stimulus/displayed_frame", 0, 2, "recorder")))
    assert count.lost_by_stream == {"bridge/scan": sum(gaps), "stimulus/displayed_frame": 2}
    assert count.counters()["lost_messages"] == sum(gaps) + 2
    assert count.missed == {f"bridge/scan by watcher{n}": sum(gaps) for n in range(others)}


def frame(number: int, *, seq: int, at_s: float = 1.0, late: bool = False) -> Received:
    picture, t_ns = np.zeros((1, 1), np.float32), round(at_s * 1e9)
    body = Reconstruction(
        picture, picture, number, 0, 0, 0, 0, 0, 0, lag_frames=8, steps=3, objective=0.0,
        warm=True, late=late,
    )  # fmt: skip
    return Received(Stamped("emit", seq, t_ns, "host", body), t_ns)


@given(st.sets(st.integers(0, 300), min_size=1).map(sorted), st.data())
def test_frames_not_decoded_are_told_from_messages_that_are_missing(
    decoded: list[int], data: st.DataObject
) -> None:
    inner = list(enumerate(decoded))[1:-1]
    lost = data.draw(st.sets(st.sampled_from(inner))) if inner else set()
    count = OutputCount()
    for seq, number in enumerate(decoded):
        if (seq, number) not in lost:
            count.count(frame(number, seq=seq))
    assert count.frames_not_decoded == decoded[-1] - decoded[0] + 1 - len(decoded)


def test_frames_that_an_overloaded_decoder_left_out_are_counted_among_those_not_decoded() -> None:
    count = OutputCount()
    for seq, (number, shed) in enumerate(((5, 0), (6, 0), (8, 1), (12, 3), (15, 0))):
        one = frame(number, seq=seq)
        assert isinstance(one.message.body, Reconstruction)
        body = replace(one.message.body, frames_shed=shed)
        count.count(replace(one, message=replace(one.message, body=body)))
    assert (count.frames_shed, count.frames_not_decoded) == (4, 6)
    assert count.counters()["frames_shed"] == 4


def test_a_restarted_decoder_begins_with_message_0_and_may_repeat_frames() -> None:
    count = OutputCount()
    for seq, number in enumerate((5, 6, 7)):
        count.count(frame(number, seq=seq))
    for seq, number in enumerate((6, 7, 8, 10)):
        count.count(frame(number, seq=seq))
    assert count.frames_not_decoded == 1


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_late_frames_are_counted_over_any_ten_seconds(late: list[bool]) -> None:
    count, period_s = OutputCount(), 0.5
    for number, is_late in enumerate(late):
        count.count(frame(number, seq=number, at_s=1 + number * period_s, late=is_late))
    windows = [late[max(0, k - 19) : k + 1] for k in range(len(late))]
    worst = count.worst_late
    assert worst.late == max(map(sum, windows))
    assert (worst.late, worst.frames) in {(sum(one), len(one)) for one in windows} | {(0, 0)}
    last_ns = round((1 + (len(late) - 1) * period_s) * 1e9)
    now = count.late_until(last_ns)
    assert (now.late, now.frames) == (sum(windows[-1]), len(windows[-1]))
    assert count.late_until(last_ns + 10_000_000_000).frames == 0


def test_events_are_summed_with_their_times_and_their_highest_severity() -> None:
    count = OutputCount()
    for t_s, severity in ((3, "alarm"), (8, "warning")):
        event = Event(severity, "bridge", "scans_lost", "scans were lost", {"scans": 5})
        count.count(Received(Stamped("bridge", t_s, t_s * 10**9, "host", event), 0))
    (found,) = count.events
    assert (found.severity, found.times, count.lost_scans) == ("alarm", 2, 10)
    expected = "Event in the bridge: scans were lost (scans: 10), from 2.0 to 7.0 s."
    assert found.sentence(zero_ns=10**9) == expected


def test_counts_that_are_no_numbers_leave_the_sums_as_they_were() -> None:
    count = OutputCount()
    for scans in (2.0, math.nan, math.inf, 3.0):
        lost = Event("warning", "bridge", "scans_lost", "scans were lost", {"scans": scans})
        count.count(received(lost))
    assert count.lost_scans == 5
    assert [(one.times, dict(one.counts)) for one in count.events] == [(4, {"scans": 5.0})]


def test_other_messages_are_passed_over() -> None:
    count = OutputCount()
    count.count(received(Command("decoder", "stop", "")))
    assert set(count.counters().values()) == {0.0}


def test_events_without_counts_are_stated_with_each_of_their_causes() -> None:
    count = OutputCount()
    causes = ["by a key", "the policy failed", "by a key", *(f"cause {n}" for n in range(100))]
    for t_s, cause in enumerate(causes):
        event = Event("info", "controller", "disarmed", f"disarmed: {cause}")
        count.count(Received(Stamped("controller", t_s, t_s * 10**9, "host", event), 0))
    first, second, *others = [one.sentence(zero_ns=0) for one in count.events]
    assert first == "Event in the controller: disarmed: by a key (2 times), from 0.0 to 2.0 s."
    assert second == "Event in the controller: disarmed: the policy failed, at 1.0 s."
    # a process that states ever new texts does not fill the memory
    assert len(others) < 30
    assert sum(one.times for one in count.events) == len(causes)


def test_each_note_is_stated_apart_and_others_stay_summed() -> None:
    count = OutputCount()
    events = [note_event("again", process="view") for _ in range(400)]
    events.append(Event("alarm", "decoder", "late", "it is late"))
    for seq, event in enumerate(events):
        count.count(Received(Stamped("view", seq, seq * 10**9, "host", event), 0))
    notes, (alarm,) = count.events[:-1], count.events[-1:]
    assert [note.sentence(zero_ns=0) for note in notes[:2]] == [
        "Note at 0.0 s: again",
        "Note at 1.0 s: again",
    ]
    assert (len(notes), alarm.code) == (400, "late")
