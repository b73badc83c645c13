"""Solver steps a second with a DwiseNeuro twin of published size, beside the compact twin.

    python benchmarks/dwiseneuro_rate.py [--neurons 2000 --neurons 8000] [--steps 3]
                                         [--device auto|cpu|cuda]

The weights are random, which does not change the cost of a step; the horizon is the default one of
36 frames, of which 12 are estimated. A step is one forward and one backward pass through the twin.
Steps of both twins take turns, after one of each that is not timed. Writes
`benchmarks/results/dwiseneuro_rate.json`.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from roofline import ESTIMATED_FRAMES, WINDOW_FRAMES, activity
from timed_decoder import TWIN

from rtdecode.bench.decoder import Population, load_population
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import device_name, prepare_process, usable_device
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.schema.config.decode import Device
from rtdecode.schema.errors import DeviceUnavailableError
from rtdecode.twins.dwiseneuro.network import DEFAULT_SIZES, DwiseNeuro

RESULTS = Path(__file__).parent / "results" / "dwiseneuro_rate.json"
_NS_PER_S = 1e9
_INTERRUPTED = 130


def dwiseneuro(fitted: FittedTwin, sizes: Mapping[str, int] = DEFAULT_SIZES) -> FittedTwin:
    """A DwiseNeuro of published size with the neurons, screen, prior and noise of `fitted`."""
    spec = fitted.twin.spec
    wanted = replace(spec, architecture="dwiseneuro", sizes=dict(sizes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        twin = DwiseNeuro(wanted)
    frozen = twin.to(fitted.device).requires_grad_(requires_grad=False).eval()
    return replace(fitted, twin=frozen)


class TimedSteps:
    """Steps of one solver on random activity, each timed until the device has finished it."""

    def __init__(self, fitted: FittedTwin) -> None:
        self._device = fitted.device
        self._solver: Solver = fitted.solver(
            window_frames=WINDOW_FRAMES, estimated_frames=ESTIMATED_FRAMES
        )
        given = [one.to(self._device) for one in activity(fitted)]
        self._observed: ObservedFrames = self._solver.observed(*given)
        self.seconds: list[float] = []

    def step(self) -> None:
        """Make one step, and keep its duration."""
        begun_ns = time.perf_counter_ns()
        self._solver.improve(self._observed)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.seconds.append((time.perf_counter_ns() - begun_ns) / _NS_PER_S)

    def video(self) -> NDArray[np.float32]:
        """(row, col) grey levels of the newest frame as it is estimated now."""
        newest: NDArray[np.float32] = self._solver.result(back=0)[0][0]
        return newest


def rates(
    population: Population,
    neurons: int,
    *,
    steps: int,
    sizes: Mapping[str, int] = DEFAULT_SIZES,
) -> list[dict[str, Any]]:
    """A row for each architecture with `neurons` neurons: median, least and largest time."""
    compact = population.of(neurons)
    timed = {"dwiseneuro": TimedSteps(dwiseneuro(compact, sizes)), "compact": TimedSteps(compact)}
    for _ in range(1 + steps):
        for one in timed.values():
            one.step()
    rows = []
    for name, one in timed.items():
        seconds = one.seconds[1:]
        row = {"architecture": name, "neurons": neurons, "step_s": float(np.median(seconds))}
        rows.append(row | {"least_s": min(seconds), "largest_s": max(seconds)})
    return rows


def asked() -> argparse.Namespace:
    """The options, with the device that is used in `found`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, action="append")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=Device, choices=Device, default=Device.AUTO)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.neurons = given.neurons or [2000, 8000]
    if min(given.steps, given.threads, *given.neurons) < 1:
        parser.error("--neurons, --steps and --threads must be at least 1")
    try:
        given.found = usable_device(given.device)
    except DeviceUnavailableError as error:
        parser.error(str(error))
    return given


def main() -> int:
    """Measure, print and write; the exit code."""
    given = asked()
    prepare_process(threads=given.threads)
    population = load_population(TWIN, device=given.found)
    rows = []
    try:
        for neurons in given.neurons:
            print(f"{neurons} neurons: each step of DwiseNeuro takes up to half a minute on a CPU")
            for row in rates(population, neurons, steps=given.steps):
                rows.append(row)
                print(row, flush=True)
    except KeyboardInterrupt:
        print("interrupted: nothing is written", file=sys.stderr)
        return _INTERRUPTED
    settings = {"steps": given.steps, "threads": given.threads}
    settings |= {"device": device_name(given.found)}
    write_benchmark(given.json, name="dwiseneuro_rate", config=settings, results=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
