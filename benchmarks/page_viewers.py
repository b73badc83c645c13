"""Processor time of the page for 0, 1, 10 and 50 viewers, with this checkout and another one.

    git worktree add ../before a7af0ac~1
    nice -n -15 python benchmarks/page_viewers.py --other ../before --turns 3 --seconds 10

The page of each checkout runs in a process of its own, alternately. It is fed with made messages of
a run at 30 frames a second: a moving picture with noise, its reconstruction, and 1,200 neurons.
Viewers are plain WebSocket clients in this process, which acknowledge each picture at once. All
come from one address, so that the page's limit for one address is raised to that for all. Writes
`benchmarks/results/page_viewers.json`: medians over turns.
"""

import argparse
import asyncio
import os
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.asyncio.client import connect

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.run_info import git_revision
from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Received,
    Reconstruction,
    Responses,
    Stamped,
)
from rtdecode.view import server as page_server
from rtdecode.view.server import PageServer

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results" / "page_viewers.json"
VIEWERS = (0, 1, 10, 50)
_RATE_HZ, _NEURONS, _SHAPE, _MADE = 30.0, 1200, (36, 64), 120
_SETTLE_S, _LAG_FRAMES, _MS = 2.0, 8, 1_000_000


class MadeRun:
    """Messages of a run, made once and repeated."""

    def __init__(self) -> None:
        self._clock, self._grid = HostClock(), FrameGrid(_RATE_HZ)
        self._sent: Counter[str] = Counter()
        rng = np.random.default_rng(0)
        row, col = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
        waves = [128 + 90 * np.sin((row + col + 2 * k) / 7) for k in range(_MADE)]
        noisy = [wave + rng.normal(0, 12, _SHAPE) for wave in waves]
        self._pictures = [np.clip(one, 0, 255).astype(np.uint8) for one in noisy]
        self._decoded = [(wave + rng.normal(0, 6, _SHAPE)).astype(np.float32) for wave in waves]
        self._uncertainty = rng.gamma(9, 2, _SHAPE).astype(np.float32)
        self._activity = rng.gamma(0.4, 2, (_MADE, _NEURONS)).astype(np.float32)

    def feed(self, page: PageServer, stop: threading.Event) -> None:
        """Push the messages of each frame at its time, until `stop` is set."""
        frame = self._grid.frame_at(self._clock.now_ns()) + 1
        while not stop.is_set():
            self._clock.sleep_until(self._grid.start_ns(frame))
            page.push([self._received(body) for body in self._bodies(frame)])
            frame += 1

    def _bodies(self, frame: int) -> list[Body]:
        now_ns, k = self._clock.now_ns(), frame % _MADE
        spans_ms = (300, 100, 70, 69, 60, 40)
        names = ("t_frame_mid", "t_scan", "t_scan_end", "t_received", "t_responses", "t_ready")
        times = {f"{n}_ns": now_ns - ms * _MS for n, ms in zip(names, spans_ms, strict=True)}
        decoded = Reconstruction(
            luminance=self._decoded[k],
            uncertainty=self._uncertainty,
            frame=frame - _LAG_FRAMES,
            lag_frames=_LAG_FRAMES,
            steps=3,
            objective=0.0,
            warm=True,
            late=False,
            **times,
        )
        valid = np.ones(_NEURONS, bool)
        return [
            DisplayedFrame("made", frame, self._pictures[k], now_ns, flips=2),
            Responses(self._activity[k], valid, frame, now_ns, now_ns, now_ns, now_ns, now_ns),
            decoded,
        ]

    def _received(self, body: Body) -> Received:
        seq, now_ns = self._sent[body.kind], self._clock.now_ns()
        self._sent[body.kind] += 1
        return Received(Stamped("made", seq, now_ns, "host", body), now_ns)


def serve() -> None:
    """Serve a fed page and print its address, until a line comes on stdin."""
    page_server.PEER_STREAMS = page_server.STREAMS
    page, stop = PageServer(ViewConfig(), frame_rate_hz=_RATE_HZ), threading.Event()
    print(page.start(), flush=True)
    feeding = threading.Thread(target=MadeRun().feed, args=(page, stop))
    feeding.start()
    sys.stdin.readline()
    stop.set()
    feeding.join()
    page.stop()


async def view(address: str, received: Counter[str]) -> None:
    """Acknowledge and count the pictures of the page at `address`."""
    async with connect(address, max_size=None, open_timeout=60) as page:
        async for data in page:
            received["bytes"] += len(data)
            if isinstance(data, bytes) and data[0] == 1:
                received["pictures"] += 1
                await page.send(str(int(struct.unpack_from("<d", data, 8)[0])))


async def measured(address: str, page: psutil.Process, *, seconds: float) -> list[dict[str, float]]:
    """One row for each number of viewers."""
    received, rows = Counter[str](), []
    async with asyncio.TaskGroup() as group:
        viewers: list[asyncio.Task[None]] = []
        for n in VIEWERS:
            viewers += [group.create_task(view(address, received)) for _ in range(n - len(viewers))]
            await asyncio.sleep(_SETTLE_S)
            before, begun_s, cpu_s = received.copy(), time.monotonic(), sum(page.cpu_times()[:2])
            await asyncio.sleep(seconds)
            passed_s, cpu_s = time.monotonic() - begun_s, sum(page.cpu_times()[:2]) - cpu_s
            got = received - before
            rows.append(
                {
                    "viewers": n,
                    "core_percent": 100 * cpu_s / passed_s,
                    "pictures_a_second": got["pictures"] / passed_s / max(1, n),
                    "kb_a_second": got["bytes"] / passed_s / max(1, n) / 1e3,
                }
            )
        for one in viewers:
            one.cancel()
    return rows


def turn(root: Path, *, seconds: float) -> list[dict[str, float]]:
    """Measure the page of the code in `root`."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as page:
        if page.stdout is None:
            raise RuntimeError("the page has no output to read")
        live = page.stdout.readline().strip().replace("http", "ws", 1) + "live"
        try:
            return asyncio.run(measured(live, psutil.Process(page.pid), seconds=seconds))
        finally:
            page.communicate("\n")


def median(turns: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """The median over turns of each figure, and the processor time of one picture of one viewer."""
    rows = []
    for k in range(len(VIEWERS)):
        row = {name: float(np.median([one[k][name] for one in turns])) for name in turns[0][k]}
        idle = float(np.median([one[0]["core_percent"] for one in turns]))
        pictures = row["viewers"] * row["pictures_a_second"]
        row["us_a_picture"] = 1e4 * (row["core_percent"] - idle) / pictures if pictures else 0.0
        rows.append(row)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="used by the program itself")
    parser.add_argument("--other", type=Path, help="checkout to compare with, as one of a7af0ac~1")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    roots = {"other": given.other, "here": HERE} if given.other else {"here": HERE}
    turns: dict[str, list[list[dict[str, float]]]] = {name: [] for name in roots}
    load = os.getloadavg()[0]
    for _ in range(given.turns):
        for name, root in roots.items():
            turns[name].append(turn(root, seconds=given.seconds))
            print(name, turns[name][-1], flush=True)
    results: dict[str, Any] = {name: median(rows) for name, rows in turns.items()}
    results |= {"turns": turns, "load_before": load, "load_after": os.getloadavg()[0]}
    other = None if given.other is None else git_revision(given.other.resolve())
    config = {"other": other, "turns": given.turns, "seconds": given.seconds}
    config |= {"neurons": _NEURONS}
    write_benchmark(given.json, name="page viewers", config=config, results=results)


if __name__ == "__main__":
    main()
