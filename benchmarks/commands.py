"""Delay of commands to the stimulus: from sending to the flip, and to the answer at the sender.

    .venv/bin/python benchmarks/commands.py [--commands 300]

Starts the stimulus process with a PsychoPy window on a virtual display, and without a window on
simulated refreshes of 60 Hz, and sends `show_frames` of ten frames at random times. Of each command
its result has the flip, on the same clock. A command misses a flip that it was sent before where
it is received, or the frame is drawn, too late: the longest such time before the flip is the lead
time that a controller has to allow for. Writes `benchmarks/results/commands.json`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.command_link import CommandSender
from rtdecode.runtime.command_receiver import WINDOW
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.control import Acknowledgement, Action

RESULTS = Path(__file__).parent / "results" / "commands.json"
CLOCK = HostClock()
FRAME_RATE_HZ = 30.0
SCREENS = {
    "window": {"presenter": "psychopy", "display": "virtual"},
    "refreshes": {"presenter": "headless", "refresh_hz": 60.0},
}
WARM_UP = 20
"""First commands of each screen, which are not counted."""
_LONGEST_S, _SHORTEST_S = 0.25, 0.05


@contextmanager
def stimulus(folder: Path, screen: dict[str, object]) -> Iterator[str]:
    """The endpoint for commands of a stimulus process, which runs during the block."""
    link, config = f"ipc://{folder}/commands", folder / "config.yaml"
    clips = {"embedded_clips": 2, "clip_s": 5.0}
    run = {"network": {"commands": link}, "stimulus": {**clips, **screen}}
    config.write_text(yaml.safe_dump(run), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    process = subprocess.Popen([sys.executable, "-m", "stimulus", str(config)], env=environment)
    try:
        yield link
    finally:
        process.terminate()
        process.wait()


def action(number: int, rng: np.random.Generator) -> Action:
    """Ten frames to show."""
    frames = rng.integers(0, 256, (10, 36, 64), np.uint8)
    now_ns = CLOCK.now_ns()
    return Action(
        number, "show_frames", "bench", "sent", "", -1, 0, 0, now_ns, now_ns, "noise", frames=frames
    )


def answered(link: str, folder: Path, n: int) -> list[tuple[int, int, Acknowledgement]]:
    """Time of sending, time of the answer, and result of each command."""
    rng, rows = np.random.default_rng(7), list[tuple[int, int, Acknowledgement]]()
    with Messaging() as messaging:
        kept = KeptMessages(folder / "sender", slots=WINDOW)
        sender = CommandSender(messaging, clock=CLOCK, endpoint=link, kept=kept)
        for number in range(n + WARM_UP):
            command = action(number, rng)
            sent_ns = CLOCK.now_ns()
            sender.send(command)
            while not (results := sender.take(0.005)):
                pass
            rows.append((sent_ns, CLOCK.now_ns(), results[0]))
            CLOCK.sleep_until(sent_ns + round(rng.uniform(_SHORTEST_S, _LONGEST_S) * 1e9))
    return rows[WARM_UP:]


def summary(milliseconds: np.ndarray) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"median": float(p50), "p99": float(p99), "max": float(milliseconds.max())}


def delays(rows: list[tuple[int, int, Acknowledgement]]) -> dict[str, object]:
    """Delays in ms of all commands, and the lead time."""
    sent, back = (np.array([row[place] for row in rows]) / 1e6 for place in (0, 1))
    flip = np.array([row[2].t_flip_ns for row in rows]) / 1e6
    received = np.array([row[2].t_received_ns for row in rows]) / 1e6
    lead = flip - 1000 / FRAME_RATE_HZ - sent
    missed = lead[lead > 0]
    return {
        "n": len(rows),
        "applied": sum(row[2].result == "applied" for row in rows),
        "flip_ms": summary(flip - sent),
        "answer_ms": summary(back - sent),
        "receipt_to_flip_ms": summary(flip - received),
        "answer_after_flip_ms": summary(back - flip),
        "missed": len(missed),
        "lead_ms": summary(missed) if len(missed) else {},
        "shortest_in_time_ms": float((flip - sent).min()),
    }


def main() -> None:
    """Measure all screens, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=300)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    measured = {}
    for name, screen in SCREENS.items():
        with tempfile.TemporaryDirectory() as folder, stimulus(Path(folder), screen) as link:
            measured[name] = delays(answered(link, Path(folder), options.commands))
        print(name, measured[name])
    config = {"commands": options.commands, "frame_rate_hz": FRAME_RATE_HZ}
    write_benchmark(options.json, name="commands", config=config, results=measured)


if __name__ == "__main__":
    main()
