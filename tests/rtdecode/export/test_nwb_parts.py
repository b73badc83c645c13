"""The parts of an NWB file: what a session does not have leaves no trace in it."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynwb import NWBFile
from seen_run import CLIP_FRAMES, FIRST, NEURONS, STATED, SeenRun, blobs

from rtdecode.datasets.nwb_export import export_in
from rtdecode.export.nwb_activity import add_calcium
from rtdecode.export.nwb_behaviour import add_behaviour
from rtdecode.export.nwb_events import add_events, add_notes
from rtdecode.export.nwb_frames import add_decoded, add_displayed
from rtdecode.export.nwb_library import nwb_library, times
from rtdecode.export.nwb_metadata import identifier, lacking
from rtdecode.export.nwb_planes import neurons_by_plane
from rtdecode.export.nwb_scores import add_scores
from rtdecode.export.nwb_trials import add_trials
from rtdecode.export.recorded_segments import recorded_segments
from rtdecode.export.sensorium_statistics import write_statistics
from rtdecode.export.session_content import PlaneScans, SessionContent, read_content
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.metadata import MetadataConfig
from rtdecode.schema.errors import ExtraMissingError, NeuronsChangedError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Fluorescence
from rtdecode.session.recorded import RecordedSession

EMPTY = SessionContent(Path("log.mcap"), FrameGrid(30.0))
CONFIG = RunConfig()


@pytest.fixture
def file() -> Any:
    return NWBFile("made up", "made up", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "add",
    [
        lambda file: add_displayed(file, EMPTY, CONFIG),
        lambda file: add_decoded(file, EMPTY, CONFIG),
        lambda file: add_calcium(file, EMPTY, [], CONFIG.calcium),
        lambda file: add_behaviour(file, EMPTY),
        lambda file: add_events(file, EMPTY, None),
        lambda file: add_notes(file, EMPTY, []),
        lambda file: add_scores(file, EMPTY),
        lambda file: add_trials(file, EMPTY),
    ],
)
def test_what_was_not_recorded_leaves_no_trace(file: Any, add: Callable[[Any], Any]) -> None:
    before = len(file.objects)
    add(file)
    assert len(file.objects) == before
    assert export_in(file) is None


@given(start_s=st.floats(0, 1e4), rate_hz=st.floats(0.5, 500), count=st.integers(3, 200))
def test_regular_times_are_a_start_and_a_rate(start_s: float, rate_hz: float, count: int) -> None:
    t_s = start_s + np.arange(count) / rate_hz
    stated = times(t_s)
    if "rate" in stated:
        again = stated["starting_time"] + np.arange(count) / stated["rate"]
        np.testing.assert_allclose(again, t_s, atol=1e-8)
    else:
        np.testing.assert_array_equal(stated["timestamps"].data, t_s)


def test_irregular_times_are_kept() -> None:
    t_s = np.array([0.0, 0.1, 0.2, 0.3001])
    np.testing.assert_array_equal(times(t_s)["timestamps"].data, t_s)
    assert times(np.arange(5) / 4)["rate"] == 4


def test_without_pynwb_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(ExtraMissingError, match=r"rtdecode\[nwb\]"):
        nwb_library()


def test_only_what_is_missing_is_asked_for() -> None:
    assert lacking(MetadataConfig.model_validate(STATED), config="config.yaml") == []
    born = MetadataConfig.model_validate({**STATED, "animal": {"id": "m1"}})
    assert lacking(born, config="config.yaml") == [
        "The file does not state the date of birth of the animal, which archives such as DANDI "
        "need.",
        "Not stated: session.animal.born. State them in config.yaml and export again.",
    ]


def test_an_identifier_is_a_uuid_of_the_run() -> None:
    other = SessionContent(Path("log.mcap"), FrameGrid(30.0), zero_ns=5)
    assert identifier(EMPTY) == identifier(EMPTY) != identifier(other)


def test_neurons_are_divided_among_planes_where_their_numbers_are_known() -> None:
    config = RunConfig.model_validate({"calcium": {"planes": 3, "decoded_planes": [2, 0]}})
    content = SessionContent(Path("log.mcap"), FrameGrid(30.0), neurons=7, measured={0: True})
    assert neurons_by_plane(config, content) == {2: 7}
    content.planes = {0: PlaneScans(4), 2: PlaneScans(3)}
    assert list(neurons_by_plane(config, content).items()) == [(2, 3), (0, 4)]


def test_a_pupil_of_zero_px_was_not_recorded(file: Any) -> None:
    content = SessionContent(Path("log.mcap"), FrameGrid(30.0))
    content.samples = {k: (float(k), 0.0, 0.0, 0.0) for k in (3, 1, 2)}
    lacks = add_behaviour(file, content)
    assert lacks == ["No pupil diameter was recorded.", "No pupil position was recorded."]
    assert list(file.processing["behavior"].data_interfaces) == ["BehavioralTimeSeries"]
    running = file.processing["behavior"]["BehavioralTimeSeries"]["running_speed"]
    assert running.data.data.tolist() == [1, 2, 3]


def test_trials_are_found_without_their_arrays(seen: Path) -> None:
    session = RecordedSession(seen)
    content = read_content(session)
    found, lacks = recorded_segments(content, lambda part: session.displayed[part].values)
    assert lacks == []
    assert [one.segment.frames for one in found] == [
        range(FIRST + k * CLIP_FRAMES, FIRST + (k + 1) * CLIP_FRAMES) for k in range(6)
    ]
    assert {one.tier for one in found} == {"train", "oracle", "test"}


def test_neurons_that_change_within_a_session_are_refused(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session")
    run.clip("clip0", blobs(0, frames=10))
    more = np.zeros(NEURONS + 1, np.float32)
    run.say("decoder", Fluorescence(more, more, 99, 0, np.zeros(2, np.float32)))
    with pytest.raises(NeuronsChangedError, match=r"12 neurons.*13 neurons"):
        read_content(RecordedSession(run.end().folder))


def test_the_median_of_a_video_is_between_its_middle_pixels(tmp_path: Path) -> None:
    video = np.array([[[1, 9]]], np.uint8)
    for kind in ("videos", "responses", "behavior", "pupil_center"):
        folder = tmp_path / "data" / kind
        folder.mkdir(parents=True)
        np.save(folder / "0.npy", video if kind == "videos" else np.ones((2, 2), np.float32))
    (tmp_path / "meta" / "trials").mkdir(parents=True)
    np.save(tmp_path / "meta" / "trials" / "tiers.npy", np.array(["train"]))
    write_statistics(tmp_path)
    assert np.load(tmp_path / "meta" / "statistics" / "videos" / "all" / "median.npy") == 5
