"""What the decoder sheds while other programs use the processors, and what that costs in quality.

    git worktree add ../before 554efc9
    python benchmarks/overload.py --other ../before

Each run is the demo with all real processes; in its middle 0, 1, 2 or 3 processes compute without a
pause. The run with most of them is repeated with an earlier checkout whose decoder sheds nothing.
Ages are read from the log: from the moment when the bridge sent the newest scan of a frame to its
output, so that a late rig does not count. Then a simulated session is decoded at fixed levels of
work. Takes about 7 minutes on two idle cores, and writes `benchmarks/results/overload.json`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rtdecode.bench.loop import LoopSettings, RateBench
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.work_control import WorkControl
from rtdecode.decode.work_levels import WorkLevel
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.demo.simulated_session import DataClock
from rtdecode.evaluate.metrics import video_r
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.messages import Event, Reconstruction, Scan
from rtdecode.session.environment import git_revision
from rtdecode.session.reader import LogReader

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "benchmarks" / "results" / "overload.json"
LEVELS = (
    WorkLevel(5),
    WorkLevel(3),
    WorkLevel(2),
    WorkLevel(1),
    WorkLevel(1, 1, 2),
    WorkLevel(1, 1, 4),
)
WARM_UP_FRAMES = 45
_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_SHEDS = ("steps_shed", "members_shed", "rate_shed", "overloaded", "work_recovered")
_SATURATED = ("processor_saturated", "processor_recovered")


@dataclass(frozen=True, slots=True)
class Spans:
    """Durations of one run in s: without hogs, with them, and without them again."""

    before_s: float
    hog_s: float
    after_s: float

    @property
    def all_s(self) -> float:
        """Duration of the run."""
        return self.before_s + self.hog_s + self.after_s


@dataclass(frozen=True, slots=True)
class Output:
    """One frame that was given out, and when the bridge had sent its newest scan."""

    t_ns: int
    sent_ns: int
    body: Reconstruction

    @property
    def age_ms(self) -> float:
        """Time from the sending of the newest scan to the output."""
        return (self.t_ns - self.sent_ns) / _NS_PER_MS


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """Processes that compute without a pause while the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def demo() -> RunConfig:
    """The demo for watching, on a virtual display."""
    return demo_config(seconds=None, display=Display.VIRTUAL, clips=None, purpose=Purpose.DISPLAY)


def demo_yaml(root: Path) -> str:
    """The config of the demo as the code in `root` writes it: keys differ between checkouts."""
    code = (
        "from rtdecode.demo.config import Purpose, demo_config\n"
        "from rtdecode.runtime.config_file import config_yaml\n"
        "from rtdecode.schema.config.stimulus import Display\n"
        "settings = dict(seconds=1.0, clips=None, purpose=Purpose.DISPLAY)\n"
        "print(config_yaml(demo_config(display=Display.VIRTUAL, **settings)))\n"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        command, cwd=root, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def run(root: Path, *, count: int, spans: Spans) -> dict[str, Any]:
    """One run of the demo with the code in `root`."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = yaml.safe_load(demo_yaml(root)) | {"seconds": spans.all_s}
        (folder / "run.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        command = [sys.executable, "-u", "-m", "rtdecode", "run", str(folder / "run.yaml")]
        process = subprocess.Popen(
            [*command, "--out", str(folder / "session")],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in process.stdout:
            if line.startswith("stimulus: running"):
                break
        time.sleep(spans.before_s)
        begun_ns = time.monotonic_ns()
        with hogs(count):
            time.sleep(spans.hog_s)
        ended_ns = time.monotonic_ns()
        process.stdout.read()
        if process.wait() != 0:
            raise SystemExit(f"the run ended with exit code {process.returncode}")
        figures = measured(folder / "session" / "log.mcap", begun_ns, ended_ns)
    return {"hogs": count, "load_before": load, **figures}


def measured(log: Path, begun_ns: int, ended_ns: int) -> dict[str, Any]:
    """Ages, late frames, steps and events of a run whose hogs computed between two times."""
    frames, events, sent_ns = [], [], dict[int, int]()
    kinds = ("/scan", "/reconstruction", "/event")
    for item in LogReader(log).messages(lambda stream: stream.endswith(kinds)):
        body, t_ns = item.message.body, item.message.t_ns
        if isinstance(body, Scan):
            sent_ns[body.t_end_ns] = t_ns
        elif isinstance(body, Reconstruction) and body.warm:
            frames.append(Output(t_ns, sent_ns.get(body.t_scan_end_ns, body.t_scan_end_ns), body))
        elif isinstance(body, Event) and body.code in (*_SHEDS, *_SATURATED):
            events.append(((t_ns - begun_ns) / _NS_PER_S, body))
    spans = {
        "before": [one for one in frames if one.t_ns < begun_ns],
        "during": [one for one in frames if begun_ns <= one.t_ns < ended_ns],
        "after": [one for one in frames if one.t_ns >= ended_ns],
    }
    listed = [[round(t_s, 2), body.code, body.text] for t_s, body in events]
    return {
        **{name: _figures(found) for name, found in spans.items()},
        "age_ms_by_second": _by_second(frames, begun_ns),
        "events": listed,
        "event_counts": dict(Counter(body.code for _, body in events)),
        "recovered_after_s": _recovered_after_s(listed, (ended_ns - begun_ns) / _NS_PER_S),
    }


def _figures(found: list[Output]) -> dict[str, float]:
    ages_ms = np.array([one.age_ms for one in found])
    bodies = [one.body for one in found]
    span_s = (found[-1].t_ns - found[0].t_ns) / _NS_PER_S
    return {
        "frames_a_second": (len(found) - 1) / span_s,
        "age_ms_p50": float(np.median(ages_ms)),
        "age_ms_p99": float(np.percentile(ages_ms, 99)),
        "age_ms_max": float(ages_ms.max()),
        "late_percent": 100 * float(np.mean([body.late for body in bodies])),
        "steps": float(np.mean([body.steps for body in bodies])),
        "frames_shed": float(sum(body.frames_shed for body in bodies)),
    }


def _by_second(frames: list[Output], begun_ns: int) -> dict[str, float]:
    """Longest age in ms in each second, from the start of the hogs."""
    seconds: defaultdict[int, list[float]] = defaultdict(list)
    for one in frames:
        seconds[int((one.t_ns - begun_ns) // _NS_PER_S)].append(one.age_ms)
    return {str(second): round(max(ages), 1) for second, ages in sorted(seconds.items())}


def _recovered_after_s(events: list[list[Any]], hog_s: float) -> float | None:
    """Time from the end of the hogs to the event that raises the work to that before them.

    None where it was not raised as often as it was shed within the run, or where nothing was shed.
    """
    changed = [(t_s, code) for t_s, code, _ in events if code in _SHEDS]
    raised = Counter(code == "work_recovered" for _, code in changed)
    if not changed or changed[-1][1] != "work_recovered" or raised[True] < raised[False]:
        return None
    return max(0.0, float(changed[-1][0]) - hog_s)


class FixedWork(WorkControl):
    """One level for all estimations."""

    def __init__(self, level: WorkLevel) -> None:
        super().__init__(steps=1, room=1, period_ns=1, deadline_ns=1)
        self._fixed = level

    @property
    def level(self) -> WorkLevel:
        return self._fixed

    def add(self, one: object) -> None:
        """Change nothing."""


def quality() -> list[dict[str, Any]]:
    """video_r of a simulated session at each level."""
    config = demo()
    assert config.decode is not None and config.decode.twin is not None  # noqa: PT018, S101
    prepare_process(threads=1)
    fitted = load_fitted_twin(config.decode.twin)
    bench = RateBench(config, LoopSettings(seeds=(1,)), fitted, rate_hz=15.0)
    batches = [list(bench.batches_of(session, 0)) for session in bench.sessions]
    rows = []
    for level in LEVELS:
        decode = config.decode.model_copy(update={"steps": level.steps, "deadline_ms": 1e6})
        given, held = [], []
        for session, batches_of_one in zip(bench.sessions, batches, strict=True):
            decoder = fitted.decoder(decode, clock=DataClock(), work_control=FixedWork(level))
            video = np.full(session.video.shape, np.nan, np.float32)
            for batch in batches_of_one:
                for one in decoder.step(batch.frames):
                    if 0 <= one.frame - session.first < len(video):
                        video[one.frame - session.first] = one.luminance
            filled = _held(video)
            for edge in range(0, len(video), session.clip_frames):
                span = slice(max(edge, WARM_UP_FRAMES), edge + session.clip_frames)
                given.append(video_r(session.video[span], video[span], bench.mask))
                held.append(video_r(session.video[span], filled[span], bench.mask))
        rows.append(
            {
                "level": str(level),
                "video_r": float(np.mean(given)),
                "video_r_held": float(np.mean(held)),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _held(video: np.ndarray) -> np.ndarray:
    """`video` with each missing frame replaced by the one before, as the page displays it."""
    filled = video.copy()
    for frame in range(1, len(filled)):
        if np.isnan(filled[frame]).any():
            filled[frame] = filled[frame - 1]
    return filled


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--other", type=Path, help="checkout whose decoder sheds nothing, as 554efc9"
    )
    parser.add_argument("--hogs", type=int, default=3, help="most processes that compute")
    parser.add_argument("--before", type=float, default=6.0)
    parser.add_argument("--seconds", type=float, default=12.0, help="how long they compute")
    parser.add_argument("--after", type=float, default=30.0)
    parser.add_argument("--no-quality", action="store_true", help="leave out the fixed levels")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    spans = Spans(given.before, given.seconds, given.after)
    runs = []
    for count in range(given.hogs + 1):
        roots = {"here": HERE}
        if given.other is not None and count == given.hogs:
            roots["other"] = given.other.resolve()
        for name, root in roots.items():
            runs.append({"checkout": name, **run(root, count=count, spans=spans)})
            shown = {key: runs[-1][key] for key in ("checkout", "hogs", "during", "event_counts")}
            print(shown, flush=True)
    levels = [] if given.no_quality else quality()
    other = None if given.other is None else git_revision(given.other.resolve())
    config = {
        "other": other,
        "before_s": given.before,
        "hog_s": given.seconds,
        "after_s": given.after,
    }
    write_benchmark(
        given.json, name="overload", config=config, results={"runs": runs, "levels": levels}
    )


if __name__ == "__main__":
    main()
