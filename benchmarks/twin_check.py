"""Twin check of a recorded session as it is, and with faults that it must find.

    .venv/bin/rtdecode demo --headless --seconds 75 --out /tmp/session
    .venv/bin/python benchmarks/twin_check.py /tmp/session

Each row passes the displayed frames, behaviour and responses of the session through the check:
unchanged, with the twin's neurons in another order, with the screen late, and with a constant
screen. Prints the smallest and the largest single-trial r (or, where there is no verdict, that
expected by the noise model), when the alarm came, and processor time for each second of the
session; writes `benchmarks/results/twin_check.json`.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.noise import load_noise
from rtdecode.evaluate.aligned_responses import F32
from rtdecode.evaluate.twin_check import TwinCheck
from rtdecode.offline.twin_check import ResponsePredictor, training_r, twin_check
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.messages import DisplayedFrame, Event, Received
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader
from rtdecode.twins.folder import load_twin

RESULTS = Path(__file__).parent / "results" / "twin_check.json"
LATE_FRAMES = (3, 10)
SEED = 0


class InAnotherOrder(ResponsePredictor):
    """The predictor of a twin whose neurons were permuted."""

    def __call__(self, video: F32, behaviour: F32) -> F32:
        predicted = super().__call__(video, behaviour)
        return predicted[:, np.random.default_rng(SEED).permutation(predicted.shape[1])]


def with_screen(
    items: Sequence[Received], changed: Callable[[DisplayedFrame], DisplayedFrame]
) -> Iterator[Received]:
    """The messages with each displayed frame `changed`."""
    for item in items:
        body = item.message.body
        if isinstance(body, DisplayedFrame):
            item = replace(item, message=replace(item.message, body=changed(body)))
        yield item


def row(check: TwinCheck, items: Iterator[Received], *, seconds: float) -> dict[str, object]:
    """Figures of one pass."""
    begun_s = time.process_time()
    results, alarm_s, given_s = list[ResponsePrediction](), None, 0
    for made in check.step(list(items)):
        if isinstance(made, Event):
            alarm_s = given_s if made.severity == "alarm" else alarm_s
        else:
            results.append(made)
            given_s += 1
    cpu_ms = 1e3 * (time.process_time() - begun_s) / seconds
    judged = [one.r for one in results if Verdict(one.verdict).is_given]
    full = [one.r_expected for one in results if one.verdict != Verdict.TOO_FEW_FRAMES]
    return {
        "r": [round(min(judged), 3), round(max(judged), 3)] if judged else None,
        "r_expected": [round(min(full), 3), round(max(full), 3)],
        "r_training": round(results[-1].r_training, 3),
        "alarm_after_s": alarm_s,
        "cpu_ms_per_s": round(cpu_ms, 1),
    }


def rows(session: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Each row of the table, by name."""
    found = session_at(session)
    config = read_config(found.config)
    folder = config.decode and config.decode.twin
    if not folder:
        raise SystemExit(f"the config of {session} names no twin")
    twin = load_twin(folder)
    neurons = twin.spec.neurons
    parts = twin, load_noise(folder, neurons=neurons), training_r(folder, neurons=neurons)
    predictor, mixed_up = ResponsePredictor(*parts), InAnotherOrder(*parts)
    rate_hz = config.frame_rate_hz
    reader = LogReader(found.log)
    items = list(reader.messages(lambda stream: stream.endswith(TwinCheck.kinds)))
    seconds = (items[-1].t_received_ns - items[0].t_received_ns) / 1e9

    def passed(stream: Iterator[Received], by: ResponsePredictor = predictor) -> dict[str, object]:
        return row(twin_check(by, frame_rate_hz=rate_hz), stream, seconds=seconds)

    yield "as recorded", passed(iter(items))
    for late in LATE_FRAMES:
        late_ns = round(late / rate_hz * 1e9)
        shifted = with_screen(items, lambda f, ns=late_ns: replace(f, t_flip_ns=f.t_flip_ns + ns))
        yield f"screen {late} frames late", passed(shifted)
    grey = with_screen(items, lambda f: replace(f, luminance=np.full_like(f.luminance, 128)))
    yield "constant screen", passed(grey)
    yield "neurons in another order", passed(iter(items), mixed_up)


def main() -> None:
    """Print and write the table of the session that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path, metavar="SESSION", help="session folder")
    parser.add_argument("--json", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    prepare_process(threads=1)
    table = dict(rows(arguments.session))
    for name, figures in table.items():
        print(name, figures)
    config = {"late_frames": LATE_FRAMES, "seed": SEED}
    write_benchmark(arguments.json, name="twin_check", config=config, results=table)


if __name__ == "__main__":
    main()
