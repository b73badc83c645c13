"""SIGKILL of the recorder at a random moment of a run, and what its log then lacks.

    .venv/bin/python tests/faults/recorder_kills.py

Each kill is a run of its own. A rig program sends scans and behaviour to the bridge, and a probe
sends messages to the recorder itself; both note when each message was sent. After the kill the run
must end with an error, `recover` must repair the log, and the repaired log must hold every message
of each stream up to less than one second before the kill. The log is read with `mcap` and
`msgpack` alone. Prints each kill and writes `benchmarks/results/recorder_kills.json`.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import psutil
import yaml
import zmq
from mcap.reader import make_reader

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Behaviour, Body, Command, Scan, Stamped
from rtdecode.session.recover import recover

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "recorder_kills.json"
TICK_HZ, BEHAVIOUR_TICKS, SCAN_TICKS = 200.0, 2, 4
SIDE_PX = 128
EARLIEST_S, LATEST_S = 1.0, 4.0
"""When the recorder is killed, after the first message."""
PERMITTED_S = 1.0
_PATIENCE_S = 120.0
STREAMS = ("bridge/scan", "bridge/behaviour", "probe/command")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kill cost."""

    moment_s: float
    exit_code: int
    sent: Mapping[str, int]
    """Messages that were sent before the kill, by stream."""
    lost: Mapping[str, int]
    """Those of them that the repaired log lacks."""
    lost_s: Mapping[str, float]
    """Time from the first lost message to the kill."""
    mistakes: Sequence[str]


class Senders(threading.Thread):
    """Rig program and probe: scans at 50 Hz, behaviour at 100 Hz, commands at 200 Hz."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="senders")
        self._folder, self._ended = folder, threading.Event()
        self.sent_s: defaultdict[str, list[float]] = defaultdict(list)
        """When each message was sent, by stream; its index is its number."""

    def run(self) -> None:
        with (
            zmq.Context() as context,
            self._pushing(context, "rig") as rig,
            self._pushing(context, "recorder") as probe,
        ):
            image = np.random.default_rng(0).integers(50, 400, (SIDE_PX, SIDE_PX), np.uint16)
            began_s, tick = time.monotonic(), 0
            while not self._ended.is_set():
                self._send(probe, "probe/command", Command("probe", "mark", ""))
                t_ns = round(tick * 1e9 / TICK_HZ)
                if tick % BEHAVIOUR_TICKS == 0:
                    still = np.zeros(2, np.float32)
                    n = len(self.sent_s["bridge/behaviour"])
                    self._send(rig, "bridge/behaviour", Behaviour(t_ns, float(n), 20.0, still))
                if tick % SCAN_TICKS == 0:
                    n = len(self.sent_s["bridge/scan"])
                    scan = Scan(image, n, 0, t_ns, t_ns + 10_000_000)
                    self._send(rig, "bridge/scan", scan)
                tick += 1
                self._ended.wait(max(0.0, began_s + tick / TICK_HZ - time.monotonic()))

    def _pushing(self, context: "zmq.Context[Any]", name: str) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = context.socket(zmq.PUSH)
        socket.set(zmq.LINGER, 0)
        socket.connect(f"ipc://{self._folder}/{name}")
        return socket

    def _send(self, socket: "zmq.Socket[bytes]", stream: str, body: Body) -> None:
        source = stream.partition("/")[0] if stream.startswith("probe") else "rig"
        data = pack(Stamped(source, len(self.sent_s[stream]), 0, "rig", body))
        try:
            socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return
        self.sent_s[stream].append(time.monotonic())

    def stop(self) -> None:
        self._ended.set()
        self.join()


def outcomes(*, kills: int, seed: int) -> Iterator[Outcome]:
    """`kills` runs, each with a kill at another moment."""
    rng = random.Random(seed)
    for _ in range(kills):
        with tempfile.TemporaryDirectory(prefix="kill-", dir="/tmp") as folder:
            yield outcome(Path(folder), moment_s=rng.uniform(EARLIEST_S, LATEST_S))


def outcome(folder: Path, *, moment_s: float) -> Outcome:
    """Start a run in `folder`, kill its recorder, repair its log and compare it."""
    config = {
        "processes": ["recorder", "bridge"],
        "acquisition": {"source": {"kind": "zmq_native", "address": f"ipc://{folder}/rig"}},
        "network": {"recorder": f"ipc://{folder}/recorder"},
        "decode": None,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    argv = [sys.executable, "-m", "rtdecode", "run", "run.yaml", "--out", "session"]
    senders = Senders(folder)
    with subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            _await_line(run, "bridge: running")
            senders.start()
            time.sleep(moment_s)
            _recorder_of(run).kill()
            killed_s = time.monotonic()
            said, _ = run.communicate(timeout=_PATIENCE_S)
        finally:
            run.kill()
            if senders.is_alive():
                senders.stop()
    sent_s = {name: [t for t in senders.sent_s[name] if t < killed_s] for name in STREAMS}
    failed = run.returncode == 1 and "recorder ended with" in said
    mistakes = [] if failed else [f"exit {run.returncode}: {said}"]
    lost, lost_s = {}, {}
    for name, found in _repaired(folder / "session").items():
        times_s = sent_s[name]
        numbers = [n for n in found if n < len(times_s)]
        if numbers != list(range(len(numbers))):
            mistakes.append(f"{name}: messages before the end are missing or repeated")
        lost[name] = len(times_s) - len(numbers)
        lost_s[name] = round(killed_s - times_s[len(numbers)], 3) if lost[name] else 0.0
        if lost_s[name] > PERMITTED_S:
            mistakes.append(f"{name}: {lost_s[name]} s are missing")
    sent = {name: len(times_s) for name, times_s in sent_s.items()}
    return Outcome(round(moment_s, 3), run.returncode, sent, lost, lost_s, mistakes)


def _await_line(run: "subprocess.Popen[str]", words: str) -> None:
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if words in line:
            return
    raise RuntimeError(f"the run did not begin: {''.join(seen)}")


def _recorder_of(run: "subprocess.Popen[str]") -> psutil.Process:
    for child in psutil.Process(run.pid).children():
        # one that has just ended has no command line
        with suppress(psutil.Error):
            if "rtdecode.pipeline.recorder" in child.cmdline():
                return child
    raise RuntimeError("the run has no recorder")


def _repaired(session: Path) -> Mapping[str, list[int]]:
    """Numbers of the messages of each stream in the repaired log, as their senders counted them."""
    recover(session)
    found: dict[str, list[int]] = {name: [] for name in STREAMS}
    with (session / "log.mcap").open("rb") as file:
        # it must have an index, and every message is read
        for _, channel, message in make_reader(file).iter_messages():
            body = msgpack.unpackb(message.data)
            numbers = {
                "bridge/scan": body.get("number"),
                "bridge/behaviour": body.get("running_cm_s"),
                "probe/command": body["seq"],
            }
            if channel.topic in found:
                found[channel.topic].append(int(numbers[channel.topic]))
    return found


def main() -> int:
    """Run, print and write the result; 1 where a kill cost more than is permitted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the result")
    args = parser.parse_args()
    found = []
    for number, one in enumerate(outcomes(kills=args.kills, seed=args.seed)):
        found.append(one)
        worst_s = max(one.lost_s.values())
        print(f"kill {number} at {one.moment_s} s: {worst_s:.2f} s lost; {one.mistakes or 'right'}")
    wrong = [one for one in found if one.mistakes]
    longest_s = {name: max(one.lost_s[name] for one in found) for name in STREAMS}
    print(f"{len(found)} kills, {len(wrong)} with a mistake; longest loss in s: {longest_s}")
    results = {
        "kills": len(found),
        "wrong": [asdict(one) for one in wrong],
        "longest_loss_s": longest_s,
        "outcomes": [asdict(one) for one in found],
    }
    settings = {"kills": args.kills, "seed": args.seed, "permitted_s": PERMITTED_S}
    write_benchmark(args.json, name="recorder kills", config=settings, results=results)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
