"""A small run of all real processes, to which one fault happens, and what it left.

The rig is `rig_program.py`; the screen is headless; the twin is linear. Folders, addresses and
configs are made here, and each run has its own.
"""

import atexit
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from fault_cells import MODULES, Cell, Fault
from page_client import Page
from small_rig import SmallRig

HERE = Path(__file__).resolve().parent
SCREEN_PX, NEURONS = (36, 64), 9
RATE_HZ = 15.0
SEED = 7
SHARE = 0.01
WARM_FRAMES = 45
"""Reconstructions on the page before the fault."""
_PATIENCE_S, _SETTLED_S = 120.0, 1.5
_TAIL = 8
_ENDPOINTS = (
    "recorder",
    "supervisor",
    "events",
    "bridge",
    "stimulus",
    "decoder",
    "emit",
    "evaluate",
)


@dataclass(slots=True)
class Left:
    """What a run left."""

    session: Path
    exit_code: int | None
    """None where it did not end within four minutes and was killed."""
    said: str
    """All that the command printed."""
    summary: dict[str, Any] | None
    """`--json` of the run; None where it wrote none."""
    sent: Mapping[str, Any]
    """What the rig program sent."""
    touched: Sequence[int]
    """Numbers of the messages that the forwarder touched."""
    page: Mapping[str, Any]
    """Last status of the web page."""
    notes: list[str] = field(default_factory=list)
    """What could not be done as the cell asks."""


@cache
def prepared() -> Path:
    """A folder with scans, ROIs and a twin, which all runs of this process share."""
    folder = Path(tempfile.mkdtemp(prefix="fault-rig-"))
    atexit.register(shutil.rmtree, folder)
    _prepare(folder)
    return folder


def _prepare(folder: Path) -> None:
    # torch takes seconds to import
    import torch

    from rtdecode.decode.noise import even_noise, save_noise
    from rtdecode.decode.prior import fit_prior, save_prior
    from rtdecode.twins.folder import save_twin
    from rtdecode.twins.linear import Linear
    from rtdecode.twins.twin import TwinSpec

    rig, twin_folder = SmallRig(), folder / "twin"
    np.save(folder / "scans.npy", np.stack([rig.bodies(n)[1].pixels_counts for n in range(64)]))
    rig.rois.save(folder / "masks.npz")
    neutral = (3.0, 20.0, 1.0, 2.0)
    spec = TwinSpec("linear", NEURONS, *SCREEN_PX, behaviour_mean=neutral, sizes={"taps": 2})
    twin = Linear(spec)
    twin.temporal.data = torch.tensor([[0.4, 0.6]])
    weights = np.random.default_rng(1).normal(0, 0.1, (NEURONS, *SCREEN_PX))
    twin.spatial.data = torch.from_numpy(weights).float()
    save_twin(twin, twin_folder)
    steps = np.random.default_rng(0).normal(0, 9, (80, *SCREEN_PX))
    save_prior(fit_prior([128 + np.cumsum(steps, 0)]), twin_folder)
    save_noise(even_noise(NEURONS), twin_folder)


class FaultRun:
    """`rtdecode run` in `folder`, with its rig program and a browser."""

    def __init__(self, cell: Cell, folder: Path) -> None:
        self.cell, self.folder = cell, folder
        self.session = folder / "session"
        self.notes: list[str] = []
        self.lines: list[str] = []
        self.page = Page()
        self.end_patience_s = 2 * _PATIENCE_S
        """Time that the end of the run, with its report, may take."""
        self.own_group = False
        """Whether Ctrl-C in the terminal ends this process alone, not those of the run."""
        self._outside = cell.process if cell.fault is Fault.FORWARDED else ""
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def config(self) -> dict[str, Any]:
        """The config of the run; for a forwarded source, its endpoint is that of the forwarder."""
        source = {"kind": "zmq_native", "address": f"ipc://{self.folder}/rig"}
        rois, twin = str(self.folder / "masks.npz"), str(self.folder / "twin")
        config: dict[str, Any] = {
            "acquisition": {"source": source | {"scan_rate_hz": RATE_HZ}},
            "stimulus": {"presenter": "headless"},
            "calcium": {"rois": rois, "reference_scans": 4, "calibration_s": 0.5},
            "decode": {"twin": twin, "window_frames": 8, "lag_frames": 2, "steps": 1},
            "evaluate": {"warm_up_s": 0.5, "window_s": 3.0},
            "record": {"folder": str(self.folder), "min_free_mb": 0},
        }
        if self._outside:
            config["processes"] = [name for name in MODULES if name != self._outside]
            config["network"] = {name: f"ipc://{self.folder}/{name}" for name in _ENDPOINTS}
        return config

    def start(self) -> None:
        """Start all, and wait until reconstructions reach the page."""
        config = self.config()
        (self.folder / "run.yaml").write_text(yaml.safe_dump(config))
        options = ["--out", self.session, "--json", self.folder / "summary.json"]
        self._spawn("run", ["-m", "rtdecode", "run", self.folder / "run.yaml", *options])
        reader = threading.Thread(target=self._read_lines, name="terminal")
        reader.start()
        self._reader = reader
        inside = [name for name in MODULES if name != self._outside]
        if not self.wait(lambda: all(self.count_of(f"{name}: running") for name in inside)):
            raise RuntimeError(f"the run did not begin: {self.lines[-_TAIL:]}")
        if self._outside:
            self._start_outside(config)
        address, movie = config["acquisition"]["source"]["address"], self.folder / "scans.npy"
        fault = self.cell.detail or "none"
        self._spawn("rig", [HERE / "rig_program.py", address, movie, RATE_HZ, fault])
        self.wait(lambda: self.page.frames >= WARM_FRAMES)

    def _start_outside(self, config: dict[str, Any]) -> None:
        """The forwarder, and the process whose messages it passes on, outside the supervisor."""
        touched = "emit" if self._outside == "decoder" else self._outside
        public = config["network"][touched]
        network = config["network"] | {touched: f"{public}-own"}
        own = self.folder / f"{self._outside}.yaml"
        own.write_text(yaml.safe_dump(config | {"network": network, "processes": None}))
        what = [self.cell.stream.partition("/")[2], self.cell.detail, SHARE, SEED]
        self._spawn("forwarder", [HERE / "forwarder.py", network[touched], public, *what])
        self._spawn(self._outside, ["-m", MODULES[self._outside], own, "--session", "session"])
        log, started = self.session / "log.mcap", f"{self._outside}/start".encode()
        self.wait(lambda: started in log.read_bytes())

    @property
    def run(self) -> "subprocess.Popen[str]":
        return self._processes["run"]

    @property
    def alive(self) -> bool:
        return self.run.poll() is None

    def count_of(self, line: str) -> int:
        """How often the command printed `line`."""
        return self.lines.count(line)

    def wait(self, until: Callable[[], bool], *, patience_s: float = _PATIENCE_S) -> bool:
        """Wait until it is so, or the run has ended; False where neither came."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self.alive:
            if until():
                return True
            time.sleep(0.05)
        return until()

    def process(self) -> psutil.Process | None:
        """The process of the cell now."""
        module = MODULES[self.cell.process]
        for child in psutil.Process(self.run.pid).children(recursive=True):
            with suppress(psutil.Error):
                if module in child.cmdline():
                    return child
        return None

    def tell(self, name: str, line: str) -> None:
        """Write a line to the standard input of the rig program or the forwarder."""
        stdin = self._processes[name].stdin
        if stdin is not None:
            stdin.write(line + "\n")
            stdin.flush()

    def settle(self) -> None:
        """Wait until the page gets no more frames; the rig program has ended."""
        state = [self.page.frames, time.monotonic()]

        def settled() -> bool:
            if self.page.frames != state[0]:
                state[:] = self.page.frames, time.monotonic()
            return time.monotonic() - state[1] > _SETTLED_S

        self.wait(settled, patience_s=30.0)

    def end(self) -> Left:
        """End the rig, then the run as by Ctrl-C; what they left."""
        sent = self._ended("rig")
        self.settle()
        page = dict(self.page.status)
        if self._outside:
            self._processes[self._outside].send_signal(signal.SIGINT)
            self._processes[self._outside].wait(60)
        touched = self._ended("forwarder") if self._outside else []
        if self.alive:
            self.run.send_signal(signal.SIGINT)
        try:
            code: int | None = self.run.wait(self.end_patience_s)
        except subprocess.TimeoutExpired:
            code = None
        self._reader.join(5.0)
        file = self.folder / "summary.json"
        summary = json.loads(file.read_text()) if file.is_file() else None
        said = "\n".join(self.lines)
        return Left(self.session, code, said, summary, sent, touched, page, self.notes)

    def close(self) -> None:
        """End everything that still runs."""
        descendants = []
        for popen in self._processes.values():
            with suppress(psutil.Error):
                descendants += psutil.Process(popen.pid).children(recursive=True)
        for process in (*descendants, *self._processes.values()):
            with suppress(psutil.Error, OSError):
                process.kill()
        for popen in self._processes.values():
            popen.wait()
            for stream in (popen.stdin, popen.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
        psutil.wait_procs(descendants, timeout=10)
        self.page.close()

    def _spawn(self, name: str, argv: Sequence[object]) -> None:
        stderr = (self.folder / f"{name}.err").open("w")
        with stderr:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *map(str, argv)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if name == "run" else stderr,
                text=True,
                cwd=self.folder,
                start_new_session=self.own_group,
            )

    def _ended(self, name: str) -> Any:
        """The JSON that a program of the test prints at its end."""
        said, _ = self._processes[name].communicate(timeout=60)
        return json.loads(said)

    def _read_lines(self) -> None:
        stdout = self.run.stdout
        for line in stdout or ():
            self.lines.append(line.rstrip())
            found = re.search(r"Live page: (http://\S+)", line)
            if found:
                self.page.address = found.group(1)
