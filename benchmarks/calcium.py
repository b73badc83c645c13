"""Accuracy of the calcium chain against electrophysiology and against offline computations.

    .venv/bin/python benchmarks/calcium.py spikes --shared ../shared
    .venv/bin/python benchmarks/calcium.py movie --shared ../shared

`spikes`: recordings with simultaneous electrophysiology, averaged to 30 and 8 Hz, pass through
dF/F, deconvolution and calibration of the chain (first 10 s, default config) at each lag, and
through thresholded events and plain dF/F; the table holds the highest correlation with spike counts
over shifts of 0 to 3 scans, and that of offline OASIS.
`movie`: shifts against scikit-image, traces against an offline computation with SciPy.
Both write `benchmarks/results/calcium_*.json`. Needs the `dev` extra (oasis-deconv, scikit-image).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from oasis.functions import deconvolve
from offline_extraction import correlation, offline_traces
from scipy import io, ndimage
from scipy.signal.windows import tukey
from skimage.registration import phase_cross_correlation

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.detect import detected_rois
from rtdecode.calcium.extract import Extractor, Mover
from rtdecode.calcium.register import Registrar, Shift, mean_of_aligned
from rtdecode.calcium.rois import Rois
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import Activity, CalciumConfig

RESULTS = Path(__file__).parent / "results"
RATES_HZ = (30.0, 8.0)
METHODS = {
    **{f"online_lag_{lag}": CalciumConfig(deconvolution_lag_scans=lag) for lag in range(4)},
    "online_events": CalciumConfig(activity=Activity.EVENTS),
    "online_dff": CalciumConfig(activity=Activity.DFF),
}
SHIFTS = range(4)
RESTING_COUNTS = 1000.0
Floats = NDArray[np.float64]


def recordings(shared: Path) -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """Name, times in s, dF/F and spike times in s of each uninterrupted recording."""
    for path in sorted((shared / "data" / "calcium_ground_truth").glob("*/*.mat")):
        for number, cell in enumerate(io.loadmat(path)["CAttached"][0]):
            fields = cell[0, 0]
            times, dff = (np.ravel(fields[name]) for name in ("fluo_time", "fluo_mean"))
            known = np.isfinite(times) & np.isfinite(dff)
            name = f"{path.parent.name[:4]} {path.stem.removeprefix('CAttached_')[:28]} {number}"
            yield name, times[known], dff[known], np.ravel(fields["events_AP"]) / 1e4


def at_rate(times: Floats, dff: Floats, spikes: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Mean dF/F and number of spikes in each scan period."""
    edges = np.arange(times[0], times[-1], 1 / rate_hz)
    samples, _ = np.histogram(times, edges)
    summed, _ = np.histogram(times, edges, weights=dff)
    return summed / np.maximum(samples, 1), np.histogram(spikes, edges)[0].astype(float)


def online(dff: Floats, rate_hz: float, config: CalciumConfig) -> Floats:
    """Activity of each scan as the chain computes it, `deconvolution_lag_scans` later."""
    nothing, seen = np.zeros(1, np.float32), np.ones(1, bool)
    f_raw = (RESTING_COUNTS * (1 + dff)).astype(np.float32)[:, None]
    still = Shift(0.0, 0.0, 0.0, at_edge=False)
    counts = [RoiSignals(row, nothing, row, seen, still) for row in f_raw]
    calibration = calibrated(
        config,
        counts[: int(config.calibration_s * rate_hz)],
        reference=np.zeros((1, 1), np.float32),
        scan_rate_hz=rate_hz,
    )
    estimator, activity = ActivityEstimator(config, calibration=calibration), np.zeros(len(dff))
    for scan, row in enumerate(f_raw):
        now = estimator.dff(row, nothing, seen)
        for done in estimator.activities(now, seen, scan=scan, t_start_ns=0, t_end_ns=0):
            activity[done.scan] = done.activity[0]
    return activity


def agreement(activity: Floats, spikes: Floats) -> float:
    """Highest correlation with spike counts over delays of activity of 0 to 3 scans."""
    last = len(spikes)
    return max(float(np.corrcoef(activity[k:], spikes[: last - k])[0, 1]) for k in SHIFTS)


def spikes_table(shared: Path) -> dict[str, Any]:
    """Correlation with true spikes for each recording and rate, online and offline."""
    found: dict[str, Any] = {}
    for rate_hz in RATES_HZ:
        rows = []
        for cell, times, dff, spikes in recordings(shared):
            trace, counts = at_rate(times, dff, spikes, rate_hz)
            _, offline, *_ = deconvolve(trace, penalty=1)
            row: dict[str, Any] = {"cell": cell, "spikes": int(counts.sum())}
            row["offline_oasis"] = agreement(offline, counts)
            for name, config in METHODS.items():
                row[name] = agreement(online(trace, rate_hz, config), counts)
            rows.append(row)
            print(f"{rate_hz:4g} Hz", *(_short(value) for value in row.values()))
        found[f"{rate_hz:g}_hz"] = {"cells": rows, **_summary(rows)}
        print(f"{rate_hz:4g} Hz", _summary(rows))
    return found


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value!s:>6}"


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ["offline_oasis", *METHODS]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in names}
    ratio = {name: mean[name] / mean["offline_oasis"] for name in names[1:]}
    return {"mean": mean, "ratio_of_means": ratio}


def movie_table(shared: Path) -> dict[str, Any]:
    """Registration and extraction of a recorded movie against offline computations."""
    path = shared / "data" / "raw_twophoton" / "sample_mouse2p_first1000.tiff"
    movie = tifffile.imread(path)
    config = CalciumConfig()
    reference = mean_of_aligned(movie[: config.reference_scans], max_shift_px=config.max_shift_px)
    rois = detected_rois(
        movie[: config.detector_scans], reference=reference, max_shift_px=config.max_shift_px
    )
    registrar = Registrar(reference, max_shift_px=config.max_shift_px)
    shifts = np.array([(s.row_px, s.col_px) for s in map(registrar.shift, movie)])
    result = {
        "scans": len(movie),
        "cells": rois.count,
        "extraction": _extraction(movie, rois, shifts),
        "known_shifts": _known_shifts(reference),
        "scikit_image_px": _beside_scikit_image(movie[::10], reference, shifts[::10]),
    }
    print(result)
    return result


def _extraction(movie: NDArray[Any], rois: Rois, shifts: Floats) -> dict[str, float]:
    """Correlation of traces with those of scipy's cubic interpolation and dense rois."""
    mover, extractor = Mover(rois.shape), Extractor(rois)
    chain = []
    for scan, (row, col) in zip(movie, shifts, strict=True):
        moved, inside = mover.move(scan, row_px=row, col_px=col)
        chain.append(extractor.means(moved, inside)[0])
    return correlation(np.array(chain), offline_traces(movie, rois, shifts))


def _known_shifts(reference: NDArray[np.float32]) -> dict[str, float]:
    """Error on the reference image, shifted by known amounts."""
    rng, edge = np.random.default_rng(0), 12
    inner = np.s_[edge:-edge, edge:-edge]
    registrar = Registrar(reference[inner], max_shift_px=8)
    ours, theirs = [], []
    for shift in rng.uniform(-5, 5, (100, 2)):
        seen = ndimage.shift(reference, shift, order=3)[inner]
        found = registrar.shift(seen)
        ours.append(np.abs(shift + np.array([found.row_px, found.col_px])).max())
        skimage = _scikit_image(reference[inner], seen)
        theirs.append(np.abs(shift + skimage).max())
    return {
        "chain_median_px": float(np.median(ours)),
        "chain_largest_px": float(np.max(ours)),
        "scikit_image_median_px": float(np.median(theirs)),
        "scikit_image_largest_px": float(np.max(theirs)),
    }


def _scikit_image(reference: NDArray[Any], scan: NDArray[Any]) -> Floats:
    """Shift by scikit-image between images with the window of the chain."""
    window = np.outer(*(tukey(side, 0.5) for side in reference.shape))
    images = [(image - image.mean()) * window for image in (reference, scan)]
    found, *_ = phase_cross_correlation(*images, upsample_factor=50, normalization=None)
    return np.asarray(found)


def _beside_scikit_image(
    movie: NDArray[Any], reference: NDArray[Any], shifts: Floats
) -> dict[str, float]:
    """Differences on single recorded scans, whose true shift is unknown."""
    same = np.array([_scikit_image(reference, scan) for scan in movie])
    plain, phase = (
        np.array(
            [
                phase_cross_correlation(reference, s, upsample_factor=50, normalization=norm)[0]
                for s in movie
            ]
        )
        for norm in (None, "phase")
    )
    return {
        "same_window_median": float(np.median(np.abs(shifts - same))),
        "no_window_median": float(np.median(np.abs(shifts - plain))),
        "no_window_whitened_median": float(np.median(np.abs(shifts - phase))),
        "scikit_image_plain_to_whitened_median": float(np.median(np.abs(plain - phase))),
    }


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["spikes", "movie"])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    asked = parser.parse_args()
    measure = {"spikes": spikes_table, "movie": movie_table}[asked.what]
    write_benchmark(
        RESULTS / f"calcium_{asked.what}.json",
        name=f"calcium {asked.what}",
        config=CalciumConfig().model_dump(mode="json"),
        results=measure(asked.shared),
    )


if __name__ == "__main__":
    main()
