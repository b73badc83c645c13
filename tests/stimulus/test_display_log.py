"""A displayed frame has the flipped picture, the time of its light, and the refreshes before it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import DisplayedFrame
from stimulus.display_log import DisplayLog
from stimulus.playlist import MovieFrame

MS = 1_000_000
FRAME = MovieFrame("cat", 7, np.full((36, 64), 9, np.uint8))


def flipped(display_log: DisplayLog, *times_ms: float, refreshes: int = 2) -> list[DisplayedFrame]:
    return [
        display_log.flipped(FRAME, number=7, t_flip_ns=round(t * MS), refreshes=refreshes)
        for t in times_ms
    ]


def test_clip_index_picture_and_delayed_time_are_recorded() -> None:
    (shown,) = flipped(DisplayLog(light_delay_ms=11.5, refresh_hz=60.0), 100.0)
    assert (shown.clip, shown.index, shown.number) == ("cat", 7, 7)
    assert shown.t_flip_ns == round(111.5 * MS)
    np.testing.assert_array_equal(shown.luminance, FRAME.luminance)


def test_refreshes_are_counted_to_the_nearest() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=60.0)
    shown = flipped(display_log, 0.0, 33.0, 66.9, 117.0)
    assert [frame.flips for frame in shown] == [0, 2, 2, 3]


def test_refreshes_beyond_the_planned_ones_are_counted_as_missed() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=60.0)
    flipped(display_log, 0.0, 33.3, 100.0, 133.3)
    assert display_log.counters() == {
        "frames_shown": 4,
        "refreshes_missed": 2,
        "longest_frame_ms": pytest.approx(66.7),
    }


def test_a_frame_that_stays_for_a_second_is_an_event_once() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=60.0)
    stalls = []
    for t_ms in (0.0, 33.3, 1032.0, 6032.0, 6065.3):
        flipped(display_log, t_ms)
        stalls += [event for event in display_log.events() if event.code == "screen_stalled"]
    assert [event.counts for event in stalls] == [{"seconds": 5.0}]


@given(late=st.lists(st.integers(0, 80), min_size=1, max_size=120))
def test_missed_refreshes_are_events_at_most_one_a_second_and_none_is_uncounted(
    late: list[int],
) -> None:
    display_log, t_ms, events, stated_ms = (
        DisplayLog(light_delay_ms=0.0, refresh_hz=60.0),
        0.0,
        [],
        [],
    )
    for refreshes_late in late:
        t_ms += (2 + refreshes_late) * 1000 / 60
        flipped(display_log, t_ms)
        found = [event for event in display_log.events() if event.code == "flip_missed"]
        events += found
        stated_ms += [t_ms] * len(found)
    events += display_log.unreported()
    assert all(after - before >= 999 for before, after in pairwise(stated_ms))
    # the first frame follows no other, and can delay none
    assert sum(event.counts["refreshes"] for event in events) == sum(late[1:])
    assert list(display_log.unreported()) == []


def test_the_first_missed_refreshes_are_stated_at_once() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=60.0)
    flipped(display_log, 0.0, 100.0)
    (event,) = display_log.events()
    assert (event.code, event.severity, event.counts) == (
        "flip_missed",
        "warning",
        {"refreshes": 4},
    )


def test_alternating_planned_durations_count_no_missed_refresh() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=75.0)
    refreshes, t_ms = [2, 3] * 10, 0.0
    for planned in refreshes:
        display_log.flipped(FRAME, number=0, t_flip_ns=round(t_ms * MS), refreshes=planned)
        t_ms += planned * 1000 / 75
    assert display_log.missed == 0
    assert display_log.displayed == 20
