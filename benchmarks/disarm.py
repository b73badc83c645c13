"""Time from the recorder's end, and from its silence, to a controller that acts no more.

    python benchmarks/disarm.py --kills 10 --stops 3

Each time the demo runs with a headless presenter and a policy that fires an output at every frame.
The controller is armed as by `rtdecode arm`, and then the recorder gets SIGKILL, or SIGSTOP. As the
recorder can record nothing more, the time of the event `disarmed` is that of the controller's own
message, received by a subscriber to its endpoint: CLOCK_MONOTONIC, as the time at which the signal
was sent. The same messages have the last action that was sent. Writes
`benchmarks/results/disarm.json`.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

from rtdecode.bench.result_file import write_benchmark
from rtdecode.demo.config import demo_config
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import config_yaml
from rtdecode.runtime.operator_link import OperatorCommand, control_access, send_to_controller
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.control import Action, Outcome
from rtdecode.schema.messages import Event, Received

RESULTS = Path(__file__).parent / "results" / "disarm.json"
CLOCK = HostClock()
SILENCE_S = 2.0
START_S = 180.0
"""Time in s that a run may take to start on a busy machine."""
UNBUFFERED = os.environ | {"PYTHONUNBUFFERED": "1"}
RECORDER = "rtdecode.pipeline.recorder"
POLICY = """
from rtdecode.control.policy import Request
from rtdecode.schema.messages import Reconstruction

class EveryFrame:
    def __init__(self, setting):
        pass

    def decide(self, observation):
        is_frame = isinstance(observation.body, Reconstruction)
        return [Request.trigger("laser")] if is_frame else []
"""


class SilentError(Exception):
    """The controller of a run sent nothing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One signal to the recorder, and what the controller did after it."""

    disarmed_ms: float
    last_action_ms: float
    """Decision of the last action that was sent after the signal; 0 where none was."""
    why: str


def config_of(folder: Path) -> Path:
    """The config of a run of the demo that fires at every frame."""
    config = demo_config(seconds=600, display=Display.VIRTUAL, clips=None)
    content: dict[str, Any] = yaml.safe_load(config_yaml(config))
    content["stimulus"]["presenter"] = "headless"
    content["network"]["controller"] = f"ipc://{folder}/controller"
    (folder / "every_frame.py").write_text(POLICY, encoding="utf-8")
    content["control"] = {
        "policy": {"file": "every_frame.py", "class": "EveryFrame"},
        "max_actions_per_s": 1000,
        "silence_s": SILENCE_S,
        "outputs": [{"kind": "zmq", "name": "laser", "endpoint": f"ipc://{folder}/laser"}],
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@contextmanager
def armed_run(folder: Path) -> Iterator[tuple[psutil.Process, Subscriber]]:
    """The recorder of an armed run, and a subscriber to its controller."""
    session = folder / "session"
    argv = [sys.executable, "-m", "rtdecode", "run", str(config_of(folder)), "--out", str(session)]
    said = folder / "said.txt"
    with (
        Messaging() as messaging,
        said.open("wb") as out,
        subprocess.Popen(argv, stdout=out, stderr=out, env=UNBUFFERED) as run,
    ):
        subscriber = Subscriber(
            messaging,
            clock=CLOCK,
            endpoints=[f"ipc://{folder}/controller"],
            kinds=[Event, Action],
            queue=10_000,
        )
        try:
            received_until(subscriber, is_withheld)
            access = control_access(session / "control.json")
            answer = send_to_controller(access, OperatorCommand.ARM, by="a benchmark", clock=CLOCK)
            if not answer.accepted:
                raise RuntimeError(answer.text)
            received_until(subscriber, is_sent)
            children = psutil.Process(run.pid).children(recursive=True)
            yield next(one for one in children if RECORDER in one.cmdline()), subscriber
        except SilentError:
            print(said.read_text(errors="replace"))
            raise
        finally:
            # the summary and the report of a failed run take longer than the measurement
            children = psutil.Process(run.pid).children(recursive=True)
            run.kill()
            psutil.wait_procs(children)


def is_sent(item: Received) -> bool:
    """Whether it is an action that was carried out."""
    body = item.message.body
    return isinstance(body, Action) and body.outcome == Outcome.SENT


def is_withheld(item: Received) -> bool:
    """Whether it is an action that was not."""
    return isinstance(item.message.body, Action) and not is_sent(item)


def is_disarmed(item: Received) -> bool:
    """Whether it is the event of disarming."""
    body = item.message.body
    return isinstance(body, Event) and body.code == "disarmed"


def received_until(subscriber: Subscriber, wanted: Callable[[Received], bool]) -> list[Received]:
    """Messages up to the first one that is wanted; SilentError after `START_S` without any."""
    taken: list[Received] = []
    while not any(map(wanted, taken)):
        new = subscriber.take(START_S)
        if not new:
            raise SilentError(f"the controller sent nothing for {START_S:g} s")
        taken += new
    return taken


def measured(number: signal.Signals, folder: Path) -> Trial:
    """What the controller of an armed run does after the recorder got the signal `number`."""
    with armed_run(folder) as (recorder, subscriber):
        subscriber.take(0.0)
        sent_ns = CLOCK.now_ns()
        os.kill(recorder.pid, number)
        taken = received_until(subscriber, is_disarmed)
        (disarmed,) = (item.message for item in taken if is_disarmed(item))
        actions = [item.message.body for item in taken if is_sent(item)]
        if number is signal.SIGSTOP:
            recorder.kill()
    decided = [body.t_decided_ns for body in actions if isinstance(body, Action)]
    return Trial(
        (disarmed.t_ns - sent_ns) / 1e6,
        (max(decided) - sent_ns) / 1e6 if decided else 0.0,
        disarmed.body.text if isinstance(disarmed.body, Event) else "",
    )


def summary(trials: list[Trial]) -> dict[str, Any]:
    """Quantiles of the times, and the causes that the controller stated."""
    times_ms = np.array([trial.disarmed_ms for trial in trials])
    return {
        "n": len(trials),
        "disarmed_ms": {
            "median": round(float(np.median(times_ms)), 1),
            "max": round(float(times_ms.max()), 1),
            "all": [round(float(ms), 1) for ms in times_ms],
        },
        "last_action_ms_max": round(max(trial.last_action_ms for trial in trials), 1),
        "why": sorted({trial.why for trial in trials}),
    }


def main() -> int:
    """Measure both, print and write them."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--kills", type=int, default=10, help="runs whose recorder is killed")
    args.add_argument("--stops", type=int, default=3, help="runs whose recorder is stopped")
    args.add_argument("--out", type=Path, default=RESULTS)
    opt = args.parse_args()
    results: dict[str, Any] = {}
    for name, number, n in (
        ("killed", signal.SIGKILL, opt.kills),
        ("silent", signal.SIGSTOP, opt.stops),
    ):
        trials = []
        for _ in range(n):
            with tempfile.TemporaryDirectory(prefix="disarm-") as folder:
                trials.append(measured(number, Path(folder)))
            print(f"{name}: {trials[-1]}", flush=True)
        results[name] = summary(trials)
    config = {"kills": opt.kills, "stops": opt.stops, "silence_s": SILENCE_S}
    write_benchmark(opt.out, name="disarm", config=config, results=results)
    print(results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
