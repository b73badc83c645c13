"""NWB files as pynwb writes them, read as sessions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import TimeSeries
from pynwb.behavior import BehavioralTimeSeries, EyeTracking, PupilTracking, SpatialSeries
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.datasets.nwb_screen import SCREEN_PX
from rtdecode.datasets.nwb_session import NwbSession
from rtdecode.schema.errors import (
    MissingFileError,
    NoSuchTierError,
    TooFewClipsError,
    UnreadableFileError,
)

Blobs = Callable[..., np.ndarray]

COUNTED = (np.arange(600) % 256).astype(np.uint8)


@pytest.fixture
def whole(recording: Any) -> Any:
    """Activity that tells time and neuron, and a screen whose grey level is its frame's number."""
    recording.activity(recording.ramp())
    recording.screen(recording.dark() + COUNTED[:, None, None])
    recording.trials(
        [(0.0, 4.0), (5.0, 9.0), (10.0, 14.0), (15.0, 19.0)],
        tier=["train", "train", "validation", "test"],
    )
    return recording


def test_each_row_of_the_table_is_a_trial_on_a_grid_of_its_own(whole: Any) -> None:
    session = NwbSession(whole.written())
    assert session.trials("train") == (0, 1)
    assert session.trials("oracle") == (2,)
    assert session.trials("test") == (3,)
    assert (session.neurons, session.frames(1)) == (5, 120)
    cut = session.segment(1, first=30, frames=40)
    at_s = 6 + np.arange(40) / 30
    expected = at_s[:, None] + 10 * np.arange(5)
    np.testing.assert_allclose(cut.responses, expected, rtol=1e-5)
    assert (cut.video[:, 3, 5] == COUNTED[180:220]).all()
    np.testing.assert_array_equal(session.video(1)[30:70], cut.video)


def test_a_missing_tier_is_reported_with_the_tiers_that_exist(whole: Any) -> None:
    with pytest.raises(NoSuchTierError, match="'final': its tiers are oracle, test, train"):
        NwbSession(whole.written()).trials("final")


def test_a_trial_ends_where_screen_or_activity_does(recording: Any) -> None:
    recording.activity(recording.ramp()[:150])  # to 14.9 s
    recording.screen(np.zeros((240, 36, 64), np.uint8), name="first")  # to 8 s
    recording.screen(
        np.zeros((300, 36, 64), np.uint8), name="second", rate=30.0, starting_time=10.0
    )
    recording.trials(
        [(0.0, 4.0), (4.0, 9.5), (6.0, 12.0), (10.0, 20.0), (16.0, 19.0)], tier=["train"] * 5
    )
    session = NwbSession(recording.written())
    assert [session.frames(k) for k in session.trials("train")] == [120, 120, 147]


def test_of_a_trial_the_longest_part_with_screen_and_activity_counts(recording: Any) -> None:
    scans_s = np.concatenate([np.arange(100) / 10, 15 + np.arange(100) / 10])
    recording.activity(recording.ramp(), timestamps=scans_s)
    recording.screen(recording.dark()[:450] + 9, rate=30.0, starting_time=1.0)  # to 16 s
    recording.trials([(0.0, 16.0), (2.0, np.nan)], tier=["train", "train"])
    session = NwbSession(recording.written())
    assert session.trials("train") == (0,)
    assert session.frames(0) == 270  # from 1 s to 10 s
    cut = session.segment(0)
    np.testing.assert_allclose(cut.responses[:30, 0], 1 + np.arange(30) / 30, rtol=1e-5)
    assert (cut.video == 9).all()


def test_a_segment_ends_with_its_trial(whole: Any) -> None:
    session = NwbSession(whole.written())
    for first, frames, left in ((110, 50, 10), (20, 0, 0)):
        cut = session.segment(0, first=first, frames=frames)
        assert len(cut.video) == len(cut.responses) == len(cut.behaviour) == left


def test_a_trial_without_a_tier_is_left_out(recording: Any) -> None:
    recording.activity(recording.ramp())
    recording.screen(recording.dark())
    recording.trials([(0.0, 4.0), (5.0, 9.0), (10.0, 14.0)], tier=["Train", "", "nan"])
    session = NwbSession(recording.written())
    assert session.trials("train") == (0,)
    with pytest.raises(NoSuchTierError, match=r"its tiers are train$"):
        session.trials("test")


def test_the_same_clip_by_its_column_is_in_one_tier(recording: Any, blobs: Blobs) -> None:
    recording.activity(recording.ramp())
    recording.screen(np.concatenate([blobs(seed, 150) for seed in range(4)]))
    spans = [(5.0 * k, 5.0 * k + 4) for k in range(4)]
    recording.trials(spans, movie=["a", "b", "c", "b"])
    session = NwbSession(recording.written())
    tiers = {k: tier for tier in ("train", "oracle", "test") for k in session.trials(tier)}
    assert tiers[1] == tiers[3]
    assert len(set(tiers.values())) == 3


def test_without_a_table_stimuli_are_divided_and_equal_images_share_a_tier(
    recording: Any, blobs: Blobs
) -> None:
    clips = [blobs(seed, 120) for seed in (0, 1, 2, 1)]
    recording.activity(recording.ramp())
    for k, clip in enumerate(clips):
        recording.screen(clip, name=f"clip{k}", rate=30.0, starting_time=5.0 * k)
    session = NwbSession(recording.written())
    tiers = {k: tier for tier in ("train", "oracle", "test") for k in session.trials(tier)}
    assert sorted(tiers) == [0, 1, 2, 3]
    assert tiers[1] == tiers[3]
    assert len(set(tiers.values())) == 3


def test_too_few_clips_for_three_tiers_are_refused(recording: Any, blobs: Blobs) -> None:
    recording.activity(recording.ramp())
    recording.screen(blobs(0, 300), name="one", rate=30.0, starting_time=0.0)
    recording.screen(blobs(0, 300), name="two", rate=30.0, starting_time=10.0)
    with pytest.raises(TooFewClipsError, match=r"mouse\.nwb shows 1 different clips"):
        NwbSession(recording.written())


def test_the_command_line_takes_a_file(whole: Any, tmp_path: Path) -> None:
    mask, out = tmp_path / "mask.npy", tmp_path / "out"
    np.save(mask, np.ones(SCREEN_PX, np.bool_))
    asked = ["--data", whole.written(), "--method", "mean", "--mask", mask, "--out", out]
    done = CliRunner().invoke(app, ["reconstruct", *map(str, asked)])
    assert done.exit_code == 0, done.output
    assert np.load(out / "3.npy").shape == (120, 36, 64)


def test_streams_without_common_time_are_reported(recording: Any) -> None:
    recording.activity(recording.ramp())
    recording.screen(recording.dark(), rate=30.0, starting_time=500.0)
    with pytest.raises(
        UnreadableFileError, match=r"activity 0\.0 to 19\.9 s, images 500\.0 to 520"
    ):
        NwbSession(recording.written())


def test_missing_measurements_are_nan_and_missing_channels_zero(recording: Any) -> None:
    values = recording.ramp()
    values[30:60, 2] = np.nan
    recording.activity(values)
    recording.screen(recording.dark())
    recording.trials([(0.0, 10.0)], tier=["train"])
    cut = NwbSession(recording.written()).segment(0)
    assert cut.measured[:, [0, 1, 3, 4]].all()
    assert not cut.measured[90:178, 2].any()
    assert cut.measured[:87, 2].all()
    assert not cut.behaviour.any()


def test_behaviour_comes_in_the_order_running_diameter_centre(whole: Any) -> None:
    at, told = {"rate": 10.0, "starting_time": 0.0}, np.arange(200) / 10
    centre = np.column_stack([told + 1, told + 2])
    whole.behave(
        BehavioralTimeSeries(
            time_series=TimeSeries(name="speed", data=told / 100, unit="m/s", **at)
        ),
        PupilTracking(time_series=TimeSeries(name="radius", data=told, unit="px", **at)),
        EyeTracking(
            spatial_series=SpatialSeries(name="pupil", data=centre, reference_frame="-", **at)
        ),
    )
    at_s = 10 + np.arange(120) / 30
    expected = np.column_stack([at_s, 2 * at_s, at_s + 1, at_s + 2])
    told = NwbSession(whole.written()).segment(2).behaviour
    np.testing.assert_allclose(told, expected, rtol=1e-4)


def test_scans_are_not_read(whole: Any) -> None:
    with pytest.raises(MissingFileError, match="--input responses"):
        NwbSession(whole.written()).traces(0)
