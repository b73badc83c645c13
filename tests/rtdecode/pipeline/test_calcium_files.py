"""ROIs and calibration are saved as soon as they are known, and a mismatch as a figure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.calibration import Calibration
from rtdecode.pipeline.calcium_files import CalciumFiles, mismatch_figure
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import FieldMismatchError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received

MakeRun = Callable[..., RunConfig]


class Rig:
    def stream(self, count: int) -> list[Received]: ...


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mismatch() -> FieldMismatchError:
    rng = np.random.default_rng(0)
    return FieldMismatchError(
        why="it is another one",
        reference_counts=rng.uniform(0, 90, (20, 24)),
        seen_counts=rng.uniform(0, 90, (20, 24)),
        footprint=(np.indices((20, 24)).sum(0) % 9 == 0).astype(float),
    )


def test_rois_are_saved_first_and_the_calibration_once_it_is_made(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    session = tmp_path / "session"
    session.mkdir()
    stage = calcium_stage(small_run(None), clock=clock)
    files = CalciumFiles(stage, session)
    files.save_new()
    assert names(session) == ["masks.npz"]
    for item in rig.stream(20):
        list(stage.step([item]))
    files.save_new()
    assert names(session) == ["calibration.npz", "masks.npz"]
    assert Calibration.load(session / "calibration.npz").count == 9


def test_nothing_is_written_twice(small_run: MakeRun, tmp_path: Path, clock: Clock) -> None:
    session = tmp_path / "session"
    session.mkdir()
    files = CalciumFiles(calcium_stage(small_run(None), clock=clock), session)
    files.save_new()
    (session / "masks.npz").unlink()
    files.save_new()
    assert names(session) == []


def test_the_error_of_a_mismatch_names_its_figure(tmp_path: Path) -> None:
    report = tmp_path / "session" / "report"
    with pytest.raises(FieldMismatchError, match="it is another one") as refused:
        with mismatch_figure(report):
            raise mismatch()
    assert str(report / "refused.png") in str(refused.value)
    assert imread(report / "refused.png").shape[1] > 1000
    assert refused.value.exit_code == 2


def test_other_errors_pass_untouched(tmp_path: Path) -> None:
    with pytest.raises(KeyError), mismatch_figure(tmp_path / "report"):
        raise KeyError
    assert not (tmp_path / "report").exists()
