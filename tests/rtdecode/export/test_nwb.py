"""A session as an NWB file: what is in it, what it states to lack, and what an inspector says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from nwbinspector import Importance, inspect_nwbfile
from pynwb import NWBHDF5IO
from seen_run import CLIP_FRAMES, FIRST, NEURONS, STATED, UTC_NS, SeenRun, blobs, write_seen_run

from rtdecode.export.nwb import write_nwb
from rtdecode.session.layout import SessionLayout
from rtdecode.session.notes import append_note
from rtdecode.session.recorded import RecordedSession

TWO_PLANES = {"planes": 3, "decoded_planes": [0, 2]}
MINOR = Importance.BEST_PRACTICE_SUGGESTION


@pytest.fixture(scope="module")
def file(seen_nwb: Path) -> Any:
    with NWBHDF5IO(str(seen_nwb), "r") as io:
        yield io.read()


def findings(path: Path) -> set[str]:
    """What nwbinspector finds beyond suggestions, its own errors included, a line for each."""
    found = inspect_nwbfile(nwbfile_path=str(path))
    return {
        f"{one.importance.name} {one.check_function_name}: {one.message}"
        for one in found
        if one.importance is not MINOR
    }


def exported(tmp_path: Path, **sections: Any) -> tuple[Path, list[str]]:
    session = write_seen_run(tmp_path / "session", clips=3, **sections)
    path = tmp_path / "session.nwb"
    return path, write_nwb(RecordedSession(session.folder), path)


def test_an_inspector_finds_nothing_serious(seen_nwb: Path) -> None:
    assert findings(seen_nwb) == set()


@pytest.mark.parametrize(
    "sections", [{"decode": None}, {"calcium": TWO_PLANES}], ids=["no decoder", "two planes"]
)
def test_nor_in_sessions_of_other_kinds(tmp_path: Path, sections: Mapping[str, Any]) -> None:
    path, _ = exported(tmp_path, session=STATED, **sections)
    assert findings(path) == set()


def test_what_is_not_stated_is_named_with_its_key(tmp_path: Path) -> None:
    path, lacks = exported(tmp_path)
    page = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    stated = page.partition("<!-- inspector: begin -->\n```text\n")[2].partition("```")[0]
    assert findings(path) == set(stated.splitlines())
    text = " ".join(lacks)
    assert "does not state the id and date of birth of the animal" in text
    for key in ("session.animal.id", "session.animal.born", "session.imaging.location"):
        assert key in text


def test_metadata_are_those_of_the_config(file: Any) -> None:
    animal = STATED["animal"]
    assert (file.lab, file.institution, file.protocol) == ("Retina", "Madrid", "G-0123")
    assert list(file.experimenter) == ["Cajal, Santiago"]
    assert list(file.keywords[:]) == ["vision", "closed loop"]
    assert file.notes == "A calm animal."
    assert file.session_start_time.timestamp() == UTC_NS / 1e9
    subject = file.subject
    assert (subject.subject_id, subject.sex, subject.weight) == ("m1", "F", "24.5 g")
    assert (subject.species, subject.strain) == ("Mus musculus", animal["strain"])
    days = (file.session_start_time.date() - subject.date_of_birth.date()).days
    assert subject.age == f"P{days}D"
    [plane] = file.imaging_planes.values()
    assert (plane.indicator, plane.location) == ("GCaMP6s", "VISp2/3")
    assert plane.imaging_rate == pytest.approx(30, rel=1e-6)
    assert plane.device.name == "Mesoscope"
    np.testing.assert_allclose(plane.grid_spacing, 0.8e-6)


def test_config_and_versions_are_in_the_scratch(file: Any, seen: Path) -> None:
    assert file.scratch["rtdecode_config"].data == (seen / "config.yaml").read_text()
    assert file.was_generated_by[:].astype(str).tolist() == [["rtdecode", "0.1.0"]]


def test_the_identifier_is_that_of_the_session(
    seen: Path, file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = exported(tmp_path)
    again = tmp_path / "again.nwb"
    write_nwb(RecordedSession(seen), again)
    identifiers = []
    for path in (again, other):
        with NWBHDF5IO(str(path), "r") as io:
            identifiers.append(io.read().identifier)
    assert identifiers[0] == file.identifier != identifiers[1]


def test_rois_are_read_back_with_their_pixels(seen: Path, seen_nwb: Path, file: Any) -> None:
    kept = RecordedSession(seen).rois[0]
    table = file.processing["ophys"]["ImageSegmentation"]["rois_plane_0"]
    for neuron in (0, NEURONS - 1):
        pixels = table["pixel_mask"][neuron]
        rows, cols = kept.pixels_of(neuron)
        np.testing.assert_array_equal(pixels["x"], cols)
        np.testing.assert_array_equal(pixels["y"], rows)
        np.testing.assert_array_equal(pixels["weight"], kept.weights_of(neuron))
    mean = file.processing["ophys"]["field_of_view_plane_0"]["mean"]
    np.testing.assert_array_equal(mean.data[:].ravel(), np.arange(mean.data.size))


def test_fluorescence_and_neuropil_have_the_times_of_their_scans(file: Any, seen: Path) -> None:
    recorded = RecordedSession(seen)
    found = file.processing["ophys"]["Fluorescence"]
    for name, stream in (("raw", recorded.fluorescence), ("neuropil", recorded.neuropil)):
        series = found[f"{name}_plane_0"]
        np.testing.assert_array_equal(series.data[:], stream.values)
        np.testing.assert_allclose(times_of(series), stream.t_s, atol=1e-8)
        assert series.data.compression == "gzip"


def times_of(series: Any) -> np.ndarray:
    if series.timestamps is not None:
        return series.timestamps[:]
    return series.starting_time + np.arange(len(series.data)) / series.rate


def test_two_planes_keep_the_order_of_their_neurons(tmp_path: Path) -> None:
    path, _ = exported(tmp_path, calcium={"planes": 3, "decoded_planes": [2, 0]})
    recorded = RecordedSession(path.parent / "session")
    with NWBHDF5IO(str(path), "r") as io:
        ophys = io.read().processing["ophys"]
        series = ophys["Activity"].roi_response_series
        assert sorted(series) == ["deconvolved_00_plane_2", "deconvolved_01_plane_0"]
        values = np.hstack([series[name].data[:] for name in sorted(series)])
        tables = [series[name].rois.table.name for name in sorted(series)]
        raw = ophys["Fluorescence"]["raw_plane_2"].data[:]
    np.testing.assert_array_equal(values, recorded.activity.values)
    assert tables == ["rois_plane_2", "rois_plane_0"]
    np.testing.assert_array_equal(raw, recorded.fluorescence.of_plane(2).values)


def test_displayed_frames_have_their_flips_and_clips(file: Any, seen: Path) -> None:
    recorded = RecordedSession(seen).displayed.load()
    series, known = file.stimulus["displayed"], file.stimulus["displayed_frames"]
    np.testing.assert_array_equal(series.data[:], recorded.values)
    np.testing.assert_allclose(times_of(series), recorded.t_s, atol=1e-8)
    assert list(known["clip"][:]) == list(recorded.coords["clip"][1])


def test_the_field_of_view_is_stated_where_the_monitor_is(tmp_path: Path) -> None:
    monitor = {"distance_cm": 10.0, "width_cm": 20.0}
    path, _ = exported(tmp_path, stimulus={"monitor": monitor, "presenter": "headless"})
    with NWBHDF5IO(str(path), "r") as io:
        series = io.read().stimulus["displayed"]
        assert type(series).__name__ == "OpticalSeries"
        assert series.distance == pytest.approx(0.1)
        np.testing.assert_allclose(series.field_of_view[:], [0.2, 0.15])
        # half of the 15 pixels between the outermost centres, seen from 10 cm
        assert f"{2 * np.degrees(np.arctan(0.9375)):.1f} degrees of azimuth" in series.description


def test_reconstructions_have_the_times_of_their_content(file: Any, seen: Path) -> None:
    recorded = RecordedSession(seen)
    module = file.processing["decoding"]
    for name, stream in (
        ("reconstruction", recorded.decoded),
        ("uncertainty", recorded.uncertainty),
    ):
        np.testing.assert_array_equal(module[name].data[:], stream.values)
        np.testing.assert_allclose(times_of(module[name]), stream.t_s, atol=1e-8)
    frames = module["reconstruction_frames"]
    assert frames["frame"][:].tolist() == list(range(FIRST, FIRST + 6 * CLIP_FRAMES))
    assert "with a lag of 4 frames" in module["reconstruction"].description


def test_behaviour_is_that_of_the_rig(file: Any, seen: Path) -> None:
    recorded = RecordedSession(seen).behaviour.load()
    module = file.processing["behavior"]
    order = np.argsort(recorded.t_ns)
    running = module["BehavioralTimeSeries"]["running_speed"]
    np.testing.assert_allclose(running.data[:], recorded.values[order, 0], rtol=1e-6)
    center = module["EyeTracking"]["pupil_center"]
    np.testing.assert_allclose(center.data[:], recorded.values[order, 2:], rtol=1e-6)
    assert (running.unit, center.unit) == ("cm/s", "pixels")


def test_trials_are_those_of_the_protocol_and_clips_outside_of_them(file: Any) -> None:
    trials = file.trials.to_dataframe()
    assert trials["clip"].tolist() == [f"clip{k}" for k in (0, 1, 2, 3, 4, 0)]
    assert trials.block.tolist() == ["a", "", "", "", "", ""]
    assert trials.action.tolist() == [0, -1, -1, -1, -1, -1]
    assert trials.parameter_angle_deg[0] == 90
    assert np.isnan(trials.parameter_angle_deg[1:]).all()


def test_actions_stand_with_cause_and_effect(file: Any, seen: Path) -> None:
    actions = file.events["actions"].to_dataframe()
    assert actions.action.tolist() == ["show_clip", "trigger", "trigger"]
    assert actions.outcome.tolist() == ["sent", "sent", "not_armed"]
    assert actions.result.tolist() == ["applied", "", ""]
    zero_ns = RecordedSession(seen).zero_ns
    grid_ns = round(FIRST * 1e9 / 30)
    np.testing.assert_allclose(
        actions.effect_time[:2], [(grid_ns - zero_ns) / 1e9 + 0.1, (grid_ns - zero_ns) / 1e9 + 2e-3]
    )
    assert np.isnan(actions.effect_time[2])
    pulses = file.events["trigger_pulses"].to_dataframe()
    assert pulses.output.tolist() == ["laser"]
    np.testing.assert_allclose(pulses.duration, [4e-3])
    np.testing.assert_allclose(pulses.delay, [2.5e-3])


def test_losses_notes_and_restarts_are_events(file: Any) -> None:
    losses = file.events["losses"].to_dataframe()
    assert (losses.stream[0], losses.first_missing[0], losses.n_missing[0]) == ("bridge/scan", 7, 2)
    assert file.events["notes"]["annotation"][:].tolist() == ["it slept"]
    events = file.events["session_events"].to_dataframe()
    assert (events.code.tolist(), events.counts.tolist()) == (["overloaded"], ["scans 2"])
    starts = file.events["process_starts"].to_dataframe()
    assert starts.restarts[starts.process == "bridge"].tolist() == [0, 1]


def test_a_note_after_the_end_has_its_time(seen: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    copytree(seen, folder)
    later = datetime.fromtimestamp(UTC_NS / 1e9 + 3600, UTC)
    append_note(SessionLayout(folder), "it was awake", utc=later)
    path = tmp_path / "noted.nwb"
    write_nwb(RecordedSession(folder), path)
    with NWBHDF5IO(str(path), "r") as io:
        notes = io.read().events["notes"]
        assert notes["annotation"][:].tolist() == ["it slept", "it was awake"]
        assert notes["timestamp"][1] == pytest.approx(3600, abs=1e-3)


def test_scores_and_checks_stand_beside_the_reconstruction(file: Any) -> None:
    module = file.processing["decoding"]
    assert module["scores"]["video_r"][:].tolist() == [pytest.approx(0.7)]
    assert module["scores"]["final"][:].tolist() == [True]
    assert module["twin_check"]["verdict"][:].tolist() == ["match"]


def test_a_run_without_frames_or_neurons_is_a_valid_file(tmp_path: Path) -> None:
    session = SeenRun(tmp_path / "session").run.end()
    path = tmp_path / "empty.nwb"
    lacks = write_nwb(RecordedSession(session.folder), path)
    assert "No fluorescence and no activity were recorded." in lacks
    assert "No displayed frames were recorded." in lacks
    assert "Nothing was reconstructed." in lacks
    with NWBHDF5IO(str(path), "r") as io:
        assert list(io.read().events) == ["process_starts"]


def test_a_killed_recorder_leaves_what_was_flushed(tmp_path: Path) -> None:
    log = write_seen_run(tmp_path / "session", clips=3, session=STATED).log
    log.write_bytes(log.read_bytes()[: int(0.6 * log.stat().st_size)])
    path = tmp_path / "killed.nwb"
    write_nwb(RecordedSession(log.parent), path)
    with NWBHDF5IO(str(path), "r") as io:
        count = len(io.read().stimulus["displayed"].data)
    assert CLIP_FRAMES < count < 4 * CLIP_FRAMES


def test_without_rois_the_neurons_are_numbered(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session", session=STATED)
    run.clip("clip0", blobs(0))
    path = tmp_path / "numbers.nwb"
    lacks = write_nwb(RecordedSession(run.end(kept=False).folder), path)
    assert "The pixels of the ROIs of plane 0 are not kept with the session." in lacks
    assert findings(path) == set()
    with NWBHDF5IO(str(path), "r") as io:
        table = io.read().processing["ophys"]["ImageSegmentation"]["rois_plane_0"]
        assert table["number"][:].tolist() == list(range(NEURONS))
        assert np.isnan(table["image_mask"][:]).all()


def test_more_neurons_than_frames_are_explained(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session", session=STATED)
    run.clip("clip0", blobs(0, frames=10))
    lacks = write_nwb(RecordedSession(run.end().folder), tmp_path / "short.nwb")
    assert any("more neurons (12) than frames (10)" in one for one in lacks)
