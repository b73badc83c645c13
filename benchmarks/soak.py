"""Hours of a live session of all real processes with random faults: memory, latency and losses.

    .venv/bin/python benchmarks/soak.py --minutes 120 --seed 1 --json benchmarks/results/soak.json

The run is that of the fault matrix: a rig program with 15 scans a second, a headless stimulus, a
linear twin, and a browser at the page. Faults of the matrix that a run survives, and browsers that
come and go, are made at random moments. All processes are sampled every five seconds. At the end
the log is read with the independent reader, and every loss and event must be due to a fault.

Samples and faults are written as they come, to `samples.jsonl` and `faults.jsonl` in --out, and the
result every minute. Ctrl-C ends the run and evaluates what there is. `--evaluate` with the --out of
an earlier run evaluates it again.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "fixtures"), str(ROOT / "tests" / "faults")]

# the parts of the fault matrix lie in the folders of the tests
# ruff: noqa: E402
import soak_check
import soak_samples
from fault_cells import Cell, Fault
from fault_run import FaultRun, prepared
from plain_log import read_plain
from soak_faults import Draw, Injected, faults_until, survivable

from rtdecode.bench.result_file import write_benchmark

RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
FRAME_RATE_HZ = 30.0
SPLIT_MB = 100.0
_PERIOD_S, _WRITTEN_S = 5.0, 60.0
_END_PATIENCE_S = 3600.0
_MB = 1e6
_SAID, _AFTER_S = 500, 30.0
FAULTS, OUTCOME = "faults.jsonl", "outcome.json"


@dataclass(slots=True)
class Outcome:
    """How a soak run ended."""

    exit_code: int | None
    scans_sent: int
    said: str
    """The last lines of the command."""
    zero_ns: int
    """When the times of the result file begin, on the host's clock."""
    ended_s: float
    """When the end of the run began, in s of the samples."""
    end_lasted_s: float
    """Duration of the end of the run, with its report."""


@dataclass(slots=True)
class Soak:
    """A soak run and what is known of it so far, in its folder."""

    folder: Path
    settings: dict[str, Any]
    json: Path
    faults: list[Injected] = field(default_factory=list)
    zero_ns: int = field(default_factory=time.monotonic_ns)
    written_s: float = 0.0

    @property
    def samples(self) -> Path:
        return self.folder / "samples.jsonl"

    def add(self, made: Injected) -> None:
        """Note a fault that was made."""
        self.faults.append(made)
        row = made.as_json(self.zero_ns)
        print(json.dumps(row), flush=True)
        with (self.folder / FAULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def results(self, *, until_s: float = float("inf")) -> dict[str, Any]:
        """What faults and samples say, without the log; `until_s` is when the end began."""
        every = soak_samples.lines_of(self.samples)
        samples = [one for one in every if one["t_s"] <= until_s]
        at_end = [one["rss_mb"] for one in every if one["t_s"] > until_s]
        return {
            "finished": False,
            "minutes": round(samples[-1]["t_s"] / 60, 1) if samples else 0.0,
            "highest_rss_mb_at_end": round(max(at_end), 1) if at_end else None,
            "faults_made": soak_check.counts_by_fault(self.faults),
            "percent_of_core": soak_samples.total_percent(samples),
            "processes": soak_samples.figures(samples, self.busy()),
            "faults": [one.as_json(self.zero_ns) for one in self.faults],
        }

    def busy(self) -> list[tuple[float, float]]:
        """Spans of the faults and their effects, in s of the samples."""
        rows = (one.as_json(self.zero_ns) for one in self.faults)
        return [(row["begun_s"] - _PERIOD_S, row["ended_s"] + _AFTER_S) for row in rows]

    def write_if_due(self) -> None:
        """Write the result so far, once a minute."""
        if time.monotonic() - self.written_s > _WRITTEN_S:
            self.write(self.results())
            self.written_s = time.monotonic()

    def write(self, results: dict[str, Any]) -> None:
        write_benchmark(self.json, name="soak", config=self.settings, results=results)

    def evaluate(self, outcome: Outcome) -> dict[str, Any]:
        """All results, with what the log holds, read with the independent reader."""
        results = self.results(until_s=outcome.ended_s)
        # what the samples say is kept also where the log cannot be read
        self.write(results)
        timeline = soak_check.Timeline()
        session = self.folder / "session"
        log = read_plain(session / "log.mcap", timeline.add)
        explained = soak_check.Explanation(log, timeline, self.faults, frame_rate_hz=FRAME_RATE_HZ)
        parts = sorted(session.glob("log*.mcap"))
        results |= {
            "finished": True,
            "exit_code": outcome.exit_code,
            "end_lasted_s": outcome.end_lasted_s,
            "scans_sent": outcome.scans_sent,
            "messages": sum(log.messages.values()),
            "log_mb": [round(part.stat().st_size / _MB, 1) for part in parts],
            "losses": soak_check.losses(log),
            "late": explained.late(),
            "of_a_busy_machine": explained.busy_machine(),
            "latency": soak_check.latency(timeline, self.faults),
            "unexplained": [
                *_ended_wrongly(outcome, expected=3 if log.missing else 0),
                *soak_check.accounted(log, self.faults, sent=outcome.scans_sent),
                *explained.unexplained(),
                *(f"{one.cell.name}: {note}" for one in self.faults for note in one.notes),
            ],
        }
        self.write(results)
        return results


def _ended_wrongly(outcome: Outcome, *, expected: int) -> list[str]:
    if outcome.exit_code == expected:
        return []
    said = " ".join(outcome.said.split())
    wrong = f"the exit code is {outcome.exit_code}, expected is {expected}"
    return [f"{wrong}; the command ended with: {said}"]


class SoakRun(FaultRun):
    """The run of the fault matrix, which Ctrl-C in the terminal does not end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Cell("no_fault", Fault.NONE, "none", "nothing"), folder)
        self.end_patience_s, self.own_group = _END_PATIENCE_S, True

    def config(self) -> dict[str, Any]:
        config = super().config()
        config["record"]["split_mb"] = SPLIT_MB
        return config


def soaked(soak: Soak, *, minutes: float, draw: Draw) -> Outcome:
    """Run for `minutes` with faults, or until Ctrl-C, and end as by Ctrl-C; what came of it."""
    stop = threading.Event()

    def ended_by_user(*_: object) -> None:
        print("ending once the effects of the present fault are over", flush=True)
        stop.set()

    with ExitStack() as stack:
        shutil.copytree(prepared(), soak.folder, dirs_exist_ok=True)
        run = SoakRun(soak.folder)
        stack.callback(run.close)
        run.start()
        stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, ended_by_user))
        soak.zero_ns = time.monotonic_ns()
        sampler = soak_samples.Sampler(run.run.pid, soak.samples, period_s=_PERIOD_S)
        stack.callback(sampler.close)
        end_s = time.monotonic() + 60 * minutes
        for made in faults_until(run, draw, end_s=end_s, stop=stop, turn=soak.write_if_due):
            soak.add(made)
        ended_s = time.monotonic()
        left = run.end()
    return Outcome(
        left.exit_code,
        len(left.sent["numbers"]),
        left.said[-_SAID:],
        soak.zero_ns,
        ended_s - sampler.begun_s,
        round(time.monotonic() - ended_s, 1),
    )


def table(results: dict[str, Any]) -> str:
    """A line for each process, and the figures of the whole run."""
    columns = {"lives": 6, "RSS, MB": 9, "slope, MB/h": 13, "handles": 9, "gained": 8, "core, %": 9}
    head = " " * 12 + "".join(f"{name:>{width}}" for name, width in columns.items())
    lines = [
        f"{name:12}{one['lifetimes']:>6}{one['highest_rss_mb']:>9}{one['slope_mb_h']!s:>13}"
        f"{one['most_handles']:>9}{one['handles_gained']:>8}{one['percent_of_core']:>9}"
        for name, one in results["processes"].items()
    ]
    whole = [
        f"{key}: {results.get(key)}"
        for key in ("minutes", "end_lasted_s", "losses", "late", "of_a_busy_machine")
    ]
    wrong = results.get("unexplained", ["the log was not read"])
    return "\n".join(
        [head, *lines, *whole, f"latency: {results.get('latency')}", f"unexplained: {wrong}"]
    )


def main() -> int:
    """Run, print and write the result; 1 where something is unexplained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults")
    parser.add_argument("--gap-s", type=float, default=120.0, help="mean pause between two faults")
    parser.add_argument("--faults", nargs="*", help="names of cells to draw from; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the result")
    parser.add_argument("--out", type=Path, help="folder of session and samples; kept")
    parser.add_argument(
        "--evaluate", action="store_true", help="only evaluate the run in --out again"
    )
    args = parser.parse_args()
    cells = [one for one in survivable() if args.faults is None or one.name in args.faults]
    settings = {"minutes": args.minutes, "seed": args.seed, "gap_s": args.gap_s}
    draw = Draw(seed=args.seed, gap_s=args.gap_s, cells=cells)
    with ExitStack() as stack:
        folder = args.out or Path(tempfile.mkdtemp(prefix="soak-"))
        if args.out is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder.resolve(), settings, args.json)
        if args.evaluate:
            outcome = kept(soak)
        else:
            outcome = soaked(soak, minutes=args.minutes, draw=draw)
            (folder / OUTCOME).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        results = soak.evaluate(outcome)
    print(table(results))
    return bool(results["unexplained"])


def kept(soak: Soak) -> Outcome:
    """The outcome of an earlier run in the folder of `soak`, whose faults are read too."""
    outcome = Outcome(**json.loads((soak.folder / OUTCOME).read_text(encoding="utf-8")))
    soak.zero_ns = outcome.zero_ns
    rows = soak_samples.lines_of(soak.folder / FAULTS)
    soak.faults = [Injected.of_json(row, outcome.zero_ns) for row in rows]
    return outcome


if __name__ == "__main__":
    sys.exit(main())
