"""Several sessions of one mouse are one; neurons are matched; others are refused by name."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.joined_sessions import JoinedSessions, read_matches, unique_names
from rtdecode.datasets.opening import open_sessions
from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment
from rtdecode.schema.errors import (
    MissingFileError,
    NoSuchTierError,
    SessionsDifferError,
    UnreadableFileError,
)
from rtdecode.train.crops import Crops
from rtdecode.train.starting_point import survey

ROWS, COLS, FRAMES, NEURONS = 6, 8, 30, 5
TIERS = (TRAIN, TRAIN, VALIDATION)


def trial(seed: int, *, neurons: int = NEURONS, cols: int = COLS) -> Segment:
    rng = np.random.default_rng(seed)
    video = rng.integers(0, 255, (FRAMES, ROWS, cols)).astype(np.float32)
    activity = rng.gamma(2, 1, (FRAMES, neurons)).astype(np.float32)
    return Segment(video, activity, rng.normal(size=(FRAMES, 4)).astype(np.float32))


def written(folder: Path, trials: list[Segment], tiers: tuple[str, ...] = TIERS) -> SensoriumFolder:
    writer = SessionWriter(folder)
    for one, tier in zip(trials, tiers, strict=True):
        writer.add(one, tier=tier)
    return SensoriumFolder(folder)


def moved(one: Segment, places: list[int]) -> Segment:
    return Segment(one.video, one.responses[:, places], one.behaviour)


@pytest.fixture
def two(tmp_path: Path) -> tuple[SensoriumFolder, SensoriumFolder]:
    return tuple(  # type: ignore[return-value]
        written(tmp_path / name, [trial(seed + k) for k in range(3)])
        for name, seed in (("monday", 0), ("tuesday", 10))
    )


def test_two_sessions_are_as_if_they_had_been_one(
    two: tuple[SensoriumFolder, SensoriumFolder], tmp_path: Path
) -> None:
    """The same trials, in the same order, and with that the same start and steps of a training."""
    seeds = [0, 1, 2, 10, 11, 12]
    one = written(tmp_path / "one", [trial(seed) for seed in seeds], TIERS + TIERS)
    joined = JoinedSessions(two)
    assert joined.tier_names == one.tier_names
    assert joined.trials(TRAIN) == one.trials(TRAIN) == (0, 1, 3, 4)
    assert joined.trials(VALIDATION) == (2, 5)
    for name in ("rate", "behaviour_mean", "luminance_sd", "clip_hashes"):
        np.testing.assert_array_equal(getattr(survey(joined), name), getattr(survey(one), name))
    batches = [
        Crops(data, TRAIN, batch=3, frames=8, history=4, seed=1).batch(2) for data in (joined, one)
    ]
    np.testing.assert_array_equal(batches[0].responses, batches[1].responses)
    np.testing.assert_array_equal(batches[0].video, batches[1].video)
    np.testing.assert_array_equal(joined.video(4), one.video(4))
    assert joined.frames(5) == FRAMES
    assert joined.folder.name == "monday+tuesday"


def test_matched_neurons_have_the_order_of_the_first_session(tmp_path: Path) -> None:
    """Of the second session neuron 3 is the first one's 0, and so on; its 1 is no one's."""
    trials = [trial(seed) for seed in range(3)]
    first = written(tmp_path / "a", trials)
    # places in b: 0 is a's 2, 1 is of none, 2 is a's 4, 3 is a's 0
    second = written(tmp_path / "b", [moved(one, [2, 1, 4, 0]) for one in trials])
    table = tmp_path / "t.csv"
    table.write_text("a,b\n2,0\n4,2\n0,3\n")
    joined = open_sessions([first.folder, second.folder], match=table)
    again = joined.segment(3, first=5, frames=4).responses
    truth = trials[0].responses[5:9]
    np.testing.assert_array_equal(again[:, [0, 2, 4]], truth[:, [0, 2, 4]])
    assert np.isnan(again[:, [1, 3]]).all()
    np.testing.assert_array_equal(joined.segment(0).responses, trials[0].responses)
    assert joined.neurons == NEURONS


def test_a_neuron_may_be_missing_in_one_of_three_sessions(
    two: tuple[SensoriumFolder, SensoriumFolder], tmp_path: Path
) -> None:
    third = written(tmp_path / "c", [trial(20 + k, neurons=2) for k in range(3)])
    (tmp_path / "t.csv").write_text("mon;tue;wed\n0;1;\n1;;0\n")
    _, tuesday, wednesday = read_matches(tmp_path / "t.csv", [*two, third])
    assert tuesday.tolist() == [1, -1, -1, -1, -1]
    assert wednesday.tolist() == [-1, 0, -1, -1, -1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n0\n", "2 columns of different names.*1"),
        ("0,1\n1,2\n", "first line with names of columns"),
        ("a,b\n0,9\n", "places from 0 to 4 in the column b.*'9' in line 2"),
        ("a,b\n0,x\n", "'x' in line 2"),
        ("a,b\n0,-1\n", "'-1' in line 2"),
        ("a,b\n0,1\n1,1\n", "each neuron once in the column b.*1 in the lines 2 and 3"),
        ("a,b\n0,1\n,2\n", "a neuron of the first session in each row.*line 3"),
        ("a,b\n", "no rows"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(
    text: str, reason: str, two: tuple[SensoriumFolder, SensoriumFolder], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UnreadableFileError, match=reason):
        read_matches(tmp_path / "t.csv", two)


def test_a_table_that_is_not_there_is_refused(
    two: tuple[SensoriumFolder, SensoriumFolder], tmp_path: Path
) -> None:
    with pytest.raises(MissingFileError, match="table of matched ROIs"):
        read_matches(tmp_path / "t.csv", two)


def test_sessions_that_differ_are_refused(
    two: tuple[SensoriumFolder, SensoriumFolder], tmp_path: Path
) -> None:
    few = written(tmp_path / "few", [trial(k, neurons=4) for k in range(3)])
    wide = written(tmp_path / "wide", [trial(k, cols=COLS + 1) for k in range(3)])
    with pytest.raises(SessionsDifferError, match=r"5 and 4 neurons: give --match .* --population"):
        JoinedSessions([two[0], few])
    with pytest.raises(SessionsDifferError, match="screen in px"):
        JoinedSessions([two[0], wide])
    with pytest.raises(SessionsDifferError, match="the same session"):
        JoinedSessions([two[0], two[0]])
    two[0].rois_hash, two[1].rois_hash = "aa", "bb"
    with pytest.raises(SessionsDifferError, match="ROIs differ in content"):
        JoinedSessions(two)


def test_a_tier_that_no_session_has_and_raw_traces_are_refused(
    two: tuple[SensoriumFolder, SensoriumFolder],
) -> None:
    joined = JoinedSessions(two)
    with pytest.raises(NoSuchTierError, match="monday"):
        joined.trials("test")
    with pytest.raises(MissingFileError, match="use a single session"):
        joined.traces(0)


def test_a_single_session_is_opened_as_it_is(
    two: tuple[SensoriumFolder, SensoriumFolder],
) -> None:
    assert isinstance(open_sessions([two[0].folder]), SensoriumFolder)


def test_sessions_in_folders_of_one_name_are_named_after_their_parents() -> None:
    assert unique_names([Path("/m/a"), Path("/m/b.nwb")]) == ["a", "b"]
    assert unique_names([Path("/m/a/data"), Path("/m/b/data")]) == ["a_data", "b_data"]
