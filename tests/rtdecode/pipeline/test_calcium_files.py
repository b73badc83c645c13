"""ROIs and calibration are saved as soon as they are known, and a mismatch as a figure."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.rois import Rois
from rtdecode.pipeline.calcium_files import CalciumFiles, mismatch_figure
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import FieldMismatchError, KeptFileError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Received, Responses, Scan

MakeRun = Callable[..., RunConfig]


class Rig:
    rois: Rois

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


def saved(config: RunConfig, stream: list[Received], session: Path, clock: Clock) -> CalciumFiles:
    """The files of a decoder that has processed `stream`."""
    session.mkdir()
    stage = calcium_stage(config, clock=clock)
    files = CalciumFiles(stage, session)
    for item in stream:
        list(stage.step([item]))
        files.save_new()
    return files


def test_a_restarted_decoder_has_the_neurons_that_were_detected_before(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    session, stream = tmp_path / "session", rig.stream(140)
    before = saved(detecting(), stream[:170], session, clock)
    assert names(session) == ["calibration.npz", "masks.npz"]
    stage = calcium_stage(detecting(), clock=clock, kept=session)
    again = CalciumFiles(stage, session)
    again.check(before.identity)
    again.save_new()
    assert again.identity == before.identity
    outs = [out for item in stream[200:] for out in stage.step([item])]
    responses = [out for out in outs if isinstance(out, Responses)]
    assert {out.rois_hash for out in responses} == {Rois.load(session / "masks.npz").hash}
    assert responses[-1].valid.all()


def test_without_a_restart_files_of_the_folder_are_not_loaded(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    rig.rois.save(tmp_path / "masks.npz")
    assert calcium_stage(detecting(), clock=clock).neurons is None
    assert calcium_stage(detecting(), clock=clock, kept=tmp_path).neurons == 9


def test_a_kept_file_is_never_overwritten(rig: Rig, tmp_path: Path, clock: Clock) -> None:
    session = tmp_path / "session"
    before = saved(detecting(), rig.stream(140), session, clock)
    kept = {path: path.read_bytes() for path in session.iterdir()}
    files = CalciumFiles(calcium_stage(detecting(), clock=clock, kept=session), session)
    files.save_new()
    assert {path: path.read_bytes() for path in session.iterdir()} == kept
    assert files.identity == before.identity


def test_other_rois_under_the_same_name_are_refused_after_a_restart(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    session = tmp_path / "session"
    before = saved(small_run(None), rig.stream(2), session, clock)
    rig.rois.chosen(np.arange(9) != 3).save(session / "masks.npz")
    files = CalciumFiles(calcium_stage(small_run(None), clock=clock, kept=session), session)
    with pytest.raises(KeptFileError, match=rf"masks\.npz had the content hash {rig.rois.hash}"):
        files.check(before.identity)


def test_a_kept_file_that_is_gone_is_refused_after_a_restart(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    session = tmp_path / "session"
    before = saved(detecting(), rig.stream(140), session, clock)
    (session / "masks.npz").unlink()
    files = CalciumFiles(calcium_stage(detecting(), clock=clock), session)
    with pytest.raises(KeptFileError, match="is not there"):
        files.check(before.identity)


def test_a_field_that_is_lost_during_a_restart_is_reported_and_can_return(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    """The same scans at the start of a session would end it."""
    session, stream = tmp_path / "session", rig.stream(200)
    saved(detecting(), stream[:280], session, clock)
    stage = calcium_stage(detecting(), clock=clock, kept=session)
    outs = [out for item in elsewhere(stream[280:360]) for out in stage.step([item])]
    outs += [out for item in stream[360:] for out in stage.step([item])]
    assert [out.code for out in outs if isinstance(out, Event)] == ["field_lost", "field_found"]
    with pytest.raises(FieldMismatchError):
        saved(
            detecting(rois=session / "masks.npz", calibration=session / "calibration.npz"),
            elsewhere(stream[:80]),
            tmp_path / "other",
            clock,
        )


def elsewhere(stream: list[Received]) -> list[Received]:
    """The same times with scans of another field of view."""
    made, rng = [], np.random.default_rng(4)
    for item in stream:
        body = item.message.body
        if isinstance(body, Scan):
            pixels = rng.poisson(80, body.pixels_counts.shape).astype(np.uint16)
            message = replace(item.message, body=replace(body, pixels_counts=pixels))
            made.append(replace(item, message=message))
    return made


def test_each_plane_keeps_its_own_files(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    for plane in (0, 1):
        (tmp_path / f"plane{plane}").mkdir()
        rig.rois.chosen(np.arange(9) != plane).save(tmp_path / f"plane{plane}" / "masks.npz")
    calcium = {"rois": tmp_path, "planes": 2, "decoded_planes": [0, 1]}
    config, session = small_run(None, calcium=calcium), tmp_path / "session"
    before = saved(config, [], session, clock)
    before.save_new()
    assert [name.rpartition(":")[0] for name in before.identity.split()] == [
        "plane0/masks.npz",
        "plane1/masks.npz",
    ]
    CalciumFiles(calcium_stage(config, clock=clock, kept=session), session).check(before.identity)


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
