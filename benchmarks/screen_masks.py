"""Screen masks from the posterior and as published, on the same mouse.

    python benchmarks/screen_masks.py --mouse NAME=DATA:TWIN [--mouse ...] [--clips N]

DATA is a mouse in the Sensorium 2023 layout; TWIN is the folder of its twin, which may have the
mask of `rtdecode fit mask --method published`. For all neurons, for those in the left half of the
screen and for 100 of these: the reduction of a pixel's variance close to receptive fields and far
from them. For all neurons: the pixels of both masks, their overlap, and video_r of the live decoder
inside each. Receptive fields are those of the simulation (`truth.npz`), else those of the twin.
Writes `benchmarks/results/screen_masks.json`; the results of mice that are not named are kept.
"""

import argparse
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.result_file import write_benchmark
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Segment
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.metrics import clip_scores
from rtdecode.offline.methods import Online
from rtdecode.offline.reconstruct import online_config
from rtdecode.offline.screen_masks import MASK_FILE, posterior_transparency
from rtdecode.offline.trial import Input, first_frames, trials_of
from rtdecode.schema.config.training import MASK_FRACTION

RESULTS = Path(__file__).parent / "results" / "screen_masks.json"
NEAR_PX, FAR_PX = 4.0, 8.0
LAG_FRAMES, STEPS, FRAMES, FEW = 8, 3, 300, 100
F32 = NDArray[np.float32]


class PartlyMeasured(SensoriumFolder):
    """A session of which only some neurons were measured."""

    kept: NDArray[np.bool_]

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        cut = super().segment(number, first=first, frames=frames)
        return replace(cut, responses=np.where(self.kept, cut.responses, np.float32(np.nan)))


def centres_px(data: Path, fitted: FittedTwin) -> F32:
    """(neuron, 2) columns and rows of receptive fields."""
    truth = data / "truth.npz"
    if truth.is_file():
        return np.asarray(np.load(truth)["rf_xy"], np.float32)
    spec, position = fitted.twin.spec, fitted.twin.position.detach().numpy()
    return np.asarray((position + 1) / 2 * [spec.cols_px - 1, spec.rows_px - 1], np.float32)


def subsets(centres: F32, cols_px: int) -> dict[str, NDArray[np.bool_]]:
    """All neurons, those of the left half of the screen, and the first hundred of these."""
    left = centres[:, 0] < 0.45 * cols_px
    few = left & (np.cumsum(left) <= FEW)
    return {"all": np.ones(len(centres), np.bool_), "left half": left, "100 of these": few}


def pixel_distance(centres: F32, shape: tuple[int, int]) -> F32:
    """(row, col) distance in px of each pixel from the next receptive field."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    apart = np.hypot(cols[..., None] - centres[:, 0], rows[..., None] - centres[:, 1])
    return np.asarray(apart.min(-1), np.float32)


def reduction_of(data: Path, fitted: FittedTwin, kept: NDArray[np.bool_]) -> F32:
    """(row, col) reduction of the variance by the neurons in `kept`."""
    session = PartlyMeasured(data)
    session.kept = kept
    return posterior_transparency(fitted, session, fraction=1.0)


def measured(data: Path, twin: Path, *, clips: int) -> dict[str, Any]:
    """All figures of one mouse."""
    fitted, session = load_fitted_twin(twin), SensoriumFolder(data)
    centres, shape = centres_px(data, fitted), (session.rows_px, session.cols_px)
    rows: dict[str, Any] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    for name, kept in subsets(centres, session.cols_px).items():
        reduction = reduction_of(data, fitted, kept)
        apart = pixel_distance(centres[kept], shape)
        near, far = apart <= NEAR_PX, apart > FAR_PX
        inside = reduction >= MASK_FRACTION
        masks.setdefault("posterior", inside)
        rows[name] = {
            "neurons": int(kept.sum()),
            "reduction_near": float(reduction[near].mean()),
            "reduction_far": float(reduction[far].mean()) if far.any() else None,
            "pixels": int(inside.sum()),
            "near_pixels_inside": float(inside[near].mean()),
            "far_pixels_inside": float(inside[far].mean()) if far.any() else None,
            "fields_inside": float(_at(inside, centres[kept]).mean()),
        }
        print(data.name, name, rows[name], flush=True)
    if (twin / MASK_FILE).is_file():
        masks["published"] = np.load(twin / MASK_FILE)
    both = np.stack(list(masks.values()))
    return {
        "subsets": rows,
        "pixels": {name: int(mask.sum()) for name, mask in masks.items()},
        "overlap": float(both.all(0).sum() / max(both.any(0).sum(), 1)),
        "clips": clips,
        "video_r": video_r(fitted, session, masks, clips=clips),
    }


def video_r(
    fitted: FittedTwin,
    session: SensoriumFolder,
    masks: dict[str, NDArray[np.bool_]],
    *,
    clips: int,
) -> dict[str, float]:
    """Mean video_r of the live decoder over the first `clips` test clips, inside each mask."""
    online = Online([fitted], online_config(lag_frames=LAG_FRAMES, steps=STEPS))
    found: dict[str, list[float]] = {name: [] for name in masks}
    for whole in islice(trials_of(session, "test", Input.RESPONSES), clips):
        trial = first_frames(whole, FRAMES)
        video = online.video(trial)
        for name, mask in masks.items():
            if mask.any():
                rate = trial.frame_rate_hz
                found[name].append(
                    clip_scores(trial.truth, video, mask, frame_rate_hz=rate).video_r
                )
    return {name: float(np.mean(r)) for name, r in found.items() if r}


def _at(mask: NDArray[np.bool_], centres: F32) -> NDArray[np.bool_]:
    cols, rows = np.rint(centres).astype(int).T
    return mask[rows.clip(0, mask.shape[0] - 1), cols.clip(0, mask.shape[1] - 1)]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mouse", action="append", required=True, metavar="NAME=DATA:TWIN")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(threads=asked.threads)
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else {}
    settings = {"fraction": MASK_FRACTION, "near_px": NEAR_PX, "far_px": FAR_PX,
                "lag_frames": LAG_FRAMES, "steps": STEPS, "frames": FRAMES}  # fmt: skip
    for mouse in asked.mouse:
        name, _, paths = mouse.partition("=")
        data, _, twin = paths.partition(":")
        kept[name] = measured(Path(data), Path(twin), clips=asked.clips)
        write_benchmark(RESULTS, name="screen_masks", config=settings, results=kept)


if __name__ == "__main__":
    main()
