"""How the time of the decoder, of the calcium chain and of the page grows with their sizes.

    python benchmarks/growth.py [--only neurons] [--frames 120]

Processor time of a frame (median) by number of neurons, of estimated frames, of steps, and of
pixels of the twin's screen; of a scan by number of ROIs; and of the page by its viewers. In each
curve everything else is as in a default decoder of 2,000 neurons. All decoders take turns in
blocks of 15 frames, so that other load on the machine meets all of them. Each curve has its
exponent and its straight line (`fit`). Writes `benchmarks/results/growth.json`, of which curves
that are not measured are kept; `growth_figure.py` draws it.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from page_viewers import turn as viewers_turn
from results_as_tables import ROOT, result
from timed_decoder import TWIN, TimedDecoder, settings

from rtdecode.bench.calcium import growth as roi_growth
from rtdecode.bench.decoder import Population, load_population
from rtdecode.bench.result_file import write_benchmark
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.prior import fit_prior
from rtdecode.twins.compact.network import Compact

RESULTS = Path(__file__).parent / "results" / "growth.json"
NEURONS = (500, 1000, 2000, 4000, 8000)
ESTIMATED_FRAMES = (6, 8, 12, 18, 24, 36)
STEPS = (1, 2, 3, 5, 10)
SCALES = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Sides of the screen, relative to 36 × 64 px."""
ROIS = (250, 500, 1000, 2000, 4000, 8000)
SCAN_PX = 512
MIDDLE = 2000
"""Neurons of the decoders whose number of neurons is not varied."""
_HISTORY_FRAMES, _LAG_FRAMES = 24, 4
"""Of the curve of estimated frames: the shortest horizon has two more than its lag."""
_BLOCK_FRAMES = 15

Curve = dict[float, TimedDecoder]


def decoder_curves(population: Population, names: Sequence[str]) -> dict[str, Curve]:
    """A decoder for each point of the curves `names`; the key is the size that varies."""
    middle = population.of(MIDDLE)
    made = {
        "neurons": lambda n: TimedDecoder(population.of(n), settings()),
        "estimated_frames": lambda n: TimedDecoder(
            middle,
            settings(lag_frames=_LAG_FRAMES, estimated_frames=n, window_frames=_HISTORY_FRAMES + n),
        ),
        "steps": lambda n: TimedDecoder(middle, settings(steps=n)),
        "pixels": lambda n: TimedDecoder(on_screen(middle, scale=n), settings()),
    }
    points = {
        "neurons": NEURONS,
        "estimated_frames": ESTIMATED_FRAMES,
        "steps": STEPS,
        "pixels": SCALES,
    }
    return {name: {n: made[name](n) for n in points[name]} for name in points if name in names}


def on_screen(fitted: FittedTwin, *, scale: float) -> FittedTwin:
    """A twin of another screen with random weights and prior, and the same noise model.

    The prior keeps 18 × 32 frequencies, as far as the screen has them.
    """
    spec, generator = fitted.twin.spec, torch.Generator().manual_seed(0)
    rows_px, cols_px = round(scale * spec.rows_px), round(scale * spec.cols_px)
    twin = Compact(replace(spec, rows_px=rows_px, cols_px=cols_px), generator=generator)
    with torch.no_grad():
        twin.position.uniform_(-1, 1, generator=generator)
    video = 255 * torch.rand(40, rows_px, cols_px, generator=generator)
    frozen = twin.requires_grad_(requires_grad=False).eval()
    return FittedTwin(frozen, fit_prior([video.numpy()]), fitted.noise)


def measured(curves: dict[str, Curve], *, frames: int) -> dict[str, dict[str, Any]]:
    """Durations of a frame at each point, all decoders in turns."""
    decoders = [one for curve in curves.values() for one in curve.values()]
    for one in decoders:
        one.warm_up()
    for _ in range(-(-frames // _BLOCK_FRAMES)):
        for one in decoders:
            one.run(_BLOCK_FRAMES)
    return {name: _points(curve, name=name) for name, curve in curves.items()}


def _points(curve: Curve, *, name: str) -> dict[str, Any]:
    sizes = [pixels(scale) for scale in curve] if name == "pixels" else list(curve)
    cpu_ms = [float(np.median(one.cpu_ms)) for one in curve.values()]
    wall_ms = [float(np.median(one.wall_ms)) for one in curve.values()]
    return {"sizes": sizes, "cpu_ms": cpu_ms, "ms": wall_ms, **fit(sizes, cpu_ms)}


def pixels(scale: float) -> int:
    """Number of pixels of a screen whose sides are `scale` times those of the demo's."""
    return round(scale * 36) * round(scale * 64)


def fit(sizes: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """Exponent and straight line of a curve, for sizes and values above 0.

    Returns
    -------
    `exponent` p of c size^p by least squares of logarithms, `last_exponent` of the last two points
    alone; `offset` and `slope` of a line by least squares of relative deviations, and `off_line`,
    the largest of these.
    """
    x, y = np.asarray(sizes, np.float64), np.asarray(values, np.float64)
    slopes = np.diff(np.log(y)) / np.diff(np.log(x))
    slope, offset = np.polyfit(x, y, 1, w=1 / y)
    return {
        "exponent": float(np.polyfit(np.log(x), np.log(y), 1)[0]),
        "last_exponent": float(slopes[-1]),
        "offset": float(offset),
        "slope": float(slope),
        "off_line": float(np.abs((offset + slope * x) / y - 1).max()),
    }


def rois_curve(*, scans: int) -> dict[str, Any]:
    """Processor time of a scan of 512 × 512 px by number of ROIs."""
    rows = roi_growth(SCAN_PX, ROIS, scans)["rows"]
    cpu_ms = [row["cpu_ms"]["p50"] for row in rows]
    wall_ms = [row["ms"]["p50"] for row in rows]
    return {"sizes": list(ROIS), "cpu_ms": cpu_ms, "ms": wall_ms, **fit(ROIS, cpu_ms)}


def viewers_curve(*, seconds: float) -> dict[str, Any]:
    """Processor time of the page in ms for each second, by its viewers, as `page_viewers.py`."""
    rows = [row for row in viewers_turn(ROOT, seconds=seconds) if row["viewers"]]
    sizes, cpu_ms = ([row[name] for row in rows] for name in ("viewers", "core_percent"))
    cpu_ms = [10 * percent for percent in cpu_ms]
    pictures = [row["pictures_a_second"] for row in rows]
    return {"sizes": sizes, "cpu_ms": cpu_ms, "pictures_a_second": pictures, **fit(sizes, cpu_ms)}


DECODER = ("neurons", "estimated_frames", "steps", "pixels")
CURVES = (*DECODER, "rois", "viewers")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=CURVES)
    parser.add_argument(
        "--frames", type=int, default=120, help="of each decoder; half as many scans"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="for each number of viewers")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    names, load = given.only or CURVES, os.getloadavg()[0]
    prepare_process(threads=1)
    found = measured(decoder_curves(load_population(TWIN), names), frames=given.frames)
    if "rois" in names:
        found["rois"] = rois_curve(scans=given.frames)
    if "viewers" in names:
        found["viewers"] = viewers_curve(seconds=given.seconds)
    for curve in found.values():
        curve |= {"load_before": load, "load_after": os.getloadavg()[0]}
    for name, curve in found.items():
        print(name, curve)
    kept = result("growth") if given.json == RESULTS and RESULTS.is_file() else {}
    results = {name: (kept | found)[name] for name in CURVES if name in kept | found}
    config = {"neurons": MIDDLE, "frames": given.frames, "steps": 3, "scan_px": SCAN_PX}
    write_benchmark(given.json, name="growth", config=config, results=results)


if __name__ == "__main__":
    main()
