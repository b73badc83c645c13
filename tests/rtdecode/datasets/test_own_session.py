"""A session of rtdecode as data: each value in the frame in which it was recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_log import split_copy

from rtdecode.datasets.own_session import OwnSession, is_own_session
from rtdecode.datasets.video_session import segments
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.offline.job import Request
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.offline.ridge import fit_ridge
from rtdecode.offline.trial import Input, trials_of
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import (
    MissingFileError,
    NoSuchTierError,
    TooFewClipsError,
    UnreadableFileError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.train.twin_fit import fit_compact
from rtdecode.twins.folder import load_twin

Run = Any
"""The growing session of `conftest`."""
NEURONS, ROWS, COLS = 12, 12, 16
Blobs = Callable[..., np.ndarray]
TIERS = ("train", "oracle", "test")
SHORT = TrainingConfig(steps=50, batch=2, frames=24, warm_up_steps=5, validate_every=25)


def first_frame(data: OwnSession, trial: int) -> int:
    """Frame of the run at which a trial begins, as its first neuron tells."""
    return int(data.segment(trial).responses[0, 0])


def test_each_presentation_is_a_trial_in_temporal_order(recorded: Run) -> None:
    data = OwnSession(recorded.folder)
    assert (data.neurons, data.rows_px, data.cols_px) == (NEURONS, ROWS, COLS)
    numbers = sorted(number for tier in TIERS for number in data.trials(tier))
    assert numbers == list(range(6))
    assert [first_frame(data, number) for number in numbers] == [0, 100, 200, 300, 400, 500]
    assert [data.frames(number) for number in numbers] == [100] * 6


def test_a_log_in_parts_gives_the_same_trials(recorded: Run, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    split_copy(recorded.folder / "log.mcap", tmp_path / "parts" / "log.mcap", parts=7)
    whole, parts = OwnSession(recorded.folder), OwnSession(tmp_path / "parts")
    for tier in TIERS:
        assert parts.trials(tier) == whole.trials(tier)
    for number in range(6):
        one, other = whole.segment(number), parts.segment(number)
        np.testing.assert_array_equal(one.video, other.video)
        np.testing.assert_array_equal(one.responses, other.responses)


@pytest.mark.parametrize(("first", "frames"), [(0, None), (5, 7), (40, None)])
def test_a_segment_holds_what_was_recorded_in_its_frames(
    recorded: Run, blobs: Blobs, first: int, frames: int | None
) -> None:
    data = OwnSession(recorded.folder)
    cut = data.segment(2, first=first, frames=frames)
    stop = 100 if frames is None else first + frames
    at = 200 + np.arange(first, stop)[:, None]
    np.testing.assert_array_equal(cut.video, blobs(2)[first:stop])
    np.testing.assert_allclose(cut.responses, at + np.arange(NEURONS) / 16)
    np.testing.assert_allclose(cut.behaviour, at + np.arange(4), atol=1e-4)
    np.testing.assert_array_equal(data.video(2), blobs(2))
    assert cut.video.dtype == cut.responses.dtype == cut.behaviour.dtype == np.float32


def test_a_clip_that_is_shown_again_stays_in_its_tier(recorded: Run) -> None:
    data = OwnSession(recorded.folder)
    of = {number: tier for tier in TIERS for number in data.trials(tier)}
    assert of[0] == of[5]
    assert {tier for tier in TIERS if data.trials(tier)} == set(TIERS)


def test_the_rois_of_the_session_are_known(run: Run, blobs: Blobs) -> None:
    run.rois_hash = "0123456789abcdef"
    for number in range(3):
        run.clip(f"clip{number}", blobs(number))
    assert OwnSession(run.end()).rois_hash == "0123456789abcdef"


def test_a_copy_under_another_name_stays_in_its_tier_too(run: Run, blobs: Blobs) -> None:
    for number in range(10):
        run.clip(f"clip{number}", blobs(number % 5))
    data = OwnSession(run.end())
    of = {number: tier for tier in TIERS for number in data.trials(tier)}
    assert [of[number] for number in range(5)] == [of[number + 5] for number in range(5)]


@given(seed=st.integers(0, 1000), part=st.floats(0, 0.6))
@settings(max_examples=10)
def test_gaps_stay_gaps(new_run: Callable[[], Run], blobs: Blobs, seed: int, part: float) -> None:
    run = new_run()
    rng = np.random.default_rng(seed)
    valid = rng.random((3, 100, NEURONS)) >= part
    valid[:, 40:50] = False
    valid[:, [0, -1], 0] = True
    for number in range(3):
        run.clip(f"clip{number}", blobs(number), valid=valid[number])
    data = OwnSession(run.end())
    for tier in TIERS:
        [trial] = trials_of(data, tier, Input.RESPONSES)
        cut = data.segment(trial.number)
        np.testing.assert_array_equal(cut.measured, valid[trial.number])
        np.testing.assert_array_equal(trial.valid, valid[trial.number])
        assert np.isfinite(trial.responses).all()
        assert sum(1 for _ in segments(data, tier)) == 1


def test_a_killed_run_gives_its_whole_clips_and_at_most_one_that_is_cut(recorded: Run) -> None:
    log = recorded.folder / "log.mcap"
    log.write_bytes(log.read_bytes()[: int(0.7 * log.stat().st_size)])
    data = OwnSession(recorded.folder)
    lengths = [data.frames(k) for tier in TIERS for k in data.trials(tier)]
    assert 3 <= len(lengths) <= 5
    # where the log ends within a clip depends on its bytes
    assert lengths.count(100) >= len(lengths) - 1
    assert max(lengths) == 100


def test_too_few_clips_are_counted(run: Run, blobs: Blobs) -> None:
    for number in (0, 1, 0, 1):
        run.clip(f"clip{number}", blobs(number))
    with pytest.raises(TooFewClipsError, match=r"shows 2 different clips.*at least 3.*embedded"):
        OwnSession(run.end())


def test_wrong_folders_and_files_are_named(tmp_path: Path, recorded: Run) -> None:
    assert is_own_session(recorded.folder)
    other = tmp_path / "other"
    other.mkdir()
    assert not is_own_session(other)
    with pytest.raises(MissingFileError, match="`rtdecode demo` has written"):
        OwnSession(other)
    (other / "log.mcap").write_bytes(b"no log at all")
    with pytest.raises(UnreadableFileError, match="expected an MCAP file"):
        OwnSession(other)


def test_other_tiers_and_raw_traces_are_refused(recorded: Run) -> None:
    data = OwnSession(recorded.folder)
    with pytest.raises(NoSuchTierError, match="'live_main': its tiers are oracle, test, train"):
        data.trials("live_main")
    with pytest.raises(MissingFileError, match=r"raw traces.*use --input responses"):
        next(trials_of(data, "test", Input.TRACES))


@pytest.fixture
def seeing(run: Run, blobs: Blobs) -> Path:
    """Twelve clips before neurons that see light, some of whose frames were not measured."""
    rng = np.random.default_rng(3)
    for number in range(12):
        video = blobs(number)
        light = video[:, 1::4, 1::4].reshape(len(video), NEURONS).astype(np.float32)
        rate = np.maximum(0.1, (np.roll(light, 2, 0) - 90) / 40)
        valid = rng.random(rate.shape) > 0.05
        valid[30] = False
        run.clip(f"clip{number}", video, activity=rng.gamma(4, rate / 4), valid=valid)
    return run.end()


def test_a_twin_and_a_linear_decoder_are_fitted_and_score_what_was_held_out(
    seeing: Path, tmp_path: Path, clock: Clock
) -> None:
    data = OwnSession(seeing)
    ridge = fit_ridge(data, lag_frames=4)
    ridge.save(tmp_path / "ridge")
    outcome = fit_compact(data, tmp_path / "twin", SHORT, clock=clock, report=lambda _: None)
    assert np.isfinite(outcome.single_trial_r).all()
    trained = TrainedClips(load_twin(tmp_path / "twin").spec.training_clips)
    assert all(trained.leak(data.video(number)) for number in data.trials("train"))
    assert not any(trained.leak(data.video(number)) for number in data.trials("test"))
    scores = {}
    for method in ("ridge", "mean", "online"):
        request = Request(
            data=seeing,
            out=tmp_path / method,
            method=method,
            tier="test",
            twins=(tmp_path / "twin",) if method == "online" else (),
            ridge=tmp_path / "ridge",
            lag_frames=4,
            steps=3,
            iterations=None,
            mask=None,
            source="responses",
        )
        summary = reconstruct(request, clock=clock, report=lambda *_: None)
        scores[method] = summary["video_r"]["mean"]
        assert summary["causality"] == "causal"
    assert scores["ridge"] > scores["mean"] + 0.2
    assert np.isfinite(scores["online"])
