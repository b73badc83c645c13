"""Where the time of a solver step goes, and how far from the peak of one core it is.

    python benchmarks/roofline.py [--neurons 2000] [--steps 300]

For each part of a step: operations and bytes by the shapes of its arrays, its time within whole
steps (`step_parts.py`), and its share of the peak. The peak is the largest rate of a product of
single-precision matrices that this script measures on one thread, of the shapes of the step and of
square ones. Beside it are the whole step without the recorder, and the same step by automatic
differentiation of the twin's plain module over the whole window, in turns with it, both in
processor time. Writes `benchmarks/results/roofline.json`.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interleaved import median_interval
from step_parts import Call, Part, parts, recording
from timed_decoder import TWIN

from rtdecode.bench.decoder import load_population
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.likelihood import observation_weights, quasi_score
from rtdecode.decode.predictor import HorizonPredictor
from rtdecode.decode.solver import ObservedFrames, Solver

RESULTS = Path(__file__).parent / "results" / "roofline.json"
WINDOW_FRAMES, ESTIMATED_FRAMES = 36, 12
"""The default horizon, of lag 8."""
STEPS_A_FRAME = 3
SQUARES = (128, 256, 512, 1024)
"""Sides of square products, in which the core may reach more than in those of a step."""
COPIED_BYTES = {"in_cache": 1 << 18, "in_memory": 1 << 28}
_NS_PER_MS, _NS_PER_S = 1e6, 1e9

Step = Callable[[], object]


def activity(fitted: FittedTwin) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random activity of the estimated frames, all measured, and mean behaviour of the window."""
    generator = torch.Generator().manual_seed(0)
    shape, spec = (ESTIMATED_FRAMES, fitted.twin.spec.neurons), fitted.twin.spec
    recorded = torch.empty(shape).exponential_(generator=generator)
    behaviour = torch.tensor(spec.behaviour_mean).expand(WINDOW_FRAMES, -1)
    return recorded, torch.ones(shape), behaviour


class LiveStep:
    """Steps of the live decoder's solver; after every third one a frame arrives."""

    def __init__(self, fitted: FittedTwin) -> None:
        self.solver: Solver = fitted.solver(
            window_frames=WINDOW_FRAMES, estimated_frames=ESTIMATED_FRAMES
        )
        self._activity, self._made = activity(fitted), 0
        self._observed: ObservedFrames = self.solver.observed(*self._activity)

    def arrive(self) -> None:
        """Move the horizon, which is not part of a step."""
        if self._made % STEPS_A_FRAME == 0:
            self.solver.advance(1)
            self._observed = self.solver.observed(*self._activity)
        self._made += 1

    def __call__(self) -> None:
        self.solver.improve(self._observed)


def plain_step(fitted: FittedTwin) -> Step:
    """One step by automatic differentiation of the plain module over the whole window."""
    block = EstimatedFrames(fitted.prior, frames=ESTIMATED_FRAMES)
    predictor = HorizonPredictor(fitted.twin, fitted.prior.basis, estimated=ESTIMATED_FRAMES)
    history = torch.zeros(WINDOW_FRAMES - ESTIMATED_FRAMES, *fitted.prior.power.shape)
    recorded, measured, behaviour = activity(fitted)
    predict, compared = predictor.given(history, behaviour), slice(1, None, predictor.stride)
    noise = fitted.noise
    weights = observation_weights(
        noise,
        measured[compared],
        likelihood_weight=noise.likelihood_weight,
        stride=predictor.stride,
    )
    u = torch.zeros_like(block.u_sd)

    def step() -> None:
        nonlocal u
        ahead = u.clone().requires_grad_()
        predicted = predict(block.coefficients(ahead, history))
        score = quasi_score(
            predicted.detach(), recorded[compared], weights, floor=noise.floor
        ).score
        (back,) = torch.autograd.grad(predicted, ahead, score)
        u = u - 1e-3 * (u / block.u_sd.square() - back)

    return step


def duration_ms(step: Step) -> float:
    """Processor time of one call in ms, which other programs affect less than its duration."""
    begun_ns = time.thread_time_ns()
    step()
    return (time.thread_time_ns() - begun_ns) / _NS_PER_MS


def product_gflops(sizes: Sequence[int], *, seconds: float = 0.1) -> float:
    """Largest rate in 10⁹ operations a second of one product of matrices of these sizes.

    `sizes` are batches, rows, columns and inner dimension. The product is repeated for `seconds`
    on the same arrays, so that they are in cache where they fit.
    """
    batches, rows, columns, inner = sizes
    first, second = torch.randn(batches, rows, inner), torch.randn(batches, inner, columns)
    out = torch.empty(batches, rows, columns)
    if batches == 1:
        first, second, out = first[0], second[0], out[0]
    product = torch.mm if batches == 1 else torch.bmm
    until_ns, least_ns = time.perf_counter_ns() + seconds * _NS_PER_S, float("inf")
    while time.perf_counter_ns() < until_ns:
        begun_ns = time.perf_counter_ns()
        product(first, second, out=out)
        least_ns = min(least_ns, time.perf_counter_ns() - begun_ns)
    return 2 * batches * rows * columns * inner / least_ns


def copy_gb_per_s(size: int, *, seconds: float = 0.5) -> float:
    """Largest rate in 10⁹ bytes a second, read and written, of a copy of `size` bytes."""
    # both are written once before, as the system gives pages at the first access
    source, target = np.ones(size // 4, np.float32), np.ones(size // 4, np.float32)
    np.copyto(target, source)
    until_ns, least_ns = time.perf_counter_ns() + seconds * _NS_PER_S, float("inf")
    while time.perf_counter_ns() < until_ns:
        begun_ns = time.perf_counter_ns()
        np.copyto(target, source)
        least_ns = min(least_ns, time.perf_counter_ns() - begun_ns)
    return 2 * size / least_ns


def measured_steps(fitted: FittedTwin, steps: int) -> tuple[list[list[Call]], dict[str, Any]]:
    """Recorded calls of `steps` steps, and durations of whole steps in turns with plain ones."""
    live, plain = LiveStep(fitted), plain_step(fitted)
    for warm_up in range(2 * WINDOW_FRAMES):
        live.arrive()
        live()
        if warm_up < STEPS_A_FRAME:
            plain()
    recorded: list[list[Call]] = []
    durations: dict[str, list[float]] = {"live": [], "plain": []}
    for number in range(steps):
        live.arrive()
        with recording() as recorder:
            live()
        recorded.append(recorder.calls)
        live.arrive()
        durations["live"].append(duration_ms(live))
        if number % 5 == 0:
            # in the same turn, so that both meet the same load
            durations["plain"].append(duration_ms(plain))
    ratios = [
        plain_ms / live_ms
        for plain_ms, live_ms in zip(durations["plain"], durations["live"][::5], strict=True)
    ]
    return recorded, {
        "step_ms": median_interval(durations["live"]),
        "autograd_ms": median_interval(durations["plain"]),
        "autograd_ratio": median_interval(ratios),
    }


def row_of(part: Part, *, peak_gflops: float, step_us: float) -> dict[str, Any]:
    """Figures of one part, with its rates; the peak is that of products of matrices."""
    gflops = part.operations / part.us / 1e3
    return {
        **asdict(part),
        "share_of_step": part.us / step_us,
        "gflops": gflops,
        "share_of_peak": gflops / peak_gflops,
        "operations_per_byte": part.operations / part.bytes if part.bytes else None,
    }


def roofline(fitted: FittedTwin, *, steps: int) -> dict[str, Any]:
    """Parts of a step, the peak, and the whole step beside automatic differentiation."""
    recorded, durations = measured_steps(fitted, steps)
    shapes = sorted({call.sizes for call in recorded[0] if call.sizes}, key=np.prod)
    squares = [(1, side, side, side) for side in SQUARES]
    products = {sizes: product_gflops(sizes) for sizes in [*shapes, *squares]}
    peak_gflops = max(products.values())
    found, step_us = parts(recorded), 1e3 * durations["step_ms"]["median"]
    rows = [row_of(part, peak_gflops=peak_gflops, step_us=step_us) for part in found]
    operations = sum(part.operations for part in found)
    in_parts_us = sum(part.us for part in found)
    return {
        **durations,
        "parts": rows,
        "operations": operations,
        "in_products": sum(part.in_products for part in found),
        "bytes": sum(part.bytes for part in found),
        "in_parts_us": in_parts_us,
        "between_us": step_us - in_parts_us,
        "calls": len(recorded[0]),
        "peak_gflops": peak_gflops,
        "gflops": operations / step_us / 1e3,
        "share_of_peak": operations / step_us / 1e3 / peak_gflops,
        "products": [{"sizes": list(sizes), "gflops": rate} for sizes, rate in products.items()],
        "copy_gb_per_s": {name: copy_gb_per_s(size) for name, size in COPIED_BYTES.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    prepare_process(threads=1)
    load = os.getloadavg()[0]
    results = roofline(load_population(TWIN).of(given.neurons), steps=given.steps)
    results |= {"load_before": load, "load_after": os.getloadavg()[0]}
    for row in results["parts"]:
        print(
            f"{row['place']:28} {row['equations']:14} {row['operations'] / 1e6:7.2f} Mflop "
            f"{row['bytes'] / 1e6:6.2f} MB {row['us']:7.1f} us {row['gflops']:6.1f} Gflop/s"
        )
    shown = ("step_ms", "autograd_ms", "autograd_ratio", "peak_gflops", "share_of_peak")
    print({name: results[name] for name in shown})
    config = {
        "neurons": given.neurons,
        "window_frames": WINDOW_FRAMES,
        "estimated_frames": ESTIMATED_FRAMES,
        "steps": given.steps,
        "threads": 1,
    }
    write_benchmark(given.json, name="roofline", config=config, results=results)


if __name__ == "__main__":
    main()
