"""What was injected, what the log holds, and what the session reports, compared."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fault_cells import OF_A_BUSY_MACHINE, RESTARTED, Cell
from fault_run import Left
from plain_log import PlainLog, read_plain
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.schema.errors import DataLostError, RtdecodeError
from rtdecode.session.recover import recover

_IN_REPORT = {
    "lost_scans": "scans lost by the microscope",
    "lost_messages": "messages that the log lacks",
    "scans_not_decoded": "scans not decoded",
    "frames_not_decoded": "frames not decoded",
    "frames_late": "late frames",
}
"""Words for each layer in the page of the report."""


_SOURCES = {"decoder": ("decoder", "emit")}
"""Sources of a process with several; a kill loses what it had not sent of each."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The four layers of loss, with scans and frames of the third apart."""

    lost_scans: int
    """Scans that the microscope lost."""
    lost_messages: int
    """Messages that the log lacks."""
    scans_not_decoded: int
    frames_not_decoded: int | None
    """None where it is not reported."""
    frames_late: int


@dataclass(slots=True)
class Verdict:
    """One cell of the matrix as it was run."""

    cell: Cell
    left: Left
    log: PlainLog
    counted: Layers
    reported: Layers | None
    """None where the session has no summary."""
    recovered: Mapping[str, int]
    """Messages by stream, as `recover` counts them."""
    scored: Mapping[str, Any]
    """`rtdecode score --json`."""
    report: str
    """The page of the report."""

    def wrong(self) -> list[str]:
        """What differs, a sentence each; empty where all agrees."""
        parts = (self._end(), self._scans(), self._layers(), self._events(), self._counts())
        return [*self.left.notes, *(sentence for part in parts for sentence in part)]

    def _end(self) -> Iterator[str]:
        lost = self.log.missing and not self.cell.exit_code
        expected = DataLostError.exit_code if lost else self.cell.exit_code
        if self.left.exit_code != expected:
            yield f"the exit code is {self.left.exit_code}, expected is {expected}"

    def _scans(self) -> Iterator[str]:
        sent, recorded = len(self.left.sent["numbers"]), len(self.log.scans)
        if self.cell.records_all and recorded != sent - self.cell.left_out:
            yield f"{recorded} scans are in the log, {sent} were sent"
        lost = self.counted.lost_scans + self.log.missing.get("bridge/scan", 0)
        accounted = recorded + lost + self.cell.left_out
        if not self.cell.records_all and self.cell.accounts_for_all and accounted != sent:
            yield f"{recorded} scans are in the log and {lost} lost, {sent} sent"
        not_decoded, missed = self.counted.scans_not_decoded, self._missed_on_the_way()
        if self.cell.stream == "bridge/scan" and not_decoded != missed:
            yield f"{missed} scans did not reach the decoder in time, {not_decoded} not decoded"
        if self.cell.decodes_all and not_decoded:
            yield f"{not_decoded} scans of the log were not decoded"
        if self.counted.lost_scans != self.cell.lost_scans and self.cell.records_all:
            yield f"the log lacks {self.counted.lost_scans} scans, {self.cell.lost_scans} were lost"
        killed = self.cell.process if (self.cell.process, RESTARTED) in self.cell.events else ""
        sources = _SOURCES.get(killed, (killed,))
        if self.cell.accounts_for_all and any(
            stream.partition("/")[0] not in sources for stream in self.log.missing
        ):
            yield f"the log lacks messages: {self.log.missing}"

    def _layers(self) -> Iterator[str]:
        if self.reported is None:
            yield "the session has no summary"
            return
        counted, reported = asdict(self.counted), asdict(self.reported)
        for name, value in counted.items():
            if reported[name] != value:
                yield f"{name.replace('_', ' ')}: {reported[name]} reported, {value} counted"

    def _events(self) -> Iterator[str]:
        expected, found = self.cell.events, self.log.event_counts
        for event, counts in expected.items():
            sums = {k: v for k, v in found.get(event, {}).items() if k != "times"}
            if event not in found:
                yield f"no event {event[1]} of {event[0]}"
            elif counts is not None and sums != counts:
                yield f"event {event[1]} of {event[0]} counts {sums}, expected {dict(counts)}"
        permitted = self.cell.permitted | OF_A_BUSY_MACHINE
        for process, code in self.log.warnings - expected.keys() - permitted:
            yield f"event {code} of {process} is not expected"
        stated: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for one in self.scored.get("events", []):
            # several sums of one code, where their texts differ
            stated[one["process"], one["code"]].update({"times": one["times"], **one["counts"]})
        if stated != {event: dict(sums) for event, sums in found.items()}:
            yield f"the events of the summary are {stated}"

    def _counts(self) -> Iterator[str]:
        """Messages in the log, as recover, score, report and the page count them."""
        by, stream = self.cell.subscriber, self.cell.stream
        if by and self.log.gaps[stream, by] != self._missed_on_the_way():
            missed = self._missed_on_the_way()
            yield f"{by} states {self.log.gaps[stream, by]} missing of {stream}, it missed {missed}"
        counted = dict(self.log.messages)
        for name, found in (("recover", self.recovered), ("score", self.scored.get("messages"))):
            if found != counted:
                yield f"{name} counts {_sum(found)} messages, the log has {_sum(counted)}"
        if self.left.summary is not None and self.left.summary["messages"] != counted:
            yield f"run counts {_sum(self.left.summary['messages'])} messages"
        yield from self._report()
        if (missed := self.scored.get("missed", {})) != self._missed():
            yield f"messages that processes missed: {missed} reported, {self._missed()} in the log"
        yield from self._page()

    def _report(self) -> Iterator[str]:
        """What the page of the report states."""
        messages = f"{sum(self.log.messages.values()):,} messages"
        if f" {messages} " not in self.report:
            yield f"the report does not state the {messages} of the log"
        for layer, value in asdict(self.counted).items():
            words = _IN_REPORT[layer]
            figure = re.search(rf"{words}</t[dh]>\s*<td[^>]*>([\d.e+]+)<", self.report)
            if figure is None or round(float(figure.group(1))) != value:
                got = figure.group(1) if figure else "nothing"
                yield f"the report states {got} {words}, the log has {value}"

    def _missed(self) -> dict[str, int]:
        """Messages that a process other than the recorder stated as missing."""
        found = self.log.gaps.items()
        return {f"{stream} by {by}": n for (stream, by), n in found if by != "recorder"}

    def _missed_on_the_way(self) -> int:
        """Messages that the forwarder lost, or passed on too late."""
        return len(self.left.touched) if self.cell.detail in ("loss", "reordered") else 0

    def _page(self) -> Iterator[str]:
        """What the page counted last, beside the log; a page that was started again began later."""
        counters, losses = self.left.page.get("counters", {}), self.left.page.get("losses", {})
        if not self.cell.accounts_for_all:
            return
        missed = losses.get("missed", {}).get("emit/reconstruction by view", 0)
        frames, in_log = int(counters.get("frames", 0)), len(self.log.reconstructions)
        unsent = self.log.missing.get("emit/reconstruction", 0)
        if not in_log <= frames + missed <= in_log + unsent:
            yield f"the page counts {frames} frames and missed {missed}, the log has {in_log}"
        if self.cell.stream == "emit/reconstruction" and missed != self._missed_on_the_way():
            yield f"the page states {missed} missed frames, it missed {self._missed_on_the_way()}"
        for layer, found in self._layers_of_page().items():
            words, counted = layer.replace("_", " "), getattr(self.counted, layer)
            # whether frames that the page missed were late is not known to it
            may_lack = missed if layer == "frames_late" else 0
            if found is None or not counted - may_lack <= found <= counted:
                yield f"{words}: {found} on the page, {counted} counted"
        listed = Counter[tuple[str, str]]()
        for one in self.left.page.get("events", []):
            listed[one["process"], one["code"]] += one["times"]
        in_log_times = {event: sums["times"] for event, sums in self.log.event_counts.items()}
        if listed != in_log_times:
            yield f"the page lists the events {dict(listed)}, the log has {in_log_times}"

    def _layers_of_page(self) -> dict[str, int]:
        """Layers that the page counts over the whole run."""
        counters, losses = self.left.page.get("counters", {}), self.left.page.get("losses", {})
        found = {
            "lost_messages": counters.get("lost_messages"),
            "lost_scans": losses.get("scans_lost"),
        }
        if self.cell.process != "view":
            found |= {
                "frames_not_decoded": counters.get("frames_not_decoded"),
                "frames_late": counters.get("late"),
            }
        return {layer: -1 if value is None else int(value) for layer, value in found.items()}

    def as_json(self) -> dict[str, Any]:
        """The row of the result file."""
        cell, log, wrong = self.cell, self.log, self.wrong()
        events = {
            f"{process}: {code}": dict(sums)
            for (process, code), sums in sorted(log.event_counts.items())
        }
        return {
            "cell": cell.name,
            "fault": cell.fault.value,
            "process": cell.process,
            "done": cell.done,
            "exit_code": self.left.exit_code,
            "exit_code_expected": cell.exit_code,
            "injected": {
                "scans_sent": len(self.left.sent["numbers"]),
                "scans_lost": cell.lost_scans,
                "scans_left_out": cell.left_out,
                "messages_touched": len(self.left.touched),
                "events": {
                    f"{process}: {code}": counts and dict(counts)
                    for (process, code), counts in cell.events.items()
                },
            },
            "counted": {
                **asdict(self.counted),
                "scans": len(log.scans),
                "frames": len(log.reconstructions),
                "messages": _sum(log.messages),
                "gaps": {f"{process}: {stream}": n for (stream, process), n in log.gaps.items()},
                "events": events,
                "warnings": sorted(f"{process}: {code}" for process, code in log.warnings),
            },
            "reported": {
                **(asdict(self.reported) if self.reported else {}),
                "messages_recover": _sum(self.recovered),
                "messages_score": _sum(self.scored.get("messages")),
                "page": {
                    key: int(self.left.page.get("counters", {}).get(key, 0))
                    for key in ("frames", "late", "frames_not_decoded", "lost_messages")
                },
                "said": self._last_said(),
            },
            "wrong": wrong,
            "right": not wrong,
        }  # fmt: skip

    def _last_said(self) -> str:
        """The error that the command ended with, or how it ended."""
        lines = [
            line for line in self.left.said.splitlines() if re.match(r"rtdecode:|ended:", line)
        ]
        return (lines or [""])[-1].replace(str(self.left.session.parent), "")


def _sum(counts: Mapping[str, int] | None) -> int | None:
    return None if counts is None else sum(counts.values())


def verdict(cell: Cell, left: Left) -> Verdict:
    """Recover, score and read the session of `left`."""
    session = left.session
    recovered = _recovered(session)
    scored = _scored(session)
    log = read_plain(session / "log.mcap")
    page = session / "report" / "index.html"
    counted = Layers(
        lost_scans=log.lost_scans - cell.set_aside,
        lost_messages=sum(log.missing.values()),
        scans_not_decoded=log.scans_not_decoded,
        frames_not_decoded=log.frames_not_decoded,
        frames_late=log.late,
    )
    return Verdict(
        cell,
        left,
        log,
        counted,
        _reported(scored),
        recovered,
        scored,
        page.read_text() if page.is_file() else "",
    )


def _recovered(session: Path) -> Mapping[str, int]:
    try:
        return dict(recover(session).counts)
    except RtdecodeError as refusal:
        return {str(refusal): 0}


def _scored(session: Path) -> Mapping[str, Any]:
    file = session.parent / "scored.json"
    CliRunner().invoke(app, ["score", str(session), "--json", str(file)])
    return json.loads(file.read_text()) if file.is_file() else {}


def _reported(scored: Mapping[str, Any]) -> Layers | None:
    if not scored:
        return None
    of_all = (scored["late_percent"] or 0.0) * scored["frames_out"] / 100
    return Layers(
        lost_scans=scored["lost_scans"],
        lost_messages=scored["lost_messages"],
        scans_not_decoded=scored["scans_not_decoded"],
        frames_not_decoded=scored.get("frames_not_decoded"),
        frames_late=scored.get("late_frames", round(of_all)),
    )
