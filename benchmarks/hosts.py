"""Sessions over three emulated hosts: errors of their times, losses, cut links and reboots.

    sudo .venv/bin/python benchmarks/hosts.py [--row NAME] [--json FILE]

Each row is a real run with keys: `rtdecode run` on the main host, `rtdecode join` on those of
microscope and screen, which are network namespaces with 5 ± 2 ms delay and 0.5 % loss in each
direction and clocks of their own. The truth about each time is known, see
tests/fixtures/network_rig.py. A result that is there is kept for the rows that are not run again.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "fixtures")]

# the emulated hosts lie in the folder of the tests
# ruff: noqa: E402
from emulated_keys import ADDRESSES
from emulated_link import EmulatedHosts, LinkSettings, emulated_hosts, why_not_permitted
from network_rig import MAIN, HostTimes, NetworkRig, TestClock, clocks_of, interrupted

from rtdecode.bench.result_file import write_benchmark

RESULTS = ROOT / "benchmarks" / "results" / "hosts.json"
SOURCES = {"microscope": "bridge", "screen": "stimulus"}
STREAMS = {"microscope": "bridge/scan", "screen": "stimulus/displayed_frame"}
CUT_S = 10.0
_SCANS, _FRAMES_A_SCAN = 150, 2
REBOOTED_S = -1000.0
"""Offset of the clock of a host after its reboot."""


@dataclass(frozen=True)
class Row:
    """One run."""

    name: str
    offsets_s: tuple[float, float, float]
    """Clocks of main host, microscope and screen, against the truth."""
    drifts_ppm: tuple[float, float, float]
    cut: str = ""
    """Host whose link is cut for 10 s."""
    reboot: str = ""
    """Host that loses its power, and joins again with another clock."""
    decodes: bool = False
    """Whether the demo's mouse is decoded, so that the score depends on the times."""
    presenter: str = "headless"


ROWS = (
    Row("microscope behind and fast", (1, -3, 3), (0, 200, -200)),
    Row("microscope ahead and slow", (-1, 3, -3), (0, -200, 200)),
    Row("both ahead, main host fast", (0, 3, 3), (200, -200, -200)),
    Row("both behind, main host slow", (0, -3, -3), (-200, 200, 200)),
    Row("decoded", (1, -3, 3), (-50, 200, -200), decodes=True),
    Row("window", (1, 3, -3), (0, 200, -200), presenter="psychopy"),
    Row("link of microscope cut", (1, -3, 3), (0, 200, -200), cut="microscope"),
    Row("link of screen cut", (1, -3, 3), (0, 200, -200), cut="screen"),
    Row("microscope reboots", (1, -3, 3), (0, 200, -200), reboot="microscope"),
    Row("screen reboots", (1, -3, 3), (0, 200, -200), reboot="screen"),
    Row(
        "decoded, microscope reboots", (1, 3, -3), (0, 200, -200), reboot="microscope", decodes=True
    ),
)


@dataclass
class Times:
    """Errors of the times of one host."""

    n: int
    outside: int
    worst: str
    median_error_ms: float
    largest_error_ms: float
    median_uncertainty_ms: float
    largest_uncertainty_ms: float

    @classmethod
    def of(cls, times: HostTimes) -> "Times":
        """The figures of `times`."""
        errors, stated = np.array(times.errors_ms), np.array(times.uncertainties_ms)
        figures = (np.median(errors), errors.max(), np.median(stated), stated.max())
        return cls(times.n, times.outside, times.worst, *(round(float(one), 3) for one in figures))


@dataclass
class Result:
    """What a run showed."""

    row: str
    exit_code: int
    times: dict[str, Times]
    missing: dict[str, int]
    """Messages that were sent and that the log lacks, by stream."""
    stated_missing: dict[str, int]
    """The same as the recorder stated it."""
    events: list[str]
    scans: int
    video_r: float | None
    seconds_to_data: float | None
    """From the end of the cut, or from the start of `rtdecode join` after a reboot, to new data."""
    link: dict[str, float] = field(default_factory=dict)


def sections_of(row: Row) -> Mapping[str, Any]:
    """Sections of the config of `row`."""
    if not row.decodes:
        return {
            "processes": ["recorder", "stimulus", "bridge"],
            "decode": None,
            "stimulus": {"presenter": row.presenter, "embedded_clips": 2, "clip_s": 1.0},
            "acquisition": {"source": {"kind": "simulated", "neurons": 20}},
        }
    mouse = ROOT / "rtdecode" / "demo_mouse"
    sections: dict[str, Any] = yaml.safe_load((mouse / "demo.yaml").read_text(encoding="utf-8"))
    named = (
        ("calcium", "rois"),
        ("calcium", "calibration"),
        ("decode", "twin"),
        ("evaluate", "screen_mask"),
    )
    for section, option in named:
        sections[section][option] = str(mouse / sections[section][option])
    sections["stimulus"]["presenter"] = row.presenter
    return sections | {"view": {"port": 0}}


def measured(row: Row, folder: Path) -> Result:
    """Run `row` in the empty `folder`."""
    clocks = clocks_of(row.offsets_s, row.drifts_ppm)
    with emulated_hosts(LinkSettings(ADDRESSES)) as hosts:
        rig = NetworkRig(hosts, folder, clocks=clocks, sections=sections_of(row))
        with rig.run() as run, ExitStack() as joined:
            for host in SOURCES:
                joined.enter_context(rig.join(host))
            rig.wait_for("bridge/scan", _SCANS, run)
            seconds = _after_fault(rig, hosts, row, joined, run)
            if row.decodes:
                so_far = rig.count("emit/reconstruction")
                rig.wait_for("emit/reconstruction", so_far + 2 * _SCANS, run)
            code = interrupted(run)
        for host in ADDRESSES:
            rig.end(host)
        result = _result(rig, row, code, seconds)
    result.link = hosts.counts()
    return result


def _after_fault(
    rig: NetworkRig, hosts: EmulatedHosts, row: Row, joined: ExitStack, run: Any
) -> float | None:
    """Seconds until new data came after the fault of `row`; None where it has none."""
    host = row.cut or row.reboot
    if not host:
        return None
    if row.cut:
        hosts.cut(host)
        time.sleep(CUT_S)
        before = rig.count(STREAMS[host])
        hosts.heal(host)
    else:
        rig.reboot(host, TestClock(REBOOTED_S, -150e-6, rig.clocks[host].zero_ns))
        before = rig.count(STREAMS[host])
        joined.enter_context(rig.join(host))
    begun_s = time.monotonic()
    rig.wait_for(STREAMS[host], before, run)
    seconds = time.monotonic() - begun_s
    rig.wait_for(STREAMS[host], before + _FRAMES_A_SCAN * _SCANS, run)
    return round(seconds, 1)


def _result(rig: NetworkRig, row: Row, code: int, seconds: float | None) -> Result:
    plain, events = rig.plain(), rig.events()
    summary = rig.folder / MAIN / "summary.json"
    found = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    stated: dict[str, int] = {}
    for (stream, process), n in plain.gaps.items():
        if process == "recorder":
            stated[stream] = stated.get(stream, 0) + n
    return Result(
        row=row.name,
        exit_code=code,
        times={host: Times.of(rig.times(source, host)) for host, source in SOURCES.items()},
        missing=dict(sorted(plain.missing.items())),
        stated_missing=dict(sorted(stated.items())),
        events=[f"{process}: {event}" for process, event in events],
        scans=plain.messages["bridge/scan"],
        video_r=found.get("video_r"),
        seconds_to_data=seconds,
    )


def main() -> int:
    """Run the rows, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--row", action="append", help="name of a row; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the result")
    args = parser.parse_args()
    if why := why_not_permitted():
        sys.stderr.write(why + "\n")
        return 2
    kept: dict[str, Any] = {}
    if args.json.is_file():
        results = json.loads(args.json.read_text(encoding="utf-8"))["results"]
        kept = {one["row"]: one for one in results}
    for row in ROWS:
        if args.row and row.name not in args.row:
            continue
        with tempfile.TemporaryDirectory() as folder:
            kept[row.name] = asdict(measured(row, Path(folder)))
        sys.stdout.write(json.dumps(kept[row.name]) + "\n")
        sys.stdout.flush()
        settings = {"rows": [asdict(one) for one in ROWS], "link": asdict(LinkSettings(ADDRESSES))}
        ordered = [kept[one.name] for one in ROWS if one.name in kept]
        write_benchmark(args.json, name="hosts", config=settings, results=ordered)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
