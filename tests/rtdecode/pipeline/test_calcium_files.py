"""What the chain knows is in the session at once, and a refusal leaves its picture there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.calibration import Calibration
from rtdecode.pipeline.calcium_files import CalciumKeeper, refusals_pictured
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


def test_masks_are_kept_first_and_the_calibration_once_it_is_made(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    session = tmp_path / "session"
    session.mkdir()
    stage = calcium_stage(small_run(None), clock=clock)
    keeper = CalciumKeeper(stage, session)
    keeper.keep()
    assert names(session) == ["masks.npz"]
    for item in rig.stream(20):
        list(stage.step([item]))
    keeper.keep()
    assert names(session) == ["calibration.npz", "masks.npz"]
    assert Calibration.load(session / "calibration.npz").count == 9


def test_nothing_is_written_twice(small_run: MakeRun, tmp_path: Path, clock: Clock) -> None:
    session = tmp_path / "session"
    session.mkdir()
    keeper = CalciumKeeper(calcium_stage(small_run(None), clock=clock), session)
    keeper.keep()
    (session / "masks.npz").unlink()
    keeper.keep()
    assert names(session) == []


def test_a_refusal_names_the_picture_that_it_has_left(tmp_path: Path) -> None:
    report = tmp_path / "session" / "report"
    with pytest.raises(FieldMismatchError, match="it is another one") as refused:
        with refusals_pictured(report):
            raise mismatch()
    assert str(report / "refused.png") in str(refused.value)
    assert imread(report / "refused.png").shape[1] > 1000
    assert refused.value.exit_code == 2


def test_other_errors_pass_untouched(tmp_path: Path) -> None:
    with pytest.raises(KeyError), refusals_pictured(tmp_path / "report"):
        raise KeyError
    assert not (tmp_path / "report").exists()
