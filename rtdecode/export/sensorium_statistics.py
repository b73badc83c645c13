"""Statistics of the training trials of a Sensorium folder, by which encoders scale their inputs.

`meta/statistics/KIND/all/{mean,std,median,min,max}.npy`: over all frames, for each row of a file;
of the video over all pixels too.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.video_session import TRAIN

_ROWS_AT_ONCE = 256
"""Rows of all trials that are in memory at a time: the median needs all their frames."""
_GREYS = 256
Measure = Callable[[NDArray[Any]], NDArray[Any]]
_MEASURES: Mapping[str, Measure] = {
    "mean": lambda values: values.mean(-1, dtype=np.float64),
    "std": lambda values: values.std(-1, dtype=np.float64),
    "median": lambda values: np.median(values, axis=-1),
    "min": lambda values: values.min(-1),
    "max": lambda values: values.max(-1),
}


def write_statistics(folder: Path) -> None:
    """Write the statistics of the session in `folder`, from its files."""
    tiers = np.load(folder / "meta" / "trials" / "tiers.npy")
    trials = np.flatnonzero(tiers == TRAIN)
    for kind in ("responses", "behavior", "pupil_center"):
        _save(folder, kind, _of_rows(_files(folder, kind, trials)))
    _save(folder, "videos", _of_video(_files(folder, "videos", trials)))


def _files(folder: Path, kind: str, trials: NDArray[np.int64]) -> list[NDArray[Any]]:
    return [np.load(folder / "data" / kind / f"{k}.npy", mmap_mode="r") for k in trials]


def _of_rows(files: Sequence[NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Statistics over the frames of (row, frame) files, for each row."""
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in _MEASURES}
    for first in range(0, len(files[0]), _ROWS_AT_ONCE):
        values = np.concatenate([one[first : first + _ROWS_AT_ONCE] for one in files], axis=-1)
        for name, measure in _MEASURES.items():
            found[name].append(measure(values))
    return {name: np.concatenate(parts).astype(np.float32) for name, parts in found.items()}


def _of_video(files: Sequence[NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Statistics over all pixels and frames, from how often each grey level occurs."""
    counts = sum(np.bincount(np.asarray(one).ravel(), minlength=_GREYS) for one in files)
    greys, total = np.arange(_GREYS), int(np.sum(counts))
    mean = float(greys @ counts) / total
    below = np.cumsum(counts)
    # the two middle values of the sorted pixels
    middle = [int(np.searchsorted(below, k, side="right")) for k in ((total - 1) // 2, total // 2)]
    present = np.flatnonzero(counts)
    values = {
        "mean": mean,
        "std": float(np.sqrt((greys - mean) ** 2 @ counts / total)),
        "median": float(np.mean(middle)),
        "min": float(present[0]),
        "max": float(present[-1]),
    }
    return {name: np.array(value, np.float32) for name, value in values.items()}


def _save(folder: Path, kind: str, statistics: Mapping[str, NDArray[np.float32]]) -> None:
    into = folder / "meta" / "statistics" / kind / "all"
    into.mkdir(parents=True)
    for name, value in statistics.items():
        np.save(into / f"{name}.npy", value)
