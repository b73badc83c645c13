"""Recognition of a computer whose processors are saturated, for the supervisor and joined hosts.

Duties: sample the use of all processors once a second, and state as an Event that it was above
95 % for 5 s, with the processes that used most of it, and that it has fallen again. Percentages in
texts are of one processor for a process and of all processors for the computer. Time that a
hypervisor gave to other machines (steal) counts as used. It ends and slows down no process.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psutil

from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event

_NS_PER_S = 1e9
_SAMPLE_S, _SATURATED_S = 1.0, 5.0
_SATURATED, _RECOVERED = 0.95, 0.85
_NAMED, _LEAST_PERCENT = 4, 5.0
_IDLE = ("idle", "iowait")
_IN_OTHERS = ("guest", "guest_nice")
"""Times that user and nice time include."""


@dataclass(frozen=True, slots=True)
class ProcessorTimes:
    """Seconds of all processors since the computer started."""

    used_s: float
    stolen_s: float
    all_s: float


class Computer(Protocol):
    """What the watch reads of the computer."""

    def times(self) -> ProcessorTimes:
        """Use of all processors."""

    def processes(self) -> Mapping[int, tuple[str, float]]:
        """Name and processor time in s of each process, by its number."""


class ThisComputer:
    """The computer on which this process runs."""

    def times(self) -> ProcessorTimes:
        known = psutil.cpu_times()._asdict()
        all_s = sum(seconds for name, seconds in known.items() if name not in _IN_OTHERS)
        idle_s = sum(known.get(name, 0.0) for name in _IDLE)
        return ProcessorTimes(all_s - idle_s, known.get("steal", 0.0), all_s)

    def processes(self) -> Mapping[int, tuple[str, float]]:
        found = {}
        for process in psutil.process_iter(["name", "cpu_times"]):
            times = process.info["cpu_times"]
            if times is not None:
                found[process.pid] = process.info["name"], times.user + times.system
        return found


class ProcessorWatch:
    """Events of saturated processors of one computer.

    Parameters
    ----------
    source
        Process of the events.
    where
        The computer, as the texts name it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        source: str = "supervisor",
        where: str = "this computer",
        computer: Computer | None = None,
    ) -> None:
        self._clock, self._source, self._where = clock, source, where
        self._computer: Computer = computer or ThisComputer()
        self._sampled: tuple[int, ProcessorTimes] | None = None
        self._began: tuple[int, ProcessorTimes] | None = None
        """When the use passed the limit of a change, and the times then."""
        self._processes: tuple[int, Mapping[int, tuple[str, float]]] = (0, {})
        self._saturated_ns: int | None = None

    def events(self, own: Mapping[str, int]) -> list[Event]:
        """Changes since the last call; `own` has the processes of the run here, by name."""
        now_ns = self._clock.now_ns()
        if self._sampled is None:
            self._sampled = now_ns, self._computer.times()
            return []
        before_ns, before = self._sampled
        if now_ns - before_ns < _SAMPLE_S * _NS_PER_S:
            return []
        times = self._computer.times()
        self._sampled = now_ns, times
        used = _used(before, times)
        is_saturated = self._saturated_ns is not None
        if used <= _RECOVERED if is_saturated else used >= _SATURATED:
            return self._after_limit(before_ns, before, own)
        self._began = None
        return []

    def _after_limit(
        self, before_ns: int, before: ProcessorTimes, own: Mapping[str, int]
    ) -> list[Event]:
        """The event of a change, once the use has been beyond the limit for 5 s."""
        if self._began is None:
            self._began = before_ns, before
            if self._saturated_ns is None:
                self._processes = self._clock.now_ns(), self._computer.processes()
        began_ns, began = self._began
        now_ns, times = self._sampled or (before_ns, before)
        seconds = (now_ns - began_ns) / _NS_PER_S
        if seconds < _SATURATED_S:
            return []
        self._began = None
        if self._saturated_ns is not None:
            lasted_s, self._saturated_ns = (began_ns - self._saturated_ns) / _NS_PER_S, None
            text = f"the processors of {self._where} are no longer saturated"
            counts = {"seconds": round(lasted_s, 1)}
            return [Event("info", self._source, "processor_recovered", text, counts)]
        self._saturated_ns = began_ns
        stolen = 100 * (times.stolen_s - began.stolen_s) / max(1e-9, times.all_s - began.all_s)
        by = f", of which other virtual machines had {stolen:.0f} %" if stolen >= 1 else ""
        text = (
            f"the processors of {self._where} were used to {100 * _used(began, times):.0f} % for "
            f"{seconds:.0f} s{by}; most by {self._most(own)} (of one processor)"
        )
        return [Event("warning", self._source, "processor_saturated", text)]

    def _most(self, own: Mapping[str, int]) -> str:
        """The processes that used most since saturation began, with their share of a processor."""
        since_ns, before = self._processes
        seconds = (self._clock.now_ns() - since_ns) / _NS_PER_S
        names = {pid: name for name, pid in own.items()} | {os.getpid(): "rtdecode"}
        used = [
            (100 * (used_s - before.get(pid, ("", 0.0))[1]) / seconds, pid, name)
            for pid, (name, used_s) in self._computer.processes().items()
        ]
        most = [one for one in sorted(used, reverse=True) if one[0] >= _LEAST_PERCENT][:_NAMED]
        stated = [
            f"{names[pid]} {percent:.0f} %"
            if pid in names
            else f"{name} {percent:.0f} % (not of this run)"
            for percent, pid, name in most
        ]
        return ", ".join(stated) or "many short processes"


def _used(before: ProcessorTimes, after: ProcessorTimes) -> float:
    """Share of all processors that was used between two times."""
    all_s = after.all_s - before.all_s
    return (after.used_s - before.used_s) / all_s if all_s > 0 else 0.0
