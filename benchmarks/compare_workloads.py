"""Workloads of `compare.py`, each run in a fresh process with the code of one revision.

    python benchmarks/compare_workloads.py NAME --inputs FOLDER --result FILE.json [--small]

This file and `timed_decoder.py` are those of the checkout that compares; `rtdecode` is that of
the working directory. So they call only what other revisions have too, and import it where it is
called. A workload returns figures, lower or higher as their names say, and outputs, which are equal
for two revisions that compute the same.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Figures = dict[str, float]
Outputs = dict[str, NDArray[np.float32]]
Found = tuple[Figures, Outputs]

NEURONS = (500, 2000, 8000)
STEP_NEURONS = 2000
"""Number of neurons for which a step alone is timed."""
FIELDS = ((128, 100), (512, 1000))
"""Side in px and number of ROIs of the fields of view of the calcium chain."""
OUTPUTS = {"Fluorescence": ("shift_px", "f_raw"), "Responses": ("activity",)}
"""Fields of the messages of the calcium chain that are compared."""
PROCESSES = {
    "supervisor": "rtdecode.commands.live",
    "recorder": "rtdecode.pipeline.recorder",
    "stimulus": "stimulus.__main__",
    "bridge": "acquisition_bridge.__main__",
    "decoder": "rtdecode.pipeline.decoder",
    "evaluate": "rtdecode.pipeline.evaluate",
    "view": "rtdecode.pipeline.view",
    "controller": "rtdecode.pipeline.controller",
}
STAGES = ("screen_to_output", "decode", "pacing")
DEMO_FIGURES = ("fps_out", "late_percent", "video_r", "frames_with_fewer_steps")
RECONSTRUCTIONS = "emit/reconstruction"
_RATE_HZ = 30.0
_NS_PER_MS, _NS_PER_S = 1e6, 1e9


def decoder(_inputs: Path, *, small: bool) -> Found:
    """Duration of a frame with 3 steps by number of neurons, and that of one step."""
    from timed_decoder import TWIN, TimedDecoder, settings

    from rtdecode.bench.decoder import load_population
    from rtdecode.decode.compute import prepare_process

    prepare_process(threads=1)
    population = load_population(TWIN)
    figures, outputs = Figures(), Outputs()
    for neurons in (40,) if small else NEURONS:
        timed = TimedDecoder(population.of(neurons), settings())
        timed.warm_up()
        timed.run(2 if small else 60)
        for percent in (50, 99):
            wall_ms = float(np.percentile(timed.wall_ms, percent))
            figures[f"frame_{neurons}_ms_p{percent}"] = wall_ms
        outputs[f"video_{neurons}"] = np.stack(timed.videos[:10])
    neurons = 40 if small else STEP_NEURONS
    fitted = population.of(neurons)
    by_steps = [TimedDecoder(fitted, settings(steps=steps)) for steps in (1, 5)]
    for timed in by_steps:
        timed.warm_up()
    for _ in range(1 if small else 20):
        for timed in by_steps:
            timed.run(3)
    one, five = (float(np.median(timed.cpu_ms)) for timed in by_steps)
    return figures | {f"step_{neurons}_cpu_ms": (five - one) / 4}, outputs


def calcium(inputs: Path, *, small: bool) -> Found:
    """Processor time of a scan in the whole chain, by size and number of ROIs."""
    figures, outputs = Figures(), Outputs()
    for size_px, cells in FIELDS[:1] if small else FIELDS:
        name = f"{size_px}px_{cells}rois"
        counts = {"warm_up": 5, "scans": 10} if small else {"warm_up": 60, "scans": 300}
        times_ms, kept = chain_times(inputs / name, **counts)
        for percent in (50, 99):
            figures[f"scan_{name}_cpu_ms_p{percent}"] = float(np.percentile(times_ms, percent))
        outputs |= {f"{name}_{field}": np.stack(values) for field, values in kept.items()}
    return figures, outputs


def chain_times(
    field: Path, *, warm_up: int, scans: int
) -> tuple[list[float], dict[str, list[NDArray[np.float32]]]]:
    """Processor time in ms of each scan after the first `warm_up`, and the outputs of all."""
    from rtdecode.calcium.calibration import Calibration
    from rtdecode.calcium.chain import CalciumChain
    from rtdecode.calcium.rois import Rois
    from rtdecode.runtime.clock import HostClock
    from rtdecode.schema.config.calcium import CalciumConfig
    from rtdecode.schema.frame_grid import FrameGrid
    from rtdecode.schema.messages import Received, Scan, Stamped

    movie = np.load(field / "movie.npy")
    chain = CalciumChain(
        CalciumConfig(),
        rois=Rois.load(field / "rois.npz"),
        grid=FrameGrid(_RATE_HZ),
        scan_rate_hz=_RATE_HZ,
        reference=None,
        calibration=Calibration.load(field / "calibration.npz"),
        clock=HostClock(),
    )
    times_ms: list[float] = []
    kept: dict[str, list[NDArray[np.float32]]] = {}
    for number in range(warm_up + scans):
        ends = (round((number + part) * _NS_PER_S / _RATE_HZ) for part in (0.0, 0.95))
        scan = Scan(movie[number % len(movie)], number, 0, *ends)
        received = Received(Stamped("bench", number, 0, "host", scan), 0)
        begun_ns = time.thread_time_ns()
        bodies = list(chain.step([received]))
        times_ms.append((time.thread_time_ns() - begun_ns) / _NS_PER_MS)
        for body in bodies:
            for name in OUTPUTS.get(type(body).__name__, ()):
                kept.setdefault(name, []).append(getattr(body, name))
    return times_ms[warm_up:], kept


def fields_of_view(inputs: Path, *, small: bool) -> None:
    """Write the movies that both revisions are given, with the code of this process."""
    from rtdecode.bench.calcium import field_of_view

    for size_px, cells in FIELDS[:1] if small else FIELDS:
        folder = inputs / f"{size_px}px_{cells}rois"
        folder.mkdir(parents=True)
        field = field_of_view(size_px, cells, np.random.default_rng(0))
        np.save(folder / "movie.npy", field.movie)
        field.rois.save(folder / "rois.npz")
        field.calibration.save(folder / "calibration.npz")


def start(_inputs: Path, *, small: bool) -> Found:
    """From a command to its answer, and processor time of the imports of each process."""
    figures = Figures()
    commands = {"help": ["--help"], "check": ["check", "rtdecode/demo_mouse/demo.yaml"]}
    for name, words in list(commands.items())[: 1 if small else None]:
        cpu_s, wall_s = duration(["-m", "rtdecode", *words])
        figures |= {f"{name}_s": wall_s, f"{name}_cpu_s": cpu_s}
    for name, module in {} if small else PROCESSES.items():
        if code_root().joinpath(*module.split(".")).with_suffix(".py").is_file():
            figures[f"imports_{name}_cpu_s"] = duration(["-c", f"import {module}"])[0]
    return figures, {}


def code_root() -> Path:
    """The checkout whose `rtdecode` this process imports."""
    import rtdecode

    return Path(rtdecode.__file__).resolve().parents[1]


def duration(words: Sequence[str]) -> tuple[float, float]:
    """Processor and wall-clock seconds of `python words` in the root of the code, until it ends."""
    command, root = [sys.executable, *words], code_root()
    before, begun_ns = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic_ns()
    subprocess.run(command, cwd=root, stdout=subprocess.DEVNULL, check=True)
    wall_s = (time.monotonic_ns() - begun_ns) / _NS_PER_S
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s


def demo(_inputs: Path, *, small: bool) -> Found:
    """One run of the demo: to its first reconstruction, its latencies, and to its end."""
    from rtdecode.runtime.clock import HostClock
    from rtdecode.session.reader import LogReader

    seconds = "6" if small else "20"
    with tempfile.TemporaryDirectory() as folder:
        summary, session = Path(folder) / "demo.json", Path(folder) / "session"
        words = ["-m", "rtdecode", "demo", "--headless", "--seconds", seconds]
        begun_ns = HostClock().now_ns()
        cpu_s, wall_s = duration([*words, "--json", str(summary), "--out", str(session)])
        found = json.loads(summary.read_text(encoding="utf-8"))
        logged = [*LogReader(session / "log.mcap").logged()]
    first_ns = min(one.t_received_ns for one in logged if one.stream == RECONSTRUCTIONS)
    last_ns = max(one.t_received_ns for one in logged)
    figures = {
        "first_reconstruction_s": (first_ns - begun_ns) / _NS_PER_S,
        "end_s": wall_s - (last_ns - begun_ns) / _NS_PER_S,
        "demo_cpu_s": cpu_s,
    }
    figures |= {name: float(found[name]) for name in DEMO_FIGURES if found.get(name) is not None}
    for stage in STAGES:
        for part in ("p50", "p99"):
            figures[f"{stage}_{part}_ms"] = found["stages_ms"][stage][part]
    return figures, {}


def wire(_inputs: Path, *, small: bool) -> Found:
    """One hop of a scan of 512 × 512 px by transport, and the codec's time."""
    from rtdecode.bench.wire import benchmark_wire

    rows = benchmark_wire(sides_px=(512,), count=10 if small else 90)
    figures = Figures()
    for row in rows:
        transport = row["transport"].replace(" ", "_")
        figures |= {f"{transport}_{part}_ms": row[f"{part}_ms"] for part in ("p50", "p99")}
    return figures | {key: rows[0][key] for key in ("pack_us", "unpack_us")}, {}


Workload = Callable[..., Found]
WORKLOADS: Mapping[str, Workload] = {
    "decoder": decoder,
    "calcium": calcium,
    "start": start,
    "demo": demo,
    "wire": wire,
}
INPUTS: Mapping[str, Callable[..., None]] = {"calcium": fields_of_view}
"""What the process that compares writes once for both revisions."""


def largest_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, float]:
    """Largest difference of each output that both have, relative to the 99th percentile of A."""
    found = {}
    for name in [one for one in a if one in b]:
        scale = max(float(np.percentile(np.abs(a[name]), 99)), 1e-12)
        n = min(len(a[name]), len(b[name]))
        found[name] = float(np.abs(b[name][:n] - a[name][:n]).max()) / scale
    return found


def main() -> None:
    """Run one workload, and write its figures and outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=WORKLOADS)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    if code_root() != Path.cwd().resolve():
        parser.error(f"rtdecode is imported from {code_root()}: expected that in {Path.cwd()}")
    load = os.getloadavg()[0]
    figures, outputs = WORKLOADS[given.name](given.inputs, small=given.small)
    content = {"figures": figures, "load_before": load}
    given.result.write_text(json.dumps(content), encoding="utf-8")
    np.savez(given.result.with_suffix(".npz"), **outputs)


if __name__ == "__main__":
    main()
