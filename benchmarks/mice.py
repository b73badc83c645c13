"""The decoder with default settings, and what could be used instead of it, on simulated mice.

    python benchmarks/mice.py --work FOLDER --mouse NAME=DATA:TWIN [--mouse ...] [--trials N]

DATA is a simulated mouse in the Sensorium 2023 layout, with the `config.json` of its simulation;
TWIN is the folder that `rtdecode fit twin` wrote for it, with the mask of `rtdecode fit mask`;
without a mask the whole screen is scored. FOLDER keeps each row and the fitted decoders, so that an
interrupted run continues. Writes `benchmarks/results/mice.json`, with paired differences for each
mouse and over mice; the results of mice that are not named are kept.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bench.method_table import Comparison, MethodTable
from rtdecode.bench.paired import (
    difference_over_mice,
    paired_difference,
    paired_ratio,
    ratio_over_mice,
)
from rtdecode.bench.quality import (
    CAUSAL,
    DIRECT,
    LAG,
    RIDGE,
    ROOT_RIDGE,
    STEP_COUNT,
    baseline_rows,
    has_traces,
)
from rtdecode.bench.result_file import KeptRows, write_benchmark
from rtdecode.datasets.opening import open_video_session
from rtdecode.decode.compute import prepare_process
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.offline.methods import Offline, Online
from rtdecode.offline.reconstruct import OFFLINE_ITERATIONS, online_config
from rtdecode.offline.screen_masks import scoring_mask
from rtdecode.offline.trial import Input
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.training import DirectConfig
from rtdecode.twins.record import twin_hash

RESULTS = Path(__file__).parent / "results" / "mice.json"
METRICS = ("video_r", "frame_r")
DIFFERENCES = {
    "online - ridge": ("online", RIDGE),
    "online - ridge on square roots": ("online", ROOT_RIDGE),
    "online - direct": ("online", DIRECT),
    "causal: online - direct": (f"online{CAUSAL}", f"{DIRECT}{CAUSAL}"),
}
RATIOS = {"causal / as published": (f"online{CAUSAL}", "online")}


def measured(
    data: Path,
    twin: Path,
    work: Path,
    *,
    trials: int | None,
    with_offline: bool,
    took_part: bool,
) -> dict[str, Any]:
    """Properties of one mouse, the scores of each method, and paired differences."""
    rows = _rows(data, twin, work, trials=trials, with_offline=with_offline)
    config = json.loads((data / "config.json").read_text(encoding="utf-8"))
    training = json.loads((twin / "training.json").read_text(encoding="utf-8"))
    has_mask = (twin / "mask.npy").is_file()
    methods = {row["method"]: {metric: row[metric] for metric in METRICS} for row in rows}
    return {
        "neurons": rows[0]["neurons"],
        "noise": float(config["noise"]),
        "scan_rate_hz": float(config["scan_rate_hz"]),
        "twin_r": training["single_trial_r"]["mean"],
        "trained_minutes": training["standing"]["elapsed_s"] / 60,
        "scored_pixels": int(np.load(twin / "mask.npy").sum()) if has_mask else "all",
        "trials": len(rows[0]["video_r"]["per_clip"]),
        "took_part": took_part,
        "methods": methods,
        **differences([methods]),
    }


def differences(mice: list[dict[str, Any]]) -> dict[str, Any]:
    """Paired differences and ratios of video_r, of one mouse or over several."""
    found: dict[str, Any] = {}
    for pairs, of_one, of_several in (
        (DIFFERENCES, paired_difference, difference_over_mice),
        (RATIOS, paired_ratio, ratio_over_mice),
    ):
        for title, names in pairs.items():
            clips = [
                tuple(methods[name]["video_r"]["per_clip"] for name in names)
                for methods in mice
                if all(name in methods for name in names)
            ]
            if clips:
                found[title] = of_one(*clips[0]) if len(clips) == 1 else of_several(clips)
    return {"paired": found}


def _rows(
    data: Path, twin: Path, work: Path, *, trials: int | None, with_offline: bool
) -> list[dict[str, Any]]:
    session, clock = open_video_session(data), HostClock()
    fitted = [load_fitted_twin(twin, neurons=session.neurons)]
    kept = KeptRows(
        work / "rows.json",
        name="mouse",
        config={"data": str(data), "twin": twin_hash(twin), "trials": trials},
    )
    compared = Comparison(session, fitted, scoring_mask(session, None, [twin]), "test", trials)
    table = MethodTable(
        compared, kept, clock=clock, report=lambda line: print(work.name, line, flush=True)
    )
    kinds = (Input.RESPONSES, Input.TRACES) if has_traces(session) else (Input.RESPONSES,)
    baseline_rows(table, work, DirectConfig(), clock=clock, kinds=kinds)
    usual = Online(fitted, online_config(lag_frames=LAG, steps=STEP_COUNT))
    table.run("online", usual)
    if Input.TRACES in kinds:
        table.run(f"online{CAUSAL}", usual, kind=Input.TRACES)
    table.run("online, noise-free", usual, kind=Input.PREDICTED)
    if with_offline:
        table.run("offline", Offline(fitted, iterations=OFFLINE_ITERATIONS))
    return kept.rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mouse", action="append", required=True, metavar="NAME=DATA:TWIN")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--no-offline", action="store_true")
    parser.add_argument(
        "--took-part",
        action="store_true",
        help="a setting was chosen on these mice: leave them out of the differences over mice",
    )
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    prepare_process(threads=asked.threads)
    mice = (
        json.loads(RESULTS.read_text(encoding="utf-8"))["results"]["mice"]
        if RESULTS.exists()
        else {}
    )
    for mouse in asked.mouse:
        name, _, paths = mouse.partition("=")
        data, _, twin = paths.partition(":")
        mice[name] = measured(
            Path(data),
            Path(twin),
            asked.work / name,
            trials=asked.trials,
            with_offline=not asked.no_offline,
            took_part=asked.took_part,
        )
        over = differences([one["methods"] for one in mice.values() if not one["took_part"]])
        settings = {"tier": "test", "lag_frames": LAG, "steps": STEP_COUNT}
        write_benchmark(
            RESULTS, name="mice", config=settings, results={"mice": mice, "over_mice": over}
        )


if __name__ == "__main__":
    main()
