"""A displayed frame has the flipped picture, the time of its light, and the refreshes before it."""

import numpy as np
import pytest

from rtdecode.schema.messages import DisplayedFrame
from stimulus.display_log import DisplayLog
from stimulus.playlist import MovieFrame

MS = 1_000_000
FRAME = MovieFrame("cat", 7, np.full((36, 64), 9, np.uint8))


def flipped(display_log: DisplayLog, *times_ms: float, refreshes: int = 2) -> list[DisplayedFrame]:
    return [
        display_log.flipped(FRAME, t_flip_ns=round(t * MS), refreshes=refreshes) for t in times_ms
    ]


def test_clip_index_picture_and_delayed_time_are_recorded() -> None:
    (shown,) = flipped(DisplayLog(light_delay_ms=11.5, refresh_hz=60.0), 100.0)
    assert (shown.clip, shown.index, shown.t_flip_ns) == ("cat", 7, round(111.5 * MS))
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
        stalls.append(display_log.stall())
    assert [one and one.counts for one in stalls] == [None, None, None, {"seconds": 5.0}, None]


def test_alternating_planned_durations_count_no_missed_refresh() -> None:
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=75.0)
    refreshes, t_ms = [2, 3] * 10, 0.0
    for planned in refreshes:
        display_log.flipped(FRAME, t_flip_ns=round(t_ms * MS), refreshes=planned)
        t_ms += planned * 1000 / 75
    assert display_log.missed == 0
    assert display_log.displayed == 20
