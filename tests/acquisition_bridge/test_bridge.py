"""The bridge passes on every measurement, shows displayed frames, and stops on request."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import numpy as np
import pytest

from acquisition_bridge.bridge import SourceReports, run_bridge
from acquisition_bridge.sources.contract import FrameSpec
from rtdecode.schema.errors import RecorderAbsentError
from rtdecode.schema.messages import Body, DisplayedFrame, Received, Scan, Stamped

PIXELS = np.zeros((2, 2), np.uint16)
FRAME = DisplayedFrame("clip", 3, np.zeros((36, 64), np.uint8), 5, 1)


class Scripted:
    """A source that gives batches of scans and remembers what it saw."""

    spec = FrameSpec(2, 2, "uint16")
    needs_displayed_frames = True

    def __init__(self, batches: Sequence[int]) -> None:
        self._batches = list(batches)
        self._given = 0
        self.seen: list[DisplayedFrame] = []
        self.begun_ns = -1

    @property
    def ended(self) -> bool:
        return not self._batches

    def begin(self, t_ns: int) -> None:
        self.begun_ns = t_ns

    def show(self, frame: DisplayedFrame) -> None:
        self.seen.append(frame)

    def measured_until(self, until_ns: int) -> Sequence[Scan]:
        count = self._batches.pop(0)
        self._given += count
        return [Scan(PIXELS, self._given - count + k, 0, 0, 1) for k in range(count)]

    def health(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        """Nothing to close."""


class Screen:
    """An inlet that brings one frame, then something that is no frame, then nothing."""

    def __init__(self) -> None:
        self._bodies: list[Body] = [FRAME, Scan(PIXELS, 0, 0, 0, 1)]

    def take(self, wait_s: float) -> Sequence[Received]:
        bodies, self._bodies = self._bodies, []
        return [Received(Stamped("stimulus", 0, 0, "host", body), 0) for body in bodies]


def test_everything_that_is_measured_is_handed_on_in_order(clock: Any, shelf: Any) -> None:
    source = Scripted([2, 0, 1, 3])
    reason = run_bridge(source, shelf, screen=None, stop=Event(), clock=clock)
    assert [scan.number for scan in shelf] == list(range(6))
    assert reason == "the source is at its end"
    assert source.begun_ns == clock.now_ns()


def test_shown_frames_reach_the_source_and_nothing_else_does(clock: Any, shelf: Any) -> None:
    source = Scripted([1, 1])
    run_bridge(source, shelf, screen=Screen(), stop=Event(), clock=clock)
    assert source.seen == [FRAME]


def test_it_stops_when_asked_after_the_turn(clock: Any, shelf: Any) -> None:
    stop = Event()
    reason = run_bridge(
        Scripted([1] * 9), shelf, screen=None, stop=stop, clock=clock, after_turn=stop.set
    )
    assert reason == "stopped as asked"
    assert len(shelf) == 1


class Losing(Scripted):
    """A source whose counter of lost scans is given with each batch."""

    def __init__(self, lost: Sequence[int]) -> None:
        super().__init__([0] * len(lost))
        self._lost = lost

    def health(self) -> dict[str, float]:
        return {"scans": 9, "lost": self._lost[-1 - len(self._batches)]}


def test_scans_that_the_microscope_lost_are_reported_once_in_all(clock: Any, shelf: Any) -> None:
    source = Losing([0, 2, 2, 5, 7])
    run_bridge(source, shelf, screen=None, stop=Event(), clock=clock)
    assert {event.code for event in shelf} == {"scans_lost"}
    assert [event.counts["scans"] for event in shelf] == [2, 5]


def test_a_counter_that_rises_all_the_time_is_reported_once_a_second() -> None:
    reports = SourceReports()
    times = [t for t in range(0, 5000, 50) if list(reports.due({"lost": t + 1}, t_ns=t * 10**6))]
    assert times == [0, 1000, 2000, 3000, 4000]


class Full:
    """An sink whose recorder has no room."""

    def push(self, item: Body) -> None:
        raise RecorderAbsentError(endpoint="ipc://x", waited_s=1.0)


def test_a_scan_that_cannot_be_recorded_ends_the_run(clock: Any) -> None:
    with pytest.raises(RecorderAbsentError):
        run_bridge(Scripted([1]), Full(), screen=None, stop=Event(), clock=clock)


def test_a_microscope_that_stops_ends_the_bridge_after_its_first_scan_alone() -> None:
    """Nothing comes for 100 turns of a second, then three scans, then nothing any more."""
    source, shelf, clock = Scripted([0] * 100 + [1, 1, 1] + [0] * 100), Shelf(), Seconds()
    reason = run_bridge(source, shelf, screen=None, stop=Event(), clock=clock, end_after_s=5.0)
    assert reason == "the microscope sent no scan for 5 s"
    assert len(shelf.items) == 3
    assert not source.ended


class Shelf:
    def __init__(self) -> None:
        self.items: list[Body] = []

    def push(self, item: Body) -> None:
        self.items.append(item)


class Seconds:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self._t_ns = 0

    def now_ns(self) -> int:
        self._t_ns += 1_000_000_000
        return self._t_ns

    def sleep_until(self, t_ns: int) -> None:
        self._t_ns = max(self._t_ns, t_ns)
