"""Twins of a mouse with few trials: alone, on the filters of another mouse, and in a population.

    python benchmarks/population_twin.py [--trials N ...] [--steps S] [--seeds K]

Two small simulated mice (`simulated_blobs.py`): neurons see rectified light at places of their own,
two frames late, with gamma noise. Mouse A has sixteen trials of 3 s, mouse B has N. The figure is
the single-trial r of B on eight trials that no training uses. Writes
`benchmarks/results/population_twin.json`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from simulated_blobs import write_mouse

from rtdecode.bench.result_file import write_benchmark
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.compute import prepare_process
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.train.distributed import Machines
from rtdecode.train.starting_point import share_core, with_core
from rtdecode.train.training import Training
from rtdecode.train.twin_fit import untrained_compact
from rtdecode.train.validation import single_trial_correlation
from rtdecode.twins.compact.network import Compact

RESULTS = Path(__file__).parent / "results" / "population_twin.json"
RICH, NEURONS = 16, 16


def trained(
    twins: Sequence[Compact], sessions: Sequence[VideoSession], config: TrainingConfig
) -> None:
    """Train `twins` together, `config.steps` steps each."""
    with tempfile.TemporaryDirectory() as scratch:
        Training(
            twins[0],
            sessions[0],
            config.model_copy(update={"steps": config.steps * len(twins)}),
            checkpoint=Path(scratch) / "training",
            clock=HostClock(),
            machines=Machines(),
            others=list(zip(twins[1:], sessions[1:], strict=True)),
        ).run(lambda _: None)


def test_r(twin: Compact, data: VideoSession) -> float:
    """Mean single-trial r on the test trials."""
    r = single_trial_correlation(twin, data, tier="test", device=torch.device("cpu"))
    return float(np.nanmean(r))


def compared(
    folder: Path, *, trials: int, seed: int, steps: int, rich: int = RICH
) -> dict[str, float]:
    """Single-trial r of mouse B by each way of training."""
    sizes = {"validation": 2, "neurons": NEURONS}
    rich = SensoriumFolder(write_mouse(folder / "a", train=rich, test=0, seed=2 * seed, **sizes))
    poor = SensoriumFolder(
        write_mouse(folder / "b", train=trials, test=8, seed=2 * seed + 1, **sizes)
    )
    config = TrainingConfig(
        seed=seed, steps=steps, batch=2, frames=24, learning_rate=0.01, warm_up_steps=5,
        validate_every=30,
    )  # fmt: skip
    alone = untrained_compact(poor, config)
    trained([alone], [poor], config)
    first, second = untrained_compact(rich, config), untrained_compact(poor, config)
    share_core([first, second])
    trained([first, second], [rich, poor], config)
    of_a = untrained_compact(rich, config)
    trained([of_a], [rich], config)
    on_core = with_core(of_a, untrained_compact(poor, config))
    trained([on_core], [poor], config)
    found = {"alone": alone, "on the filters of A": on_core, "population": second}
    return {name: test_r(twin, poor) for name, twin in found.items()}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[2, 6])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(threads=asked.threads)
    rows: list[dict[str, float]] = []
    for seed in range(asked.seeds):
        for trials in asked.trials:
            with tempfile.TemporaryDirectory() as scratch:
                r = compared(Path(scratch), trials=trials, seed=seed, steps=asked.steps)
            rows.append({"seed": seed, "trials": trials, **r})
            print(rows[-1], flush=True)
            settings = {"steps": asked.steps, "rich_trials": RICH, "neurons": NEURONS}
            write_benchmark(RESULTS, name="population_twin", config=settings, results=rows)


if __name__ == "__main__":
    main()
