"""Saturated processors are an event once, with the processes that use most, and so is their end."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.processor_watch import ProcessorTimes, ProcessorWatch, ThisComputer
from rtdecode.schema.messages import Event

OWN = {"decoder": 7}


@dataclass
class Simulated:
    """A computer with two processors, and its clock."""

    t_s: float = 0.0
    used_s: float = 100.0
    stolen_s: float = 0.0
    of_processes: dict[int, tuple[str, float]] = field(
        default_factory=lambda: {7: ("python", 50.0), 8: ("backup", 900.0)}
    )
    read: int = 0

    def now_ns(self) -> int:
        return round(self.t_s * 1e9)

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the watch never sleeps")

    def times(self) -> ProcessorTimes:
        return ProcessorTimes(self.used_s, self.stolen_s, 2 * self.t_s)

    def processes(self) -> Mapping[int, tuple[str, float]]:
        self.read += 1
        return dict(self.of_processes)

    def advance(self, share: float, *, seconds: float = 0.25, stolen: float = 0.0) -> None:
        """Use `share` of both processors; the decoder has a third of it, the backup the rest."""
        used_s = 2 * share * seconds
        self.t_s, self.used_s = self.t_s + seconds, self.used_s + used_s
        self.stolen_s += 2 * stolen * seconds
        for pid, part in ((7, 1 / 3), (8, 2 / 3)):
            name, before_s = self.of_processes[pid]
            self.of_processes[pid] = name, before_s + part * (used_s - 2 * stolen * seconds)


def events(
    computer: Simulated, watch: ProcessorWatch, share: float, *, seconds: float
) -> list[Event]:
    found = []
    for _ in range(round(4 * seconds)):
        computer.advance(share)
        found += watch.events(OWN)
    return found


def test_saturation_is_stated_once_with_the_processes_that_use_most() -> None:
    computer = Simulated()
    watch = ProcessorWatch(computer, computer=computer)
    assert events(computer, watch, 0.5, seconds=30) == []
    (event,) = events(computer, watch, 0.99, seconds=60)
    assert (event.severity, event.process, event.code) == (
        "warning", "supervisor", "processor_saturated",
    )  # fmt: skip
    assert event.text == (
        "the processors of this computer were used to 99 % for 5 s; most by backup 132 % (not of "
        "this run), decoder 66 % (of one processor)"
    )
    (recovered,) = events(computer, watch, 0.6, seconds=60)
    assert recovered.code == "processor_recovered"
    assert 57 <= recovered.counts["seconds"] <= 62


def test_time_that_other_virtual_machines_had_is_stated() -> None:
    computer = Simulated()
    watch = ProcessorWatch(computer, computer=computer, where="rig", source="supervisor")
    found = []
    for _ in range(40):
        computer.advance(1.0, stolen=0.25)
        found += watch.events(OWN)
    assert "of rig were used to 100 % for 5 s, of which other virtual machines had 25 %" in (
        found[0].text
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.25, 4.5)), max_size=40))
def test_use_that_changes_within_five_seconds_is_no_event(
    spans: list[tuple[float, float]],
) -> None:
    computer = Simulated()
    watch = ProcessorWatch(computer, computer=computer)
    for share, seconds in spans:
        assert events(computer, watch, share, seconds=min(seconds, 4)) == []
        assert events(computer, watch, 0.5, seconds=2) == []


def test_processes_are_read_twice_for_an_event_and_not_at_all_without() -> None:
    computer = Simulated()
    watch = ProcessorWatch(computer, computer=computer)
    events(computer, watch, 0.9, seconds=60)
    assert computer.read == 0
    events(computer, watch, 1.0, seconds=60)
    assert computer.read == 2


def test_the_times_of_this_computer_are_those_of_its_processors() -> None:
    this = ThisComputer()
    before, after = this.times(), this.times()
    assert 0 <= before.used_s <= before.all_s <= after.all_s
    assert 0 <= before.stolen_s <= before.used_s
    name, used_s = this.processes()[os.getpid()]
    assert name == psutil.Process().name()
    assert used_s > 0
