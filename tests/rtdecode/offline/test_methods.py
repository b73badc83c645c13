from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.methods import (
    LinearDecoder,
    MeanFrame,
    Offline,
    Online,
    Reference,
)
from rtdecode.offline.ridge import fit_ridge, mean_frame_of
from rtdecode.offline.trial import Input, Trial, trials_of, with_neurons
from rtdecode.schema.config.decode import DecodeConfig

LAG, FRAMES = 4, 36
USUAL = DecodeConfig(window_frames=12, lag_frames=LAG, steps=1)
MASK = np.ones((12, 16), bool)


@pytest.fixture(scope="module")
def fitted(blob_session: SensoriumFolder, blob_twin: Path) -> FittedTwin:
    return load_fitted_twin(blob_twin, neurons=blob_session.neurons)


@pytest.fixture(scope="module")
def trial(blob_session: SensoriumFolder) -> Trial:
    """The first `FRAMES` frames of the test trial."""
    whole = next(trials_of(blob_session, "test", Input.RESPONSES))
    parts = ("responses", "valid", "behaviour", "truth")
    return replace(whole, **{part: getattr(whole, part)[:FRAMES] for part in parts})


def test_inversion_beats_the_mean_frame(
    fitted: FittedTwin, trial: Trial, blob_session: SensoriumFolder
) -> None:
    mean = MeanFrame(mean_frame_of(blob_session)).video(trial)
    scored = np.s_[10 : FRAMES - LAG]
    for method in (Online([fitted], USUAL), Offline([fitted], iterations=10)):
        video = method.video(trial)[scored]
        assert pearson_r(trial.truth[scored], video) > 0.5
        assert pearson_r(trial.truth[scored], video) > pearson_r(trial.truth[scored], mean[scored])


def test_the_mean_frame_is_the_same_whatever_the_neurons_say(
    trial: Trial, blob_session: SensoriumFolder
) -> None:
    frame = mean_frame_of(blob_session)
    video = MeanFrame(frame).video(replace(trial, responses=np.zeros_like(trial.responses)))
    np.testing.assert_array_equal(video, np.broadcast_to(frame, trial.truth.shape))


def test_online_gives_nothing_for_frames_whose_lag_has_not_passed(
    fitted: FittedTwin, trial: Trial
) -> None:
    video = Online([fitted], USUAL).video(trial)
    assert np.isnan(video[-LAG:]).all()
    assert np.isfinite(video[:-LAG]).all()


def test_online_does_not_depend_on_activity_beyond_its_lag(
    fitted: FittedTwin, trial: Trial
) -> None:
    later = trial.responses.copy()
    later[20:] = 9
    before = Online([fitted], USUAL).video(trial)
    after = Online([fitted], USUAL).video(replace(trial, responses=later))
    np.testing.assert_array_equal(before[: 20 - LAG], after[: 20 - LAG])
    assert not np.allclose(before[20 - LAG], after[20 - LAG])


def test_no_method_depends_on_the_ground_truth(
    fitted: FittedTwin, trial: Trial, blob_session: SensoriumFolder
) -> None:
    blind = replace(trial, truth=np.zeros_like(trial.truth))
    for method in (
        Online([fitted], USUAL),
        Offline([fitted], iterations=2),
        Reference([fitted.twin], MASK, iterations=2),
        LinearDecoder(fit_ridge(blob_session, lag_frames=LAG)),
    ):
        np.testing.assert_array_equal(method.video(trial), method.video(blind))


@pytest.mark.parametrize("kind", ["online", "offline"])
def test_dropped_neurons_are_left_out_of_the_inversion(
    fitted: FittedTwin, trial: Trial, kind: str
) -> None:
    """Activity of a dropped neuron has no effect, and the neuron does not count as silent."""
    method = Online([fitted], USUAL) if kind == "online" else Offline([fitted], iterations=4)
    kept = np.arange(trial.responses.shape[1]) % 2 == 0
    fewer = with_neurons(trial, kept)
    shouting = replace(fewer, responses=np.where(kept, trial.responses, 1e3).astype(np.float32))
    silent = replace(trial, responses=np.where(kept, trial.responses, 0).astype(np.float32))
    left_out = method.video(fewer)
    np.testing.assert_array_equal(left_out, method.video(shouting))
    assert not np.allclose(left_out, method.video(silent), equal_nan=True)


def test_dropped_neurons_are_average_to_the_linear_decoder(
    trial: Trial, blob_session: SensoriumFolder
) -> None:
    ridge = fit_ridge(blob_session, lag_frames=0)
    kept = np.arange(trial.responses.shape[1]) < 6
    average = np.where(kept, trial.responses, ridge.features.mean_activity).astype(np.float32)
    decoded = LinearDecoder(ridge).video(with_neurons(trial, kept))
    np.testing.assert_array_equal(decoded, ridge.video(average))


def test_frames_without_any_measurement_are_jumped_over(fitted: FittedTwin, trial: Trial) -> None:
    """The last scans of a trial stay unfinished in causal input: their frames have no activity."""
    valid = trial.valid.copy()
    valid[20:] = False
    video = Online([fitted], USUAL).video(replace(trial, valid=valid))
    assert np.isfinite(video[: 20 - LAG]).all()
    assert np.isnan(video[20 - LAG :]).all()


def test_offline_explains_activity_without_noise(fitted: FittedTwin, trial: Trial) -> None:
    behaviour = torch.from_numpy(trial.behaviour)[None]
    told = fitted.twin(torch.from_numpy(trial.truth)[None], behaviour)[0].numpy()
    video = Offline([fitted], iterations=40).video(replace(trial, responses=told))
    explained = fitted.twin(torch.from_numpy(video)[None], behaviour)[0].numpy()
    assert pearson_r(told, explained) > 0.8


def test_the_videos_of_several_twins_are_averaged(fitted: FittedTwin, trial: Trial) -> None:
    darker = FittedTwin(
        fitted.twin, replace(fitted.prior, mean=fitted.prior.mean - 30), fitted.noise
    )
    both = Offline([fitted, darker], iterations=2).video(trial)
    each = [Offline([one], iterations=2).video(trial) for one in (fitted, darker)]
    assert not np.allclose(*each, atol=1)
    np.testing.assert_allclose(both, np.mean(each, 0), atol=1e-3)


def test_passes_count_steps_twins_and_frames(fitted: FittedTwin) -> None:
    assert Online([fitted] * 3, USUAL).passes_per_frame(300) == 3
    assert Offline([fitted] * 2, iterations=60).passes_per_frame(300) == pytest.approx(0.4)
    reference = Reference([fitted.twin], MASK, iterations=1000)
    assert reference.passes_per_frame(300) == pytest.approx(116.7, abs=0.1)
    assert MeanFrame(np.zeros((2, 2), np.float32)).passes_per_frame(300) == 0


def test_each_method_states_its_lag_and_steps(fitted: FittedTwin) -> None:
    assert (Online([fitted], USUAL).lag_frames, Online([fitted], USUAL).steps) == (LAG, 1)
    offline = Offline([fitted], iterations=60)
    assert (offline.lag_frames, offline.steps) == (None, 60)
    assert Reference([fitted.twin], MASK, iterations=9).steps == 9
