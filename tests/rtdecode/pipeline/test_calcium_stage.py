"""The chain of a run comes by its masks as the config says, and loses no scan meanwhile."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.masks import Masks
from rtdecode.pipeline.calcium_stage import CalciumStage, Out, calcium_stage
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import (
    CalibrationError,
    MasksMissingError,
    MissingFileError,
    NoCellsFoundError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Received, Responses
from rtdecode.session.replay import RecordedClock

MakeRun = Callable[..., RunConfig]
SCANS = 70


class Rig:
    masks: Masks

    def stream(self, count: int) -> list[Received]: ...


def detecting(**other: object) -> RunConfig:
    """Cells are found in the first 60 scans."""
    calcium = {"detector": "local_correlation", "detector_scans": 60, "reference_scans": 4}
    return RunConfig.model_validate(
        {
            "acquisition": {"source": {"kind": "raw_movie", "scan_rate_hz": 15.0}},
            "calcium": calcium | {"calibration_s": 1.0} | other,
            "decode": None,
        }
    )


def run(stage: CalciumStage, stream: Sequence[Received]) -> list[Out]:
    return [out for item in stream for out in stage.step([item])]


def numbers(outs: Sequence[Out]) -> list[int]:
    return [out.number for out in outs if isinstance(out, Fluorescence)]


def plain(outs: Sequence[Out]) -> list[object]:
    """What can be compared bit for bit."""
    arrays = {Fluorescence: "f_counts", Responses: "activity"}
    return [getattr(out, arrays[type(out)]).tobytes() for out in outs if type(out) in arrays]


def test_masks_of_a_file_are_read_and_every_scan_gives_its_fluorescence(
    rig: Rig, small_run: MakeRun, clock: Clock
) -> None:
    stage = calcium_stage(small_run(None), clock=clock)
    assert stage.neurons == 9
    assert not stage.calibrated
    outs = run(stage, rig.stream(20))
    assert numbers(outs) == list(range(20))
    assert stage.calibrated


def test_masks_of_suite2p_serve_as_well(rig: Rig, tmp_path: Path, clock: Clock) -> None:
    rows, cols = rig.masks.shape
    parts = list(pairwise(rig.masks.indptr))
    pixels = [np.divmod(rig.masks.pixels[a:b], cols) for a, b in parts]
    rois = [{"ypix": r, "xpix": c, "lam": np.ones(len(r), np.float32)} for r, c in pixels]
    np.save(tmp_path / "stat.npy", np.array(rois, object), allow_pickle=True)
    np.save(tmp_path / "iscell.npy", np.ones((len(rois), 2)))
    ops = np.array({"Ly": rows, "Lx": cols}, object)
    np.save(tmp_path / "ops.npy", ops, allow_pickle=True)
    config = detecting(masks=tmp_path)
    assert calcium_stage(config, clock=clock).neurons == 9


def test_what_it_leaves_starts_the_next_session_calibrated(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    files = {name: tmp_path / f"{name}.npz" for name in ("masks", "calibration")}
    assert Masks.load(files["masks"]).count == 9
    second = calcium_stage(detecting(**files), clock=clock)
    assert second.calibrated
    early = [out for out in run(second, rig.stream(8)) if isinstance(out, Responses)]
    assert early[-1].valid.all()


def test_cells_are_found_in_the_first_scans_which_are_not_lost(rig: Rig, clock: Clock) -> None:
    stage, stream = calcium_stage(detecting(), clock=clock), rig.stream(SCANS)
    assert run(stage, stream[:118]) == []
    assert stage.neurons is None
    outs = run(stage, stream[118:])
    assert numbers(outs) == list(range(SCANS))
    assert stage.neurons == pytest.approx(9, abs=1)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, 2 * SCANS - 1), max_size=5))
def test_any_way_of_cutting_the_stream_gives_the_same(rig: Rig, cuts: set[int]) -> None:
    stream, edges = rig.stream(SCANS), [0, *sorted(cuts), 2 * SCANS]
    whole, cut = (calcium_stage(detecting(), clock=RecordedClock()) for _ in "ab")
    pieces = [out for first, last in pairwise(edges) for out in cut.step(stream[first:last])]
    assert plain(pieces) == plain(list(whole.step(stream)))


def test_nothing_is_written_before_there_is_something(tmp_path: Path, clock: Clock) -> None:
    calcium_stage(detecting(), clock=clock).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_activity_takes_the_statistics_of_the_session_that_the_twin_knows(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    own = Calibration.load(tmp_path / "calibration.npz")
    tenfold = {name: getattr(own, name) for name in Calibration.__slots__}
    Calibration(**tenfold | {"activity_sd": 10 * own.activity_sd}).save(tmp_path / "twin.npz")
    files = {name: tmp_path / f"{name}.npz" for name in ("masks", "calibration")}
    plain_run, rescaled = (
        run(calcium_stage(detecting(**files, **how), clock=clock), rig.stream(12))[-1]
        for how in ({}, {"rescale": "moment", "rescale_to": tmp_path / "twin.npz"})
    )
    assert isinstance(plain_run, Responses)
    assert isinstance(rescaled, Responses)
    assert plain_run.activity.max() > 0
    np.testing.assert_allclose(rescaled.activity, 10 * plain_run.activity, rtol=1e-4)


def test_files_that_do_not_fit_are_refused(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    rig.masks.chosen(np.arange(9) < 4).save(tmp_path / "four.npz")
    for other in ("calibration", "rescale_to"):
        config = detecting(masks=tmp_path / "four.npz", **{other: tmp_path / "calibration.npz"})
        with pytest.raises(CalibrationError, match="4 neurons"):
            calcium_stage(config, clock=clock)


def test_a_run_that_cannot_have_masks_is_refused(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(MasksMissingError):
        calcium_stage(RunConfig(), clock=clock)
    with pytest.raises(MissingFileError, match=r"none\.npz"):
        calcium_stage(detecting(masks=tmp_path / "none.npz"), clock=clock)


def test_scans_without_cells_are_refused(rig: Rig, clock: Clock) -> None:
    still = [item for item in rig.stream(1) if item.message.body.kind == "scan"] * 60
    with pytest.raises(NoCellsFoundError):
        run(calcium_stage(detecting(), clock=clock), still)
