"""Memory of the demo, by process, and its growth.

    .venv/bin/python benchmarks/memory.py --seconds 600

Runs `rtdecode demo --headless` and samples all its processes once a second. RSS counts shared pages
in each process; PSS divides them among the processes, so PSS may be summed. Prints a line for each
process and writes `benchmarks/results/memory.json`. The slope is that of a linear fit to the PSS
while all processes run, from a minute after the last one started (in a short run: from the end of
its first third); a leak makes it positive.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from rtdecode.bench.result_file import write_benchmark

RESULTS = Path(__file__).parent / "results" / "memory.json"
BUDGET_MB = {"decoder": 1500.0, "whole demo": 4000.0}
SETTLING_S = 60.0
KEPT_POINTS = 60
MODULES = {"stimulus": "stimulus", "acquisition_bridge": "bridge"}


class Sample(NamedTuple):
    """Memory of one process, or of several together, at one moment."""

    t_s: float
    rss_mb: float
    pss_mb: float


def role(process: psutil.Process) -> str:
    """What the process does in a run, from its command line, such as `decoder`."""
    argv = process.cmdline()
    if "-m" not in argv[:-1]:
        return Path(argv[0]).name if argv else "gone"
    module = argv[argv.index("-m") + 1].removeprefix("rtdecode.pipeline.")
    return MODULES.get(module, module)


def memory_now(command: psutil.Process, t_s: float) -> dict[str, Sample]:
    """Memory of the command and of all its descendants, by role."""
    found: dict[str, Sample] = {}
    for process in [command, *command.children(recursive=True)]:
        try:
            memory = process.memory_full_info()
            found[role(process)] = Sample(t_s, memory.rss / 1e6, memory.pss / 1e6)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended
    return found


def every_second(demo: "subprocess.Popen[bytes]") -> Iterator[dict[str, Sample]]:
    """`memory_now` once a second until the demo ends."""
    command, begun_s = psutil.Process(demo.pid), time.monotonic()
    while demo.poll() is None:
        yield memory_now(command, time.monotonic() - begun_s)
        time.sleep(1.0 - (time.monotonic() - begun_s) % 1.0)


def figures(samples: Sequence[Sample], *, settled_s: tuple[float, float]) -> dict[str, object]:
    """Maxima, slope within `settled_s`, and at most `KEPT_POINTS` samples."""
    t_s, rss_mb, pss_mb = np.array(samples).T
    settled = (t_s >= settled_s[0]) & (t_s <= settled_s[1])
    step = -(-len(t_s) // KEPT_POINTS)
    return {
        "highest_rss_mb": round(float(rss_mb.max()), 1),
        "highest_pss_mb": round(float(pss_mb.max()), 1),
        "slope_mb_per_minute": round(
            float(np.polyfit(t_s[settled] / 60, pss_mb[settled], 1)[0]), 3
        ),
        "t_s": [round(float(t)) for t in t_s[::step]],
        "pss_mb": [round(float(pss), 1) for pss in pss_mb[::step]],
    }


def measured(seconds: float, folder: Path) -> tuple[list[dict[str, Sample]], int]:
    """Memory of each process, once a second, during a demo of `seconds`; its exit code."""
    command = [sys.executable, "-m", "rtdecode", "demo", "--headless", "--seconds", str(seconds)]
    with subprocess.Popen([*command, "--out", str(folder / "session")]) as demo:
        moments = [moment for moment in every_second(demo) if moment]
    return moments, demo.returncode


def summed(moments: Sequence[Mapping[str, Sample]]) -> dict[str, dict[str, object]]:
    """`figures` of each process that runs for most of the demo, and of all together."""
    seen = Counter(name for moment in moments for name in moment)
    lasting = {name for name, times in seen.items() if times > len(moments) / 2}
    whole = [
        Sample(min(one.t_s for one in m.values()), *np.array(list(m.values()))[:, 1:].sum(0))
        for m in moments
    ]
    complete = [all_of.t_s for all_of, m in zip(whole, moments, strict=True) if lasting <= set(m)]
    settling_s = min(SETTLING_S, (complete[-1] - complete[0]) / 3)
    settled_s = (complete[0] + settling_s, complete[-1])
    each = {name: [m[name] for m in moments if name in m] for name in sorted(lasting)}
    return {
        name: figures(samples, settled_s=settled_s)
        for name, samples in (each | {"whole demo": whole}).items()
    }


def table(results: Mapping[str, Mapping[str, object]]) -> str:
    """A line for each process."""
    head = f"{'':18}{'highest RSS':>12}{'highest PSS':>12}{'slope':>16}{'budget':>10}"
    lines = [
        f"{name:18}{one['highest_rss_mb']:>9} MB{one['highest_pss_mb']:>9} MB"
        f"{one['slope_mb_per_minute']:>+9} MB/min"
        + (f"{BUDGET_MB[name]:>7.0f} MB" if name in BUDGET_MB else "")
        for name, one in results.items()
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Run the demo, sample its memory, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the demo")
    parser.add_argument("--json", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        moments, exit_code = measured(asked.seconds, Path(folder))
    results = summed(moments)
    print(table(results))
    config = {"seconds": asked.seconds, "budget_mb": BUDGET_MB, "settling_s": SETTLING_S}
    content = {"exit_code_of_the_demo": exit_code, "processes": results}
    write_benchmark(asked.json, name="memory", config=config, results=content)


if __name__ == "__main__":
    main()
