"""Late frames of the demo while a client watches the Microscope tab, and while it does not.

    python benchmarks/page_load.py --turns 6 --seconds 20

One run of the demo with a plain WebSocket client, which draws nothing: `--turns` times it watches
the pictures alone for `--seconds`, and then the Microscope tab too. It acknowledges each picture at
once, so that none is replaced by a newer one, and counts those that are marked late. The first 20 s
of reconstructions are left out. Writes `benchmarks/results/page_load.json`.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from page_screenshot import page_address
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from rtdecode.bench.result_file import write_benchmark
from rtdecode.view.packets import Flag

RESULTS = Path(__file__).parent / "results" / "page_load.json"
_WARM_UP_S, _STARTUP_S = 20.0, 180.0
_LONGER_S = 600
"""The demo calibrates first, for a time that depends on the machine; it is stopped at the end."""
_PICTURE = 1
_WAYS = ("pictures alone", "microscope tab")


@dataclass
class Phase:
    """What arrived in one part of the run."""

    way: str
    seconds: float = 0.0
    frames: int = 0
    late: int = 0
    bytes_by_kind: Counter[int] = field(default_factory=Counter)

    def add(self, data: bytes) -> None:
        """Count one packet."""
        self.bytes_by_kind[data[0]] += len(data)
        if data[0] == _PICTURE and data[1] & Flag.DECODED:
            self.frames += 1
            self.late += bool(data[1] & Flag.LATE)

    def as_json(self) -> dict[str, Any]:
        """Counts, and kB/s of each kind of packet."""
        rates = {str(k): n / self.seconds / 1e3 for k, n in sorted(self.bytes_by_kind.items())}
        return {**asdict(self), "bytes_by_kind": None, "kb_a_second": rates}


def received(page: ClientConnection, phase: Phase, *, seconds: float) -> None:
    """Take what comes for `seconds`."""
    begun_s = time.monotonic()
    while (passed_s := time.monotonic() - begun_s) < seconds:
        try:
            data = page.recv(timeout=seconds - passed_s)
        except TimeoutError:
            break
        if isinstance(data, bytes):
            phase.add(data)
            acknowledge(page, data)
    phase.seconds = time.monotonic() - begun_s


def acknowledge(page: ClientConnection, data: bytes) -> None:
    """State that a picture has arrived, without which no further one is sent."""
    if data[0] == _PICTURE:
        page.send(str(int(struct.unpack_from("<d", data, 8)[0])))


def wait_until_warm(page: ClientConnection) -> None:
    """Wait for reconstructions from a full horizon, and 20 s more."""
    while True:
        data = page.recv(timeout=_STARTUP_S)
        if isinstance(data, bytes):
            acknowledge(page, data)
            if data[0] == _PICTURE and data[1] & Flag.WARM:
                break
    received(page, Phase("warm-up"), seconds=_WARM_UP_S)


def watched(address: str, *, turns: int, seconds: float) -> list[Phase]:
    """Both ways alternately, and the other one first in every second turn."""
    phases = []
    with connect(address, max_size=None) as page:
        wait_until_warm(page)
        for turn in range(turns):
            for way in _WAYS[:: 1 if turn % 2 == 0 else -1]:
                page.send("watch 1" if way == _WAYS[1] else "watch 0")
                # the 20 s of history that the tab begins with belong to neither way
                received(page, Phase("history"), seconds=1.0)
                phases.append(Phase(way))
                received(page, phases[-1], seconds=seconds)
                print(json.dumps(phases[-1].as_json()), flush=True)
    return phases


def summed(phases: list[Phase], way: str) -> dict[str, float]:
    """Frames and late ones of all parts of one way."""
    mine = [phase for phase in phases if phase.way == way]
    frames, late = sum(p.frames for p in mine), sum(p.late for p in mine)
    total = sum(mine[k].seconds for k in range(len(mine)))
    sent = sum(sum(p.bytes_by_kind.values()) for p in mine)
    shares = [100 * p.late / max(1, p.frames) for p in mine]
    return {
        "frames": frames,
        "frames_a_second": frames / total,
        "late": late,
        "late_percent": 100 * late / max(1, frames),
        "late_percent_most": max(shares),
        "kb_a_second": sent / total / 1e3,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    length_s = _WARM_UP_S + given.turns * 2 * (given.seconds + 1) + _LONGER_S
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rtdecode", "demo", "--headless"]
        options = ["--seconds", f"{length_s:.0f}", "--out", f"{folder}/session"]
        demo = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        try:
            address = page_address(demo).replace("http", "ws").rstrip("/") + "/live"
            phases = watched(address, turns=given.turns, seconds=given.seconds)
        except ConnectionClosed as closed:
            said = demo.communicate()[0]
            raise SystemExit(f"the demo ended before the last turn ({closed}):\n{said}") from None
        finally:
            if demo.poll() is None:
                demo.terminate()
            demo.communicate()
    results = {
        "ways": {way: summed(phases, way) for way in _WAYS},
        "phases": [phase.as_json() for phase in phases],
        "load_before": load,
        "load_after": os.getloadavg()[0],
    }
    print(json.dumps(results["ways"], indent=2))
    config = {"turns": given.turns, "seconds": given.seconds}
    write_benchmark(given.json, name="page load", config=config, results=results)


if __name__ == "__main__":
    main()
