"""A rung is run on all its trials once, and not again when its row is there."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rtdecode.bench.method_table import MethodTable
from rtdecode.bench.result_file import KeptRows
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.offline.trial import Trial

MASK = np.ones((12, 16), bool)
TWIN: Any = SimpleNamespace(twin=SimpleNamespace(spec=SimpleNamespace(training_clips=())))


@dataclass
class Told:
    """Reads the video from the trial, and remembers which it was shown."""

    lag_frames: int | None = 8
    steps: int = 3
    seen: list[Trial] = field(default_factory=list)

    def video(self, trial: Trial) -> np.ndarray:
        self.seen.append(trial)
        return trial.truth.copy()

    def passes_per_frame(self, frames: int) -> float:
        return 3.0


def ladder_in(
    folder: Path, session: SensoriumFolder, clock: Any, trials: int | None = None
) -> tuple[MethodTable, list[str]]:
    told: list[str] = []
    rows = KeptRows(folder / "quality.json", name="quality", config={})
    how: dict[str, Any] = {"tier": "oracle", "trials": trials, "clock": clock}
    return MethodTable(session, [TWIN], MASK, rows, report=told.append, **how), told


@pytest.mark.parametrize(("asked", "run"), [(None, 2), (1, 1), (5, 2)])
def test_as_many_trials_are_run_as_there_are_or_as_are_asked_for(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any, asked: int | None, run: int
) -> None:
    table, _ = ladder_in(tmp_path, blob_session, clock, asked)
    table.run("told", told := Told())
    assert [trial.number for trial in told.seen] == list(blob_session.trials("oracle")[:run])


def test_a_row_that_is_there_is_told_and_not_run_again(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any
) -> None:
    table, said = ladder_in(tmp_path, blob_session, clock)
    table.run("told", Told())
    assert said == ["told (lag 8, steps 3)"]
    later, said = ladder_in(tmp_path, blob_session, clock)
    later.run("told", told := Told())
    assert told.seen == []
    assert said == ["told (lag 8, steps 3): there already"]


def test_another_lag_number_of_steps_neurons_or_twins_is_another_row(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Any
) -> None:
    table, said = ladder_in(tmp_path, blob_session, clock, 1)
    half = np.arange(12) % 2 == 0
    others = [Told(), Told(lag_frames=None), Told(steps=1), Told(), Told()]
    for method, how in zip(others, ({}, {}, {}, {"kept": half}, {"twins": 2}), strict=True):
        table.run("told", method, **how)
        assert len(method.seen) == 1
    assert not any("already" in line for line in said)
    assert "told (the whole clip, steps 3)" in said
    assert not others[3].seen[0].valid[:, 1::2].any()
