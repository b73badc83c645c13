"""The chain of a run takes its ROIs from the source that the config names, and loses no scan."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.pipeline.planes_stage import CalciumStage, Out
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import (
    CalibrationError,
    MissingFileError,
    NoCellsFoundError,
    RoisMissingError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Received, Responses, Scan, Stamped
from rtdecode.session.replay import RecordedClock

MakeRun = Callable[..., RunConfig]
SCANS = 70


class Rig:
    rois: Rois

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
    arrays = {Fluorescence: "f_raw", Responses: "activity"}
    return [getattr(out, arrays[type(out)]).tobytes() for out in outs if type(out) in arrays]


def test_rois_of_a_file_are_read_and_every_scan_gives_its_fluorescence(
    rig: Rig, small_run: MakeRun, clock: Clock
) -> None:
    stage = calcium_stage(small_run(None), clock=clock)
    assert stage.neurons == 9
    assert not stage.calibrated
    outs = run(stage, rig.stream(20))
    assert numbers(outs) == list(range(20))
    assert stage.calibrated


def test_rois_of_suite2p_are_read(rig: Rig, tmp_path: Path, clock: Clock) -> None:
    rows, cols = rig.rois.shape
    parts = list(pairwise(rig.rois.indptr))
    pixels = [np.divmod(rig.rois.pixels[a:b], cols) for a, b in parts]
    rois = [{"ypix": r, "xpix": c, "lam": np.ones(len(r), np.float32)} for r, c in pixels]
    np.save(tmp_path / "stat.npy", np.array(rois, object), allow_pickle=True)
    np.save(tmp_path / "iscell.npy", np.ones((len(rois), 2)))
    ops = np.array({"Ly": rows, "Lx": cols}, object)
    np.save(tmp_path / "ops.npy", ops, allow_pickle=True)
    config = detecting(rois=tmp_path)
    assert calcium_stage(config, clock=clock).neurons == 9


def nwb_pixels(path: Path, rois: Rois, *, turned: bool) -> Path:
    """The ROIs as pixel_mask alone, without a size; `turned` swaps the axes x and y."""
    row, col = np.divmod(rois.pixels, rois.shape[1])
    x, y = (row, col) if turned else (col, row)
    dtype = np.dtype([("x", "u4"), ("y", "u4"), ("weight", "f4")])
    pixels = np.zeros(len(x), dtype)
    pixels["x"], pixels["y"], pixels["weight"] = x, y, rois.weights
    with h5py.File(path, "w") as file:
        table = file.create_group("processing/ophys/ImageSegmentation/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"] = np.arange(rois.count)
        table["pixel_mask"], table["pixel_mask_index"] = pixels, rois.indptr[1:]
        movie = file.create_group("acquisition/movie")
        movie.attrs["neurodata_type"] = "TwoPhotonSeries"
        movie["dimension"] = rois.shape if turned else rois.shape[::-1]
    return path


@pytest.mark.parametrize("turned", [False, True])
def test_rois_of_an_nwb_file_are_placed_by_the_first_scan(
    rig: Rig, tmp_path: Path, clock: Clock, turned: bool
) -> None:
    path = nwb_pixels(tmp_path / "rois.nwb", rig.rois, turned=turned)
    stage = calcium_stage(detecting(rois=path), clock=clock)
    assert stage.neurons == 9
    assert list(stage.fields or ()) == []
    stage.save(tmp_path)
    assert not (tmp_path / "masks.npz").exists()
    outs = run(stage, rig.stream(20))
    assert numbers(outs) == list(range(20))
    (field,) = stage.fields or ()
    assert (field.plane, field.number, field.rois.count) == (0, 19, 9)
    assert field.registered_counts.std() > 0
    stage.save(tmp_path)
    kept = Rois.load(tmp_path / "masks.npz")
    assert kept.shape == rig.rois.shape
    np.testing.assert_array_equal(kept.pixels, rig.rois.pixels)


def test_rois_of_another_field_than_the_calibration_are_refused(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    rows, cols = rig.rois.shape
    roi = {"ypix": np.array([1]), "xpix": np.array([2]), "lam": np.ones(1, np.float32)}
    np.save(tmp_path / "stat.npy", np.array([roi] * 9, object), allow_pickle=True)
    ops = np.array({"Ly": rows + 1, "Lx": cols}, object)
    np.save(tmp_path / "ops.npy", ops, allow_pickle=True)
    config = detecting(rois=tmp_path / "stat.npy", calibration=tmp_path / "calibration.npz")
    with pytest.raises(CalibrationError, match=rf"\({rows + 1}, {cols}\)"):
        calcium_stage(config, clock=clock)


def test_what_it_leaves_starts_the_next_session_calibrated(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    files = {"rois": tmp_path / "masks.npz", "calibration": tmp_path / "calibration.npz"}
    assert Rois.load(files["rois"]).count == 9
    second = calcium_stage(detecting(**files), clock=clock)
    assert second.calibrated
    early = [out for out in run(second, rig.stream(8)) if isinstance(out, Responses)]
    assert early[-1].valid.all()


def test_cells_are_found_in_the_first_scans_which_are_not_lost(rig: Rig, clock: Clock) -> None:
    stage, stream = calcium_stage(detecting(), clock=clock), rig.stream(SCANS)
    assert run(stage, stream[:118]) == []
    assert stage.neurons is None
    assert list(stage.fields or ()) == []
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


def test_activity_is_rescaled_to_the_statistics_of_the_training_session(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    first = calcium_stage(small_run(None), clock=clock)
    run(first, rig.stream(20))
    first.save(tmp_path)
    own = Calibration.load(tmp_path / "calibration.npz")
    tenfold = {name: getattr(own, name) for name in Calibration.__slots__}
    Calibration(**tenfold | {"activity_sd": 10 * own.activity_sd}).save(tmp_path / "twin.npz")
    files = {"rois": tmp_path / "masks.npz", "calibration": tmp_path / "calibration.npz"}
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
    rig.rois.chosen(np.arange(9) < 4).save(tmp_path / "four.npz")
    for other in ("calibration", "rescale_to"):
        config = detecting(rois=tmp_path / "four.npz", **{other: tmp_path / "calibration.npz"})
        with pytest.raises(CalibrationError, match="4 neurons"):
            calcium_stage(config, clock=clock)


def test_a_run_without_a_source_of_rois_is_refused(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(RoisMissingError):
        calcium_stage(RunConfig(), clock=clock)
    with pytest.raises(MissingFileError, match=r"none\.npz"):
        calcium_stage(detecting(rois=tmp_path / "none.npz"), clock=clock)


def test_scans_without_cells_are_refused(rig: Rig, clock: Clock) -> None:
    still = [item for item in rig.stream(1) if item.message.body.kind == "scan"] * 60
    with pytest.raises(NoCellsFoundError):
        run(calcium_stage(detecting(), clock=clock), still)


def of_two_planes(stream: Sequence[Received]) -> list[Received]:
    """Each scan in plane 0, and half a scan later its mirror image in plane 1."""
    both = []
    for item in stream:
        body = item.message.body
        if not isinstance(body, Scan):
            both.append(item)
            continue
        middle_ns = (body.t_start_ns + body.t_end_ns) // 2
        for plane, pixels, start_ns, end_ns in (
            (0, body.pixels_counts, body.t_start_ns, middle_ns),
            (1, body.pixels_counts[:, ::-1].copy(), middle_ns, body.t_end_ns),
        ):
            scan = Scan(pixels, 2 * body.number + plane, plane, start_ns, end_ns)
            both.append(replace(item, message=replace(item.message, body=scan)))
    return both


def plane_folders(folder: Path, rois: Rois) -> Path:
    """Rois of both planes, the second with two cells fewer."""
    cols = rois.shape[1]
    for plane, count in ((0, 9), (1, 7)):
        rows_cols = [
            np.divmod(rois.pixels[a:b], cols) for a, b in pairwise(rois.indptr[: count + 1])
        ]
        flat = [row * cols + (cols - 1 - col if plane else col) for row, col in rows_cols]
        (folder / f"plane{plane}").mkdir(parents=True)
        rois_from_lists(rois.shape, [(np.sort(one), np.ones(len(one))) for one in flat]).save(
            folder / f"plane{plane}" / "masks.npz"
        )
    return folder


def responses(outs: Sequence[Out]) -> dict[int, Responses]:
    return {out.frame: out for out in outs if isinstance(out, Responses)}


def test_planes_are_decoded_together_as_each_would_be_alone(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    rois = plane_folders(tmp_path / "rois", rig.rois)
    stream, settings_ = of_two_planes(rig.stream(40)), {"planes": 2, "detector": "none"}
    stage = calcium_stage(detecting(rois=rois, decoded_planes=[0, 1], **settings_), clock=clock)
    assert stage.neurons == 16
    outs = run(stage, stream)
    seen = [(out.plane, out.number) for out in outs if isinstance(out, Fluorescence)]
    assert sorted(seen) == [(n % 2, n) for n in (*range(0, 80, 2), *range(1, 80, 2))]
    assert [(field.plane, field.number) for field in stage.fields or ()] == [(0, 78), (1, 79)]
    alone = [
        responses(run(calcium_stage(one, clock=clock), stream))
        for plane in (0, 1)
        for one in [detecting(rois=rois / f"plane{plane}", decoded_planes=[plane], **settings_)]
    ]
    joined = responses(outs)
    assert list(joined) == sorted(alone[0].keys() & alone[1].keys())
    for frame, whole in joined.items():
        parts = [one[frame] for one in alone]
        np.testing.assert_array_equal(whole.activity, np.concatenate([p.activity for p in parts]))
        np.testing.assert_array_equal(whole.valid, np.concatenate([p.valid for p in parts]))
    assert list(joined.values())[-1].valid.all()


def test_what_planes_leave_starts_the_next_session_calibrated(
    rig: Rig, tmp_path: Path, clock: Clock
) -> None:
    planes = {"planes": 2, "decoded_planes": [0, 1], "detector": "none"}
    rois = plane_folders(tmp_path / "rois", rig.rois)
    first = calcium_stage(detecting(rois=rois, **planes), clock=clock)
    assert not first.calibrated
    run(first, of_two_planes(rig.stream(30)))
    first.save(tmp_path / "s")
    left = {"rois": tmp_path / "s", "calibration": tmp_path / "s"}
    second = calcium_stage(detecting(**left, **planes), clock=clock)
    assert second.calibrated
    assert second.neurons == 16
    early = list(responses(run(second, of_two_planes(rig.stream(8)))).values())
    assert early[-1].valid.all()


def test_cells_are_found_in_each_plane_for_itself(rig: Rig, clock: Clock) -> None:
    config = detecting(planes=2, decoded_planes=[1, 0])
    stage, stream = calcium_stage(config, clock=clock), of_two_planes(rig.stream(SCANS))
    run(stage, stream[:100])
    assert stage.neurons is None
    outs = run(stage, stream[100:])
    assert numbers(outs).count(0) == 1
    assert len(numbers(outs)) == 2 * SCANS
    assert stage.neurons == pytest.approx(18, abs=2)
    assert len(list(responses(outs).values())[-1].activity) == stage.neurons


def test_a_plane_without_rois_is_named(rig: Rig, tmp_path: Path, clock: Clock) -> None:
    rois = plane_folders(tmp_path / "rois", rig.rois)
    config = detecting(rois=rois, planes=3, decoded_planes=[0, 2], detector="none")
    with pytest.raises(MissingFileError, match="plane2"):
        calcium_stage(config, clock=clock)


@pytest.mark.parametrize(
    "source", [{"kind": "zmq_native"}, {"kind": "lsl_rois", "stream": "rois", "scan_rate_hz": 15}]
)
def test_roi_values_of_the_source_need_no_rois(
    tmp_path: Path, clock: Clock, source: dict[str, object]
) -> None:
    config = RunConfig.model_validate(
        {
            "acquisition": {"source": source},
            "calcium": {
                "calibration_s": 1.0,
                "rois_from_source": source["kind"] == "zmq_native",
            },
            "decode": None,
        }
    )
    stage = calcium_stage(config, clock=clock)
    light = np.random.default_rng(0).gamma(9, 20, (40, 3)).astype(np.float32)
    nothing, still = np.zeros(3, np.float32), np.zeros(2, np.float32)
    stream = [
        Received(Stamped("bridge", n, 0, "host", Fluorescence(f, nothing, n, t, still)), t)
        for n, f in enumerate(light)
        for t in [round(n * 1e9 / 15)]
    ]
    outs = run(stage, stream)
    assert stage.neurons == 3
    assert stage.fields is None
    assert stage.calibrated
    assert list(responses(outs).values())[-1].valid.all()
    stage.save(tmp_path)
    again = calcium_stage(
        detecting(rois_from_source=True, detector="none", calibration=tmp_path / "calibration.npz"),
        clock=clock,
    )
    assert again.calibrated
