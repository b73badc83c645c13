"""Decoding of still images from single trials of a recorded mouse.

    python benchmarks/stills.py --shared SHARED [--mask MASK]

Lurz et al. 2020 (recording 20457-5-9, 5,335 neurons), the authors' own encoder as the twin, all
trials of the tier validation, which take no part in any fit. The mask is that of
`rtdecode fit mask` (some minutes), or that of `--mask`. Writes `benchmarks/results/stills.json`.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from rtdecode.bench.result_file import write_benchmark
from rtdecode.datasets.stills import StillClips, StillSession
from rtdecode.decode.compute import prepare_process
from rtdecode.offline.job import Request
from rtdecode.offline.published_mask import fit_transparency
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.offline.screen_masks import save_mask
from rtdecode.offline.stills.run import image_scores
from rtdecode.runtime.clock import HostClock
from rtdecode.twins.folder import load_twin
from rtdecode.twins.import_twin import Format, import_twin

RESULTS = Path(__file__).parent / "results" / "stills.json"
_MASK_STEPS = 1000
METHODS: dict[str, tuple[str, int | None]] = {
    "mean image": ("mean", None),
    "ridge": ("ridge", None),
    "ridge on logarithmic activity": ("offline", 0),
    "offline": ("offline", None),
}


def mask_of(session: StillSession, twin: Path, out: Path) -> Path:
    """Fit a mask by the published procedure, on held-out images."""
    steps = iter(track(range(_MASK_STEPS), description="mask"))
    alpha = fit_transparency(
        load_twin(twin),
        StillClips(session),
        steps=_MASK_STEPS,
        seed=0,
        report=lambda _: next(steps, None),
    )
    save_mask(alpha, out)
    return out


def decoded(data: Path, out: Path, *, twin: Path, mask: Path | None, name: str) -> dict[str, Any]:
    """Scores of one method, without those of each image."""
    method, iterations = METHODS[name]
    asked = Request(
        data=data, out=out, method=method, tier="validation", twins=(twin,), ridge=None,
        lag_frames=0, steps=0, iterations=iterations, mask=mask, source="responses",
    )  # fmt: skip
    summary = reconstruct(asked, clock=HostClock(), report=lambda *_: None)
    for metric in ("video_r", "frame_r", "ssim", "shift_ms"):
        del summary[metric]["per_clip"]
    return summary


def rescored(data: StillSession, out: Path, mask: np.ndarray) -> dict[str, Any]:
    """Scores of the images in `out` inside another mask."""
    chosen = data.trials("validation")
    found = np.concatenate([np.load(out / f"{trial}.npy") for trial in chosen])
    scores = image_scores(data.images[chosen], found, mask)
    return {name: {k: v for k, v in one.items() if k != "per_clip"} for name, one in scores.items()}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    prepare_process(threads=asked.threads)
    data = asked.shared / "data" / "mouse_stills"
    session = StillSession(data)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        twin, weights = folder / "twin", data / "lurz2020_mouse20457_sota_model.pth"
        import_twin(weights, twin, layout=Format.SENSORIUM2022)
        path = asked.mask or mask_of(session, twin, folder / "mask.npy")
        mask = np.load(path)
        results: dict[str, Any] = {}
        for name in METHODS:
            out = folder / name.replace(" ", "_")
            inside = decoded(data, out, twin=twin, mask=path, name=name)
            whole = rescored(session, out, np.ones_like(mask))
            results[name] = {"mask": inside, "whole screen": whole}
            print(name, inside["video_r"], whole["video_r"], flush=True)
    scored = {"scored_pixels": int(mask.sum()), "pixels": int(mask.size)}
    write_benchmark(RESULTS, name="stills", config=scored, results=results)


if __name__ == "__main__":
    main()
