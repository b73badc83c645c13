"""Late frames while strangers flood each port of a run, against a port that is not of the run.

    .venv/bin/python benchmarks/flood.py --json benchmarks/results/flood.json

A run of the demo with a closed loop, all real processes, listens on TCP ports of the loopback
address. For each of its ports, 10,000 connections are opened over 3.5 s and kept open, and messages
of 60 MiB are sent, 60 MB a second; the same load goes to a program that accepts and discards it.
The two alternate, and which of them is first alternates too. The log has each frame, and whether
it was late. About four minutes. With another address of this computer the ports are encrypted, and
the strangers have no key:

    .venv/bin/python benchmarks/flood.py --address 192.0.2.2
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from rtdecode.bench.result_file import write_benchmark
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.demo.policies import with_policy
from rtdecode.runtime.config_file import write_config
from rtdecode.runtime.keys import KeyFolder
from rtdecode.schema.config.network import ENDPOINTS, HostConfig, is_near
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.messages import Event, Reconstruction
from rtdecode.session.reader import LogReader

RESULTS = Path(__file__).resolve().parent / "results" / "flood.json"
LOAD = Path(__file__).resolve().parent / "flood_load.py"
HOST = "127.0.0.1"
KINDS = ("connections", "large")
PORT, UNRELATED, QUIET = "port of the run", "unrelated port", "no load"
_PEERS = {"recorder": "PUSH", "control": "DEALER", "commands": "DEALER"}
"""Socket type of a peer of each port; SUB for the others, which publish."""
_REST_S, _WARM_S, _QUIET_S, _START_S = 0.7, 8.0, 6.0, 120.0
_SETTLED_NS = 300_000_000
_SAMPLED = 0.85
"""Part of a load after which the resources of the run are sampled."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One load and the time that it took, in HostNs."""

    kind: str
    port: str
    target: str
    start_ns: int
    end_ns: int
    done: dict[str, int]


@dataclass(slots=True)
class Frames:
    """Frames that were emitted during some phases."""

    frames: int = 0
    late: int = 0

    @property
    def percent(self) -> float:
        """Part of the frames that were late, in percent."""
        return 100 * self.late / self.frames if self.frames else float("nan")


def free_ports(names: Sequence[str], *, address: str) -> dict[str, int]:
    """A free TCP port for each name."""
    with ExitStack() as stack:
        found = {}
        for name in names:
            held = stack.enter_context(socket.socket())
            held.bind((HOST if name == "view" else address, 0))
            found[name] = held.getsockname()[1]
    return found


def write_run(folder: Path, ports: dict[str, int], *, address: str) -> Path:
    """The config of the demo with a closed loop on these ports; with keys where they need some."""
    config = demo_config(
        seconds=3600.0, display=Display.VIRTUAL, clips=None, purpose=Purpose.CONTROL
    )
    config = with_policy(config, "open_loop", session=None)
    endpoints: dict[str, Any] = {name: f"tcp://{address}:{ports[name]}" for name in ENDPOINTS}
    if not is_near(endpoints["recorder"]):
        KeyFolder(folder / "keys").new("main")
        endpoints |= {"keys": folder / "keys", "hosts": {"main": HostConfig(address=address)}}
    network = config.network.with_endpoints(endpoints)
    view = config.view.model_copy(update={"port": ports["view"]})
    path = folder / "flood.yaml"
    write_config(config.model_copy(update={"network": network, "view": view}), path)
    return path


@contextmanager
def running(config: Path, session: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The run, once its page answers; ended as by Ctrl-C."""
    command = [sys.executable, "-m", "rtdecode", "run", str(config), "--out", str(session)]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as run:
        try:
            deadline_s = time.monotonic() + _START_S
            while run.poll() is None and b"evaluate: running" not in log.read_bytes():
                if time.monotonic() > deadline_s:
                    raise TimeoutError(log.read_text(errors="replace")[-2000:])
                time.sleep(0.2)
            yield run
        finally:
            run.send_signal(2)
            run.wait(120)


@contextmanager
def unrelated(address: str) -> Iterator[int]:
    """Port of a program that accepts and discards everything."""
    command = [sys.executable, str(LOAD), "listen", address, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        try:
            yield int(listener.stdout.readline())  # type: ignore[union-attr]
        finally:
            listener.kill()


def flooded(
    kind: str,
    name: str,
    target: str,
    *,
    at: tuple[str, int],
    seconds: float,
    sample: Callable[[], None],
) -> Phase:
    """Load one port, call `sample` once meanwhile, and wait until it is over."""
    command = [sys.executable, str(LOAD), kind, at[0], str(at[1]), _PEERS.get(name, "SUB")]
    start_ns = time.monotonic_ns()
    command += ["--seconds", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        time.sleep(_SAMPLED * seconds)
        sample()
        said, _ = load.communicate()
    end_ns = time.monotonic_ns()
    time.sleep(_REST_S)
    return Phase(kind, name, target, start_ns, end_ns, json.loads(said))


def phases(
    ports: dict[str, int], *, address: str, seconds: float, sample: Callable[[], None]
) -> Iterator[Phase]:
    """All loads in turn, and a time without any."""
    start_ns = time.monotonic_ns()
    time.sleep(_QUIET_S)
    yield Phase(QUIET, "", QUIET, start_ns, time.monotonic_ns(), {})
    with unrelated(address) as other:
        for number, (kind, name) in enumerate((k, n) for k in KINDS for n in ports):
            host = HOST if name == "view" else address
            both = [(PORT, (host, ports[name])), (UNRELATED, (address, other))]
            for target, at in both if number % 2 else both[::-1]:
                phase = flooded(kind, name, target, at=at, seconds=seconds, sample=sample)
                print(kind, name, target, phase.done, flush=True)
                yield phase


def counted(session: Path, measured: Sequence[Phase]) -> tuple[dict[tuple[str, ...], Frames], Any]:
    """Frames by kind, port and target of the load; and what the log states beside."""
    found: defaultdict[tuple[str, ...], Frames] = defaultdict(Frames)
    events: defaultdict[str, int] = defaultdict(int)
    for item in LogReader(session / "log.mcap").messages():
        body, t_ns = item.message.body, item.message.t_ns
        if isinstance(body, Event):
            events[body.code] += 1
        if not isinstance(body, Reconstruction) or item.message.source != "emit":
            continue
        for phase in measured:
            if phase.start_ns + _SETTLED_NS <= t_ns <= phase.end_ns:
                for key in ((phase.kind, phase.target), (phase.kind, phase.target, phase.port)):
                    found[key].frames += 1
                    found[key].late += body.late
    return found, dict(events)


def resources(pid: int) -> dict[str, int]:
    """Most file handles and most memory in MB of one process of the run."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        "file_handles": max(one.num_fds() for one in family),
        "mb": round(max(one.memory_info().rss for one in family) / 1e6),
    }


def rows(found: dict[tuple[str, ...], Frames]) -> list[dict[str, Any]]:
    """Late frames under each kind of load, at all ports together and at each."""
    kinds = [key for key in found if key[1] == PORT]
    made = []
    for kind, _, *port in sorted(kinds, key=lambda key: (len(key), key)):
        ours, other = found[kind, PORT, *port], found[kind, UNRELATED, *port]
        made.append(
            {
                "load": kind,
                "port": port[0] if port else "all",
                "late_percent": round(ours.percent, 2),
                "late_percent_unrelated": round(other.percent, 2),
                "difference": round(ours.percent - other.percent, 2),
                "frames": ours.frames,
                "frames_unrelated": other.frames,
            }
        )
    return made


def main() -> int:
    """Run, print a table and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.5, help="length of each load")
    parser.add_argument("--address", default=HOST, help="address of this computer to listen on")
    parser.add_argument("--ports", nargs="*", help="ports to flood, by name; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the result")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, measured, most = Path(name), list[Phase](), defaultdict[str, int](int)
        ports = free_ports([*ENDPOINTS, "view"], address=args.address)
        config, session = write_run(folder, ports, address=args.address), folder / "session"
        with running(config, session, folder / "said.log") as run:
            time.sleep(_WARM_S)
            flooded_ports = {n: p for n, p in ports.items() if not args.ports or n in args.ports}

            def sample() -> None:
                for what, value in resources(run.pid).items():
                    most[what] = max(most[what], value)

            at = {"address": args.address, "seconds": args.seconds}
            measured += phases(flooded_ports, **at, sample=sample)
        print((folder / "said.log").read_text(errors="replace")[-3000:])
        found, events = counted(session, measured)
    table = rows(found)
    for row in table:
        print(row)
    quiet = found[QUIET, QUIET]
    results = {
        "rows": table,
        "late_percent_without_load": round(quiet.percent, 2),
        "events": events,
        "exit_code": run.returncode,
        "most": dict(most),
        "phases": [asdict(phase) for phase in measured],
    }
    settings = {
        "seconds": args.seconds,
        "ports": sorted(flooded_ports),
        "encrypted": args.address != HOST,
    }
    write_benchmark(args.json, name="flood", config=settings, results=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
