from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import segments
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.linear_features import Transform, delay_bins
from rtdecode.offline.ridge import Ridge, fit_ridge, mean_frame_of
from rtdecode.schema.errors import MissingFileError, UnreadableFileError

LAG = 6


@pytest.fixture(scope="module")
def ridge(blob_session: SensoriumFolder) -> Ridge:
    return fit_ridge(blob_session, lag_frames=LAG)


def test_it_decodes_video_it_has_not_seen(ridge: Ridge, blob_session: SensoriumFolder) -> None:
    cut = blob_session.segment(blob_session.trials("test")[0])
    scored = slice(10, len(cut.video) - LAG)
    decoded, mean = ridge.video(cut.responses)[scored], mean_frame_of(blob_session)
    truth = cut.video[scored]
    assert pearson_r(truth, decoded) > 0.5
    assert pearson_r(truth, decoded) > pearson_r(truth, np.broadcast_to(mean, truth.shape)) + 0.2


def test_activity_after_the_lag_changes_nothing(
    ridge: Ridge, blob_session: SensoriumFolder
) -> None:
    responses = blob_session.segment(0).responses
    later = responses.copy()
    later[50:] = 7
    before, after = ridge.video(responses), ridge.video(later)
    np.testing.assert_array_equal(before[: 50 - LAG], after[: 50 - LAG])
    assert not np.allclose(before[50 - LAG], after[50 - LAG])


def test_frames_whose_lag_has_not_passed_are_not_emitted(
    ridge: Ridge, blob_session: SensoriumFolder
) -> None:
    video = ridge.video(blob_session.segment(0).responses)
    assert np.isnan(video[-LAG:]).all()
    assert np.isfinite(video[:-LAG]).all()
    assert np.isnan(ridge.video(np.ones((3, blob_session.neurons), np.float32))).all()


@given(lag=st.integers(0, 40))
def test_bins_are_causal_and_side_by_side(lag: int) -> None:
    bins = delay_bins(lag)
    assert bins[0][1] <= lag
    assert all(late[0] == early[1] + 1 for late, early in pairwise(bins))


def test_it_is_the_closed_form_answer(blob_session: SensoriumFolder) -> None:
    """The gradient of the penalised squares, written out once more, vanishes."""
    ridge = fit_ridge(blob_session, lag_frames=0)
    features, frames = [], []
    for number in blob_session.trials("train"):
        cut = blob_session.segment(number)
        scaled = (cut.responses - ridge.features.mean_activity) @ ridge.features.projection
        for t in range(8, len(scaled), 2):
            bins = [slice(max(0, t + first), t + last + 1) for first, last in delay_bins(0)]
            parts = [scaled[span].sum(0) / 3 for span in bins]
            features.append(np.concatenate(parts).astype(np.float64))
            frames.append((cut.video[t] - ridge.mean_frame).ravel())
    x, y = np.stack(features), np.stack(frames)
    gram = x.T @ x
    penalty = ridge.penalty * np.trace(gram) / len(gram)
    gradient = gram @ ridge.weights + penalty * ridge.weights - x.T @ y
    assert np.abs(gradient).max() < 1e-3 * np.abs(x.T @ y).max()


def test_what_is_saved_is_read_again(
    ridge: Ridge, blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    ridge.save(tmp_path / "ridge")
    loaded = Ridge.load(tmp_path / "ridge")
    assert (loaded.lag_frames, loaded.penalty) == (LAG, ridge.penalty)
    responses = blob_session.segment(0).responses
    np.testing.assert_array_equal(loaded.video(responses), ridge.video(responses))


def test_square_roots_are_decoded_as_they_were_fitted(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    """Activity a behind sqrt is activity a² in front of it."""
    root = fit_ridge(blob_session, lag_frames=LAG, transform=Transform.SQRT)
    everything = np.concatenate([cut.responses for cut in segments(blob_session, "train")])
    mean = np.sqrt(everything.astype(float)).mean(0)
    np.testing.assert_allclose(root.features.mean_activity, mean, rtol=1e-5)
    root.save(tmp_path)
    loaded = Ridge.load(tmp_path)
    cut = blob_session.segment(blob_session.trials("test")[0])
    np.testing.assert_array_equal(loaded.video(cut.responses), root.video(cut.responses))
    plain = replace(root, features=replace(root.features, transform=Transform.NONE))
    np.testing.assert_allclose(
        root.video(cut.responses), plain.video(np.sqrt(cut.responses)), atol=1e-3
    )


def test_penalties_are_judged_on_validation_trials(blob_session: SensoriumFolder) -> None:
    told: list[tuple[float, float]] = []
    chosen = fit_ridge(blob_session, lag_frames=0, report=lambda *pair: told.append(pair))
    assert chosen.penalty == max(told, key=lambda pair: pair[1])[0]


def test_a_missing_or_damaged_decoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="rtdecode fit ridge"):
        Ridge.load(tmp_path)
    (tmp_path / "ridge.safetensors").write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match="ridge decoder"):
        Ridge.load(tmp_path)


def test_a_neuron_that_was_not_measured_counts_as_average(
    holed_session: SensoriumFolder,
) -> None:
    ridge = fit_ridge(holed_session, lag_frames=LAG)
    everything = np.concatenate([cut.responses for cut in segments(holed_session, "train")])
    mean = np.nanmean(everything.astype(float), 0)
    np.testing.assert_allclose(ridge.features.mean_activity, mean, rtol=1e-5)
    cut = holed_session.segment(holed_session.trials("test")[0])
    filled = np.where(cut.measured, cut.responses, ridge.features.mean_activity)
    np.testing.assert_array_equal(ridge.video(cut.responses), ridge.video(filled))
    scored = slice(10, len(cut.video) - LAG)
    assert pearson_r(cut.video[scored], ridge.video(cut.responses)[scored]) > 0.5
