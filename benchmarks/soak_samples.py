"""Memory, handles, threads and processor time of all processes of a run, and their growth."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from memory import role
from scipy import stats

WARM_UP_S, LEAST_S = 300.0, 600.0
"""Start of a lifetime that is not used, and the shortest rest of which a slope is stated."""
SETTLED_S = 1500.0
"""Start of a lifetime after which a process has had everything at least once that its memory holds:
windows that fill, caches, and the largest batches. A leak continues after it."""
_MOST_POINTS = 600
_LOSTLESS = (psutil.Error, OSError)
Sample = dict[str, Any]
Span = tuple[float, float]


def sampled(command: psutil.Process, t_s: float) -> Iterator[Sample]:
    """One sample of the command and of each descendant; memory in MB, processor time in s."""
    for process in [command, *command.children(recursive=True)]:
        try:
            memory, cpu = process.memory_full_info(), process.cpu_times()
            yield {
                "t_s": round(t_s, 2),
                "process": role(process),
                "pid": process.pid,
                "rss_mb": memory.rss / 1e6,
                "pss_mb": memory.pss / 1e6,
                "uss_mb": memory.uss / 1e6,
                "handles": process.num_fds(),
                "threads": process.num_threads(),
                "cpu_s": cpu.user + cpu.system,
            }
        except _LOSTLESS:
            continue  # it has just ended


class Sampler:
    """Samples a command in a thread, and appends each sample to a file as it is taken."""

    def __init__(self, pid: int, file: Path, *, period_s: float) -> None:
        self._command, self._period_s = psutil.Process(pid), period_s
        self._file = file.open("a", encoding="utf-8")
        self.begun_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampler")
        self._thread.start()

    def close(self) -> None:
        """End the thread; repeated calls have no effect."""
        self._stop.set()
        self._thread.join()
        self._file.close()

    def _sample(self) -> None:
        while not self._stop.wait(self._period_s):
            try:
                for one in sampled(self._command, time.monotonic() - self.begun_s):
                    self._file.write(json.dumps(one) + "\n")
                self._file.flush()
            except _LOSTLESS:
                return


def lines_of(file: Path) -> list[Sample]:
    """The samples in `file`; a last line that is cut is left out."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def lifetimes(samples: Iterable[Sample]) -> dict[str, list[list[Sample]]]:
    """Samples by process, and of each process by lifetime (process id)."""
    found: dict[str, dict[int, list[Sample]]] = defaultdict(dict)
    for one in samples:
        found[one["process"]].setdefault(one["pid"], []).append(one)
    return {name: list(of_pid.values()) for name, of_pid in found.items()}


def slope_mb_h(
    life: Sequence[Sample], *, key: str, warm_up_s: float = WARM_UP_S
) -> dict[str, float] | None:
    """Theil-Sen slope of the memory within a lifetime, in MB an hour, with its 95 % interval.

    None where less than ten minutes are left after the warm-up.
    """
    settled = [one for one in life if one["t_s"] - life[0]["t_s"] >= warm_up_s]
    if not settled or settled[-1]["t_s"] - settled[0]["t_s"] < LEAST_S:
        return None
    settled = settled[:: -(-len(settled) // _MOST_POINTS)]
    hours = np.array([one["t_s"] for one in settled]) / 3600
    found = stats.theilslopes(np.array([one[key] for one in settled]), hours)
    return {
        "mb_h": round(float(found.slope), 3),
        "low": round(float(found.low_slope), 3),
        "high": round(float(found.high_slope), 3),
        "hours": round(float(hours[-1] - hours[0]), 3),
    }


def pooled_mb_h(slopes: Sequence[Mapping[str, float]]) -> float | None:
    """Mean of the slopes of all lifetimes, weighted by their length; None without any."""
    hours = [one["hours"] for one in slopes]
    if not hours:
        return None
    return round(float(np.average([one["mb_h"] for one in slopes], weights=hours)), 3)


def _percent_of_core(lives: Iterable[Sequence[Sample]]) -> float:
    """Processor time over time in %, over all lifetimes of a process."""
    spans = [
        (life[-1]["cpu_s"] - life[0]["cpu_s"], life[-1]["t_s"] - life[0]["t_s"]) for life in lives
    ]
    seconds = sum(span for _, span in spans)
    return round(100 * sum(cpu for cpu, _ in spans) / seconds, 2) if seconds else 0.0


def _kept(life: Sequence[Sample], *, most: int) -> dict[str, list[float]]:
    """At most `most` samples of a lifetime, for the figure."""
    step = -(-len(life) // most)
    keys = {"t_s": 0, "rss_mb": 1, "pss_mb": 1, "uss_mb": 2, "handles": 0, "threads": 0}
    return {key: [round(one[key], digits) for one in life[::step]] for key, digits in keys.items()}


def growth_mb_h(lives: Iterable[Sequence[Sample]], busy: Sequence[Span]) -> float | None:
    """Growth of the resident memory outside of the spans `busy`, in MB an hour.

    A process that falls behind during a fault holds more messages than before; the memory stays
    with it, and serves the next time. None where less than ten minutes are outside.
    """
    grown_mb = hours = 0.0
    for life in lives:
        settled = (one for one in life if one["t_s"] - life[0]["t_s"] >= WARM_UP_S)
        for before, after in pairwise(settled):
            if not any(begin <= after["t_s"] and before["t_s"] <= end for begin, end in busy):
                grown_mb += after["rss_mb"] - before["rss_mb"]
                hours += (after["t_s"] - before["t_s"]) / 3600
    return round(grown_mb / hours, 3) if hours * 3600 >= LEAST_S else None


def of_process(lives: Sequence[Sequence[Sample]], busy: Sequence[Span]) -> dict[str, Any]:
    """Figures of one process over all its lifetimes."""
    every = [one for life in lives for one in life]
    slopes = {
        key: [found for life in lives if (found := slope_mb_h(life, key=key))]
        for key in ("uss_mb", "rss_mb")
    }
    settled = [
        found for life in lives if (found := slope_mb_h(life, key="rss_mb", warm_up_s=SETTLED_S))
    ]
    return {
        "lifetimes": len(lives),
        "highest_rss_mb": round(max(one["rss_mb"] for one in every), 1),
        "highest_pss_mb": round(max(one["pss_mb"] for one in every), 1),
        "slope_mb_h": pooled_mb_h(slopes["rss_mb"]),
        "settled_mb_h": pooled_mb_h(settled),
        "settled_hours": round(sum(one["hours"] for one in settled), 3),
        "slopes": slopes["rss_mb"],
        "outside_faults_mb_h": growth_mb_h(lives, busy),
        # the private part changes too where another program maps the same libraries, or no more
        "slope_private_mb_h": pooled_mb_h(slopes["uss_mb"]),
        "most_handles": max(one["handles"] for one in every),
        "handles_gained": _gained(lives, "handles"),
        "threads_gained": _gained(lives, "threads"),
        "most_threads": max(one["threads"] for one in every),
        "percent_of_core": _percent_of_core(lives),
        "samples": [_kept(life, most=60) for life in lives if len(life) > 1],
    }


def _gained(lives: Iterable[Sequence[Sample]], key: str) -> int:
    """Largest gain of a lifetime: median of its last tenth less that of its first, once warm."""
    gains = [0]
    for life in lives:
        settled = [one[key] for one in life if one["t_s"] - life[0]["t_s"] >= WARM_UP_S]
        tenth = len(settled) // 10
        if tenth:
            first, last = np.median(settled[:tenth]), np.median(settled[-tenth:])
            gains.append(round(float(last - first)))
    return max(gains)


def figures(samples: Iterable[Sample], busy: Sequence[Span] = ()) -> dict[str, Any]:
    """Figures of all processes, by name; `busy` are spans of faults in s of the samples."""
    by_process = lifetimes(samples)
    return {name: of_process(lives, busy) for name, lives in sorted(by_process.items())}


def total_percent(samples: Sequence[Sample]) -> float:
    """Processor time of all processes together, in % of one core."""
    lives = [life for of_process in lifetimes(samples).values() for life in of_process]
    seconds = samples[-1]["t_s"] - samples[0]["t_s"] if samples else 0
    steps = (b["cpu_s"] - a["cpu_s"] for life in lives for a, b in pairwise(life))
    return round(100 * sum(steps) / seconds, 1) if seconds else 0.0
