"""A row is computed on all its trials once, and not again when it exists."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rtdecode.bench.method_table import Comparison, MethodTable
from rtdecode.bench.result_file import KeptRows
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.offline.trial import Trial

MASK = np.ones((12, 16), bool)
TWIN: Any = SimpleNamespace(twin=SimpleNamespace(spec=SimpleNamespace(training_clips=())))


@dataclass
class GroundTruth:
    """A method that returns the ground truth and records its trials."""

    lag_frames: int | None = 8
    steps: int = 3
    seen: list[Trial] = field(default_factory=list)

    def video(self, trial: Trial) -> np.ndarray:
        self.seen.append(trial)
        return trial.truth.copy()

    def passes_per_frame(self, frames: int) -> float:
        return 3.0


def table_in(
    folder: Path, session: SensoriumFolder, clock: Any, trials: int | None = None
) -> tuple[MethodTable, list[str]]:
    told: list[str] = []
    rows = KeptRows(folder / "quality.json", name="quality", config={})
    compared = Comparison(session, [TWIN], MASK, "oracle", trials)
    return MethodTable(compared, rows, clock=clock, report=told.append), told


@pytest.mark.parametrize(("asked", "run"), [(None, 2), (1, 1), (5, 2)])
def test_as_many_trials_are_run_as_there_are_or_as_are_asked_for(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any, asked: int | None, run: int
) -> None:
    table, _ = table_in(tmp_path, blob_session, clock, asked)
    table.run("told", told := GroundTruth())
    assert [trial.number for trial in told.seen] == list(blob_session.trials("oracle")[:run])


def test_an_existing_row_is_reported_and_not_computed_again(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any
) -> None:
    table, said = table_in(tmp_path, blob_session, clock)
    table.run("told", GroundTruth())
    assert said == ["told (lag 8, steps 3)"]
    later, said = table_in(tmp_path, blob_session, clock)
    later.run("told", told := GroundTruth())
    assert told.seen == []
    assert said == ["told (lag 8, steps 3): exists already"]


def test_another_lag_number_of_steps_neurons_or_twins_is_another_row(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any
) -> None:
    table, said = table_in(tmp_path, blob_session, clock, 1)
    half = np.arange(12) % 2 == 0
    others = [
        GroundTruth(),
        GroundTruth(lag_frames=None),
        GroundTruth(steps=1),
        GroundTruth(),
        GroundTruth(),
    ]
    for method, how in zip(others, ({}, {}, {}, {"kept": half}, {"twins": 2}), strict=True):
        table.run("told", method, **how)
        assert len(method.seen) == 1
    assert not any("already" in line for line in said)
    assert "told (the whole clip, steps 3)" in said
    assert not others[3].seen[0].valid[:, 1::2].any()
