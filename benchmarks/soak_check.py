"""Compares each loss and each event of a soak run with the faults that were made.

The log is read with the independent reader (`tests/fixtures/plain_log.py`: `mcap` and `msgpack`
alone). Each loss and each warning has a time on the host's clock, and is explained by a fault whose
effects reach that time and that can have this effect. Whatever no fault explains is stated.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from fault_cells import OF_A_BUSY_MACHINE, Fault
from plain_log import PlainLog
from soak_faults import Injected, restarts

_PROCESS_OF = {"emit": "decoder", "ready": "decoder", "events": "recorder"}
"""Process of the sources that have another name."""
_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_TENTHS = 10
OF_THIS_RUN = frozenset({("evaluate", "twin_mismatch")})
"""Alarms that are right at any time: the twin of the run has random weights."""


@dataclass(slots=True)
class Timeline:
    """When what was recorded, message by message."""

    warnings: list[tuple[int, str, str, Mapping[str, float]]] = field(default_factory=list)
    """Time, process, code and counts of each warning or alarm."""
    gaps: list[tuple[int, str, str, int]] = field(default_factory=list)
    """Time, stream, process and number of messages of each gap that a process stated."""
    scan_ns: dict[int, int] = field(default_factory=dict)
    """When each scan was sent, by its number."""
    frames: list[tuple[int, float, float, bool]] = field(default_factory=list)
    """Time sent, ms from the middle of the displayed frame to the output and to the decoder's
    result, and lateness of each output."""
    first_ns: int = 0
    last_ns: int = 0

    def add(self, topic: str, message: Mapping[str, Any]) -> None:
        """Take a message into account, in the order of the log."""
        t_ns = message["t_ns"]
        self.first_ns = self.first_ns or t_ns
        self.last_ns = max(self.last_ns, t_ns)
        match message["kind"]:
            case "event" if message["severity"] != "info":
                self.warnings.append((t_ns, message["process"], message["code"], message["counts"]))
            case "gap":
                n_missing = message["n_missing"]
                self.gaps.append((t_ns, message["stream"], message["detected_by"], n_missing))
            case "scan":
                self.scan_ns[message["number"]] = t_ns
            case "reconstruction" if topic == "emit/reconstruction":
                ms = (
                    (t - message["t_frame_mid_ns"]) / _NS_PER_MS
                    for t in (t_ns, message["t_ready_ns"])
                )
                self.frames.append((t_ns, *ms, bool(message["late"])))


class Explanation:
    """Losses and events of a run, and the faults that they are due to."""

    def __init__(
        self, log: PlainLog, timeline: Timeline, faults: Sequence[Injected], *, frame_rate_hz: float
    ) -> None:
        self._log, self._times, self._faults = log, timeline, faults
        self._frame_ns = _NS_PER_S / frame_rate_hz

    def unexplained(self) -> list[str]:
        """A sentence for each kind of loss or event that no fault explains; empty where none is."""
        parts = (self._events(), self._counts(), self._scans(), self._messages(), self._order())
        found = [sentence for part in (*parts, self._decoded(), self._gaps()) for sentence in part]
        return [
            f"{sentence} ({n} times)" if n > 1 else sentence
            for sentence, n in Counter(found).items()
        ]

    def busy_machine(self) -> dict[str, int]:
        """Events outside all faults that a busy machine may cause, by process and code."""
        found = Counter(
            f"{process}: {code}"
            for t_ns, process, code, _ in self._times.warnings
            if (process, code) in OF_A_BUSY_MACHINE and not self._due_to(t_ns, lambda _: True)
        )
        return dict(found)

    def late(self) -> dict[str, Any]:
        """Late frames, in all and outside the effects of all faults."""
        late = [t_ns for t_ns, *_, is_late in self._times.frames if is_late]
        outside = sum(not self._due_to(t_ns, lambda _: True) for t_ns in late)
        quiet = sum(not self._due_to(t_ns, lambda _: True) for t_ns, *_ in self._times.frames)
        percent = round(100 * outside / quiet, 4) if quiet else None
        return {"frames": len(late), "outside_faults": outside, "percent_outside": percent}

    def _due_to(self, t_ns: int, can: Callable[[Injected], bool]) -> bool:
        return any(one.covers(t_ns) and can(one) for one in self._faults)

    def _s(self, t_ns: float) -> str:
        return f"{(t_ns - self._times.first_ns) / _NS_PER_S:.1f} s"

    def _events(self) -> Iterator[str]:
        for t_ns, process, code, counts in self._times.warnings:
            event = process, code
            expected = self._due_to(
                t_ns, lambda one, event=event: event in one.cell.events.keys() | one.cell.permitted
            )
            if not expected and event not in OF_A_BUSY_MACHINE | OF_THIS_RUN:
                yield f"event {code} of {process} at {self._s(t_ns)}: {dict(counts)}"

    def _counts(self) -> Iterator[str]:
        """Faults whose events are missing, or count something else."""
        for fault in self._faults:
            for (process, code), counts in fault.cell.events.items():
                found: Counter[str] = Counter()
                times = 0
                for t_ns, of, its_code, its_counts in self._times.warnings:
                    if (of, its_code) == (process, code) and fault.covers(t_ns):
                        found.update(its_counts)
                        times += 1
                what = f"{fault.cell.name} at {self._s(fault.begun_ns)}"
                if not times:
                    yield f"{what} has no event {code} of {process}"
                elif counts and dict(found) != dict(counts):
                    yield f"{what}: {code} counts {dict(found)}, expected {dict(counts)}"

    def _scans(self) -> Iterator[str]:
        """Scans that the microscope lost: as many as the rig skipped, or during a bridge's end."""
        of_runs = sorted(
            zip(self._log.scans, self._log.scan_runs, strict=True), key=lambda one: one[1].start
        )
        skipped: Counter[int] = Counter()
        for ((before, seq_before, _), run), ((number, seq, _), next_run) in pairwise(of_runs):
            unsent = run.last - seq_before + seq if next_run.start > run.start else 0
            step = seq - seq_before if seq > seq_before and run is next_run else 1 + unsent
            lost, t_ns = max(0, number - before - step), self._times.scan_ns[number]
            if not lost or self._due_to(
                t_ns, lambda one: one.cell.process == "bridge" and one.cell.fault is not Fault.RIG
            ):
                continue
            index = next((k for k, one in enumerate(self._faults) if one.covers(t_ns)), -1)
            skipped[index] += lost
        for index, lost in skipped.items():
            cell = self._faults[index].cell if index >= 0 else None
            if cell is None or lost != cell.lost_scans + cell.set_aside:
                yield f"the microscope lost {lost} scans in {cell.name if cell else 'no fault'}"

    def _messages(self) -> Iterator[str]:
        """Messages that the log lacks: those that a killed process had not sent."""
        for stream, runs in self._log.numbered.items():
            source = stream.partition("/")[0]
            process = _PROCESS_OF.get(source, source)
            starts_ns = self._log.starts_ns[source]
            for run in runs:
                if not run.missing:
                    continue
                next_ns = starts_ns[run.start] if run.start < len(starts_ns) else None
                killed = next_ns is not None and self._due_to(
                    next_ns,
                    lambda one, process=process: one.cell.process == process and restarts(one.cell),
                )
                if not killed:
                    yield f"the log lacks {run.missing} of {stream} (its start {run.start})"

    def _order(self) -> Iterator[str]:
        for stream, runs in self._log.numbered.items():
            seen = sum(len(run.seen) for run in runs)
            if seen != self._log.messages[stream]:
                doubled = self._log.messages[stream] - seen
                yield f"{doubled} messages of {stream} are in the log twice"

    def _decoded(self) -> Iterator[str]:
        """Scans and frames that were not decoded."""
        affected = {"decoder", "bridge"}
        for number, t_ns in self._times.scan_ns.items():
            if number not in self._log.fluorescence and not self._due_to(
                t_ns, lambda one: one.cell.process in affected
            ):
                yield f"a scan at {self._s(t_ns)} was not decoded"
        frames = np.unique(np.array(self._log.reconstructions, np.int64))
        for k in np.flatnonzero(np.diff(frames) > 1):
            first, stop = int(frames[k]) + 1, int(frames[k + 1])
            if not self._is_covered(first, stop, affected):
                when = self._s(first * self._frame_ns)
                yield f"{stop - first} frames at {when} were not decoded"

    def _is_covered(self, first: int, stop: int, affected: set[str]) -> bool:
        return any(
            one.covers(round(frame * self._frame_ns)) and one.cell.process in affected
            for frame in (first, stop)
            for one in self._faults
        )

    def _gaps(self) -> Iterator[str]:
        for t_ns, stream, process, n_missing in self._times.gaps:
            source = stream.partition("/")[0]
            involved = {process, _PROCESS_OF.get(source, source)} - {"recorder"}
            if not self._due_to(t_ns, lambda one, involved=involved: one.cell.process in involved):
                yield f"{process} missed {n_missing} of {stream} at {self._s(t_ns)}"


def latency(timeline: Timeline, faults: Sequence[Injected]) -> dict[str, Any]:
    """Milliseconds from the middle of the displayed frame to the output: trend and quantiles.

    The output delay follows the largest delay of the last minute, so that a fault of the bridge or
    the decoder makes it longer for a while. The trend is that of the frames outside of this;
    `ready` is the same up to the decoder's result, before it is held for the output.
    """
    if not timeline.frames:
        return {"frames": 0}
    table = np.array([one[:3] for one in timeline.frames], np.float64)
    t_ns, age_ms, ready_ms = table.T
    quiet = np.ones(len(t_ns), bool)
    for one in faults:
        if one.cell.process in _DELAYS:
            quiet &= (t_ns < one.begun_ns) | (t_ns > one.ended_ns + _DELAYED_S * _NS_PER_S)
    edges = np.linspace(t_ns[0], t_ns[-1] + 1, _TENTHS + 1)
    tenth = np.searchsorted(edges, t_ns, side="right") - 1
    medians = {
        name: [_median(values[(tenth == k) & quiet]) for k in range(_TENTHS)]
        for name, values in (("output", age_ms), ("ready", ready_ms))
    }
    return {
        "frames": len(age_ms),
        "median_ms": _median(age_ms),
        "p99_ms": round(float(np.percentile(age_ms, 99)), 3),
        "quiet_frames": int(quiet.sum()),
        "quiet_median_ms": _median(age_ms[quiet]),
        "quiet_p99_ms": round(float(np.percentile(age_ms[quiet], 99)), 3) if quiet.any() else None,
        "medians_of_tenths_ms": medians,
        "last_over_first": {name: _last_over_first(values) for name, values in medians.items()},
    }


_DELAYS, _DELAYED_S = ("bridge", "decoder"), 80.0
"""Processes whose faults delay the output, and for how long after: the window of the output delay,
which is 60 s, and its decrease."""


def _median(values: Any) -> float | None:
    return round(float(np.median(values)), 3) if len(values) else None


def _last_over_first(medians: Sequence[float | None]) -> float | None:
    """Median of the last tenth that has quiet frames, over that of the first."""
    known = [one for one in medians if one is not None]
    return round(known[-1] / known[0], 4) if len(known) > 1 else None


def losses(log: PlainLog) -> dict[str, int]:
    """The layers of loss as the independent reader counts them; they are never summed."""
    return {
        "lost_scans": log.lost_scans,
        "lost_messages": sum(log.missing.values()),
        "scans_not_decoded": log.scans_not_decoded,
        "frames_not_decoded": log.frames_not_decoded,
        "frames_late": log.late,
    }


def accounted(log: PlainLog, faults: Sequence[Injected], *, sent: int) -> list[str]:
    """A sentence where scans that the rig sent are neither in the log nor counted."""
    left_out = sum(one.cell.left_out for one in faults)
    of_rig = (one.cell for one in faults if one.cell.fault is Fault.RIG)
    skipped = sum(cell.lost_scans + cell.set_aside for cell in of_rig)
    lost = log.lost_scans - skipped + log.missing.get("bridge/scan", 0)
    recorded = len(log.scans)
    if recorded + lost + left_out == sent:
        return []
    return [f"{recorded} scans are in the log, {lost} lost, {left_out} left out; {sent} were sent"]


def counts_by_fault(faults: Sequence[Injected]) -> dict[str, int]:
    """How often each fault was made."""
    found: dict[str, int] = defaultdict(int)
    for one in faults:
        found[one.cell.name] += 1
    return dict(sorted(found.items()))
