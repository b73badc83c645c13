"""A recorded movie at ten times its rate through each file adapter; no scan may be lost.

    .venv/bin/python benchmarks/calcium_stream.py --shared ../shared

For `raw_movie` (TIFF and bare pixels), `tiff_tail` and `raw_tail` a whole run is started, with
recorder, bridge and decoder as processes. Its log must hold every scan bit for bit and the
fluorescence of every scan, which is compared with an offline computation: the same ROIs and
shifts, SciPy's cubic interpolation, dense weights. Writes `benchmarks/results/calcium_stream.json`.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from offline_extraction import correlation, offline_traces

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.rois import Rois
from rtdecode.pipeline.run import run_session
from rtdecode.report.summary import summarise
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Fluorescence, Health, Scan
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.reader import LogReader

RESULTS = Path(__file__).parent / "results"
RECORDED_HZ, SPEED = 30.0, 10.0
IDLE_S = 5.0
Movie = NDArray[np.uint16]


def sources(movie: Movie, tiff: Path, scratch: Path) -> dict[str, dict[str, Any]]:
    """Config of each source; `raw_tail` reads a file that grows while it does."""
    rows, cols = movie.shape[1:]
    movie.astype("<u2").tofile(scratch / "movie.raw")
    tifffile.imwrite(scratch / "scan_00001.tif", movie, photometric="minisblack", metadata=None)
    size = {"rows_px": rows, "cols_px": cols}
    timing = {"scan_rate_hz": RECORDED_HZ, "speed": SPEED}
    tail = {"scan_rate_hz": RECORDED_HZ * SPEED, "idle_s": IDLE_S, **size}
    return {
        "raw_movie, TIFF": {"kind": "raw_movie", "path": tiff, **timing},
        "raw_movie, bare": {"kind": "raw_movie", "path": scratch / "movie.raw", **timing, **size},
        "tiff_tail": {
            "kind": "tiff_tail",
            "path": scratch / "scan_00001.tif",
            "idle_s": IDLE_S,
            **timing,
        },
        "raw_tail": {"kind": "raw_tail", "path": scratch / "grows.raw", **tail},
    }


def grow(path: Path, movie: Movie, begun: Event) -> None:
    """Write scans at ten times their rate, as a rig does, once the bridge is running."""
    begun.wait()
    with path.open("wb", buffering=0) as file:
        first = time.monotonic()
        for number, scan in enumerate(movie, start=1):
            file.write(scan.astype("<u2").tobytes())
            time.sleep(max(0.0, first + number / (RECORDED_HZ * SPEED) - time.monotonic()))


def streamed(source: dict[str, Any], movie: Movie, folder: Path) -> dict[str, Any]:
    """Figures of one run."""
    config = RunConfig.model_validate(
        {
            "processes": ["recorder", "bridge", "decoder"],
            "seconds": 120.0,
            "acquisition": {"source": source},
            "calcium": {
                "detector": "local_correlation",
                "detector_scans": 200,
                "calibration_s": 1.0,
            },
            "decode": None,
        }
    )
    session, begun = named_session(folder), Event()
    if source["kind"] == "raw_tail":
        threading.Thread(target=grow, args=(source["path"], movie, begun), daemon=True).start()

    def hear(name: str, health: Health) -> None:
        if name == "bridge" and health.state == "running":
            begun.set()

    outcome = run_session(config, session, stop=Event(), on_health=hear)
    summary = summarise(session)
    scans = [body for body in bodies(session, Scan) if isinstance(body, Scan)]
    read = [body for body in bodies(session, Fluorescence) if isinstance(body, Fluorescence)]
    same = sum(
        np.array_equal(scan.pixels_counts, pixels)
        for scan, pixels in zip(scans, movie, strict=False)
    )
    span_s = (scans[-1].t_end_ns - scans[0].t_start_ns) / 1e9
    return {
        "ended": outcome.reason,
        "scans": len(scans),
        "scans_bit_for_bit": same,
        "scans_per_s": len(scans) / span_s,
        "fluorescence": len(read),
        "in_order": [one.number for one in read] == list(range(len(movie))),
        "lost_messages": summary.lost_messages,
        **agreement(session, movie, read),
    }


def bodies(session: SessionLayout, kind: type[Scan] | type[Fluorescence]) -> Any:
    """What the log holds of one kind, in order."""
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(f"/{kind.kind}")):
        yield item.message.body


def agreement(session: SessionLayout, movie: Movie, read: list[Fluorescence]) -> dict[str, Any]:
    """Correlation of each neuron's trace with the offline computation on the whole movie."""
    rois = Rois.load(session.folder / "masks.npz")
    shifts = np.array([one.shift_px for one in read])
    offline = offline_traces(movie[[one.number for one in read]], rois, shifts)
    traces = np.array([one.f_raw for one in read])
    return {"cells": rois.count, **correlation(traces, offline)}


def main() -> None:
    """Stream the movie through each source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    shared = parser.parse_args().shared.resolve()
    tiff = shared / "data" / "raw_twophoton" / "sample_mouse2p_first1000.tiff"
    movie, results = tifffile.imread(tiff), {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for number, (name, source) in enumerate(sources(movie, tiff, scratch).items()):
            results[name] = streamed(source, movie, scratch / f"session{number}")
            print(name, results[name], flush=True)
    write_benchmark(
        RESULTS / "calcium_stream.json",
        name="calcium stream",
        config={"recorded_hz": RECORDED_HZ, "speed": SPEED},
        results=results,
    )


if __name__ == "__main__":
    main()
