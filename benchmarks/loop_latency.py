"""Reaction and content age of the closed loop with all real processes, at two scan rates.

    python benchmarks/loop_latency.py --turns 5 --seconds 25

Each turn runs the demo with its control settings at 15 and at 30 scans a second, alternately:
window on a virtual display, microscope, decoder, score, page, recorder, and a policy that displays
another clip at random reconstructions, 0.3 to 0.9 s apart. The gaps are random so that commands
come at every phase of scans and flips. In every second turn follow runs without commands, of the
control settings and of the display settings, whose video_r is that of whole clips. Writes
`benchmarks/results/loop_latency.json`: each run, and the medians over runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rtdecode.bench.result_file import write_benchmark
from rtdecode.demo.config import Purpose, demo_config
from rtdecode.runtime.config_file import config_yaml
from rtdecode.schema.config.stimulus import Display

RESULTS = Path(__file__).parent / "results" / "loop_latency.json"
POLICY = """
import numpy as np
from rtdecode.control.policy import Request
from rtdecode.schema.messages import Reconstruction

class AnotherClip:
    def __init__(self, setting):
        self._clips, self._rng = setting.clips, np.random.default_rng(setting.seed)
        self._next_frame = 0

    def decide(self, observation):
        body = observation.body
        if not isinstance(body, Reconstruction) or body.frame < self._next_frame:
            return []
        self._next_frame = body.frame + int(self._rng.integers(9, 28))
        return [Request.show_clip(str(self._rng.choice(self._clips)), reason="a random gap")]
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One kind of run."""

    name: str
    scan_rate_hz: float
    purpose: Purpose
    steps: int
    """Solver steps; three at 30 scans a second, for which 33 ms are available."""
    reacts: bool


SETTINGS = (
    Setting("control, 15 scans/s", 15.0, Purpose.CONTROL, 5, reacts=True),
    Setting("control, 30 scans/s", 30.0, Purpose.CONTROL, 3, reacts=True),
    Setting("control, 15 scans/s, no commands", 15.0, Purpose.CONTROL, 5, reacts=False),
    Setting("control, 30 scans/s, no commands", 30.0, Purpose.CONTROL, 3, reacts=False),
    Setting("display, 15 scans/s, no commands", 15.0, Purpose.DISPLAY, 5, reacts=False),
)


def config_of(setting: Setting, folder: Path, *, seconds: float) -> Path:
    """The config of a run, written to `folder`."""
    purpose = setting.purpose
    demo = demo_config(seconds=seconds, display=Display.VIRTUAL, clips=None, purpose=purpose)
    content: dict[str, Any] = yaml.safe_load(config_yaml(demo))
    content["acquisition"]["source"]["scan_rate_hz"] = setting.scan_rate_hz
    content["decode"]["steps"] = setting.steps
    if setting.reacts:
        (folder / "another_clip.py").write_text(POLICY, encoding="utf-8")
        content["control"] = {
            "policy": {"file": "another_clip.py", "class": "AnotherClip"},
            "arm": "at_start",
        }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def run_once(setting: Setting, *, seconds: float) -> dict[str, float]:
    """Run the demo once, and return its figures."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "summary.json"
        config = config_of(setting, Path(folder), seconds=seconds)
        command = [sys.executable, "-m", "rtdecode", "run", str(config)]
        command += ["--json", str(path), "--out", f"{folder}/session"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        found = json.loads(path.read_text(encoding="utf-8"))
    figures = {
        "video_r": found["video_r"],
        "late_percent": found["late_percent"],
        "frames_with_fewer_steps": found["frames_with_fewer_steps"],
        "screen_to_output_p50": found["stages_ms"]["screen_to_output"]["p50"],
        "decode_p50": found["stages_ms"]["decode"]["p50"],
        "decode_p99": found["stages_ms"]["decode"]["p99"],
        "load_before": load,
    }
    for name in ("reaction_ms", "content_age_ms") if setting.reacts else ():
        figures |= {f"{name}_{part}": found[name][part] for part in ("p50", "p99", "n")}
    return figures


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {one.name: [] for one in SETTINGS}
    for turn in range(given.turns):
        for setting in SETTINGS:
            if turn % 2 and not setting.reacts:
                continue
            runs[setting.name].append(run_once(setting, seconds=given.seconds))
            print(setting.name, runs[setting.name][-1], flush=True)
    results = {
        name: {
            "median": {key: float(np.median([run[key] for run in found])) for key in found[0]},
            "runs": found,
        }
        for name, found in runs.items()
    }
    config = {"turns": given.turns, "seconds": given.seconds}
    write_benchmark(given.json, name="loop latency", config=config, results=results)


if __name__ == "__main__":
    main()
