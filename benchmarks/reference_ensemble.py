"""The published procedure with one twin and with ensembles, scored at several iterations.

    python benchmarks/reference_ensemble.py --data DATA --twin TWIN --twin TWIN ... --trials N
                                            --iterations N --parts FOLDER --json FILE

Twins and trials are independent and run in parallel; their videos are kept in FOLDER and are not
computed again when the command is repeated. The online decoder runs on the same trials: with the
first twin; with all of them, by the mean of their likelihoods, as in a run (`decode.twins`); and
with the mean of the videos of one decoder for each. Tables have one row for each
`benchmarks/results/reference_*.json`.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.quality import LAG, STEP_COUNT
from rtdecode.bench.reference_curve import stops_until
from rtdecode.bench.result_file import write_benchmark
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.metrics import clip_scores
from rtdecode.offline.job import interval_of
from rtdecode.offline.methods import Online
from rtdecode.offline.reconstruct import online_config
from rtdecode.offline.reference import passes_per_frame, reference_video
from rtdecode.offline.screen_masks import free_mask, scoring_mask
from rtdecode.offline.trial import Input, Trial, trials_of
from rtdecode.schema.errors import RtdecodeError
from rtdecode.twins.folder import load_twin

ONLINE = "online"
OF_LIKELIHOODS, OF_VIDEOS = "online, mean of likelihoods", "online, mean of videos"
F32 = NDArray[np.float32]
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured, as given on the command line."""

    data: Path
    twins: tuple[Path, ...]
    trials: int
    iterations: int
    parts: Path

    @property
    def stops(self) -> list[int]:
        """Iterations that are scored; none where the published procedure is left out."""
        return stops_until(self.iterations) if self.iterations else []

    def chosen(self) -> list[Trial]:
        """The first trials of the tier test."""
        found = trials_of(
            SensoriumFolder(self.data), "test", Input.RESPONSES, twin=load_twin(self.twins[0])
        )
        return [trial for _, trial in zip(range(self.trials), found, strict=False)]

    def part(self, trial: int, twin: int, stop: int) -> Path:
        """File with the video of one trial, twin and iteration."""
        return self.parts / f"trial{trial}_twin{twin}_after{stop}.npy"


def make_part(asked: Asked, place: int, twin: int) -> None:
    """Compute the videos of the trial at index `place` by one twin, at each stop."""
    prepare_process(threads=1)
    trial = asked.chosen()[place]
    reference_video(
        load_twin(asked.twins[twin]),
        trial.responses,
        trial.behaviour,
        free_mask(SensoriumFolder(asked.data), None, asked.twins),
        iterations=asked.iterations,
        report=lambda done, video: np.save(asked.part(place, twin, done), video),
        report_at=asked.stops,
    )


def make_parts(asked: Asked, *, workers: int) -> None:
    """Compute all missing videos, trial by trial."""
    asked.parts.mkdir(parents=True, exist_ok=True)
    missing = [
        (place, twin)
        for place in range(asked.trials)
        for twin in range(len(asked.twins))
        if asked.stops and not asked.part(place, twin, asked.stops[-1]).is_file()
    ]
    spawned = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawned) as pool:
        jobs = {pool.submit(make_part, asked, *one): one for one in missing}
        for job in as_completed(jobs):
            job.result()
            print("trial and twin done:", jobs[job], flush=True)


def reference_rows(asked: Asked, trials: list[Trial], mask: NDArray[np.bool_]) -> list[Any]:
    """Scores by number of twins and iterations."""
    rows = []
    for count in range(1, len(asked.twins) + 1):
        for stop in asked.stops:
            videos = [
                np.mean([np.load(asked.part(k, twin, stop)) for twin in range(count)], axis=0)
                for k in range(len(trials))
            ]
            passes = passes_per_frame(len(trials[0].truth), iterations=stop, twins=count)
            head = {"method": "reference", "twins": count, "steps": stop}
            cost = {"twin_passes_per_frame": passes}
            rows.append(head | cost | scored(trials, videos, mask))
    return rows


def online_rows(
    fitted: list[FittedTwin], trials: list[Trial], mask: NDArray[np.bool_]
) -> list[Any]:
    """The live decoder with the first twin, and with all in both ways."""
    rows = []
    methods = {ONLINE: fitted[:1]}
    if len(fitted) > 1:
        methods[OF_LIKELIHOODS] = [replace(fitted[0], others=tuple(fitted[1:]))]
        methods[OF_VIDEOS] = fitted
    for name, twins in methods.items():
        method = Online(twins, online_config(lag_frames=LAG, steps=STEP_COUNT))
        videos = [method.video(trial) for trial in trials]
        passes = method.passes_per_frame(len(trials[0].truth))
        members = sum(one.members for one in twins)
        head = {"method": name, "twins": members, "steps": STEP_COUNT}
        cost = {"twin_passes_per_frame": passes}
        rows.append(head | cost | scored(trials, videos, mask))
    return rows


def scored(trials: list[Trial], videos: list[F32], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Metrics with their intervals over clips."""
    scores = [
        clip_scores(t.truth, video, mask, frame_rate_hz=t.frame_rate_hz)
        for t, video in zip(trials, videos, strict=True)
    ]
    return {
        "video_r": interval_of([float(score.video_r) for score in scores]),
        "frame_r": interval_of([float(score.frame_r) for score in scores]),
    }


def options() -> argparse.Namespace:
    """What is asked for, in range."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--twin", type=Path, action="append", required=True)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument(
        "--iterations", type=int, default=200, help="0 leaves the published procedure out"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    if min(given.trials, given.workers) < 1 or given.iterations < 0:
        parser.error("--trials and --workers must be at least 1, --iterations at least 0")
    return given


def measured(asked: Asked, *, workers: int) -> tuple[list[Any], dict[str, int]]:
    """All rows, and what they were measured on; whatever does not fit is refused at once."""
    trials, data = asked.chosen(), SensoriumFolder(asked.data)
    fitted = [
        load_fitted_twin(path, neurons=data.neurons, session=data.folder) for path in asked.twins
    ]
    make_parts(asked, workers=workers)
    mask = scoring_mask(data, None, asked.twins)
    rows = [*online_rows(fitted, trials, mask), *reference_rows(asked, trials, mask)]
    return rows, {"trials": len(trials), "scored_pixels": int(mask.sum())}


def main() -> int:
    """Measure and write; the exit code."""
    given = options()
    asked = Asked(given.data, tuple(given.twin), given.trials, given.iterations, given.parts)
    try:
        results, subject = measured(asked, workers=given.workers)
    except RtdecodeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"interrupted: repeat the command to continue with {asked.parts}", file=sys.stderr)
        return _INTERRUPTED
    settings = {
        "data": str(asked.data),
        "twins": [str(path) for path in asked.twins],
        "iterations": asked.iterations,
        "lag_frames": LAG,
    } | subject
    write_benchmark(given.json, name="reference_ensemble", config=settings, results=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
