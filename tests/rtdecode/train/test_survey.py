import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import TRAIN, segments
from rtdecode.evaluate.leakage import clip_hash
from rtdecode.train.starting_point import survey


def test_moments_are_those_of_the_training_trials(blob_session: SensoriumFolder) -> None:
    found = survey(blob_session)
    cuts = [blob_session.segment(k) for k in blob_session.trials(TRAIN)]
    behaviour = np.concatenate([cut.behaviour for cut in cuts])
    np.testing.assert_allclose(found.behaviour_mean, behaviour.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.behaviour_sd, behaviour.std(0), rtol=1e-5)
    responses = np.concatenate([cut.responses for cut in cuts])
    np.testing.assert_allclose(found.rate, responses.mean(0), rtol=1e-5)
    video = np.concatenate([cut.video for cut in cuts])
    assert found.luminance_mean == pytest.approx(video.mean(), abs=1)
    assert found.luminance_sd == pytest.approx(video.std(), rel=0.05)


def test_hashes_are_those_of_the_training_trials(blob_session: SensoriumFolder) -> None:
    expected = [clip_hash(blob_session.video(k)) for k in blob_session.trials(TRAIN)]
    assert list(survey(blob_session).clip_hashes) == expected


def test_the_mean_is_over_what_was_measured(holed_session: SensoriumFolder) -> None:
    responses = np.concatenate([cut.responses for cut in segments(holed_session, TRAIN)])
    assert np.isnan(responses).any()
    np.testing.assert_allclose(
        survey(holed_session).rate, np.nanmean(responses.astype(float), 0), rtol=1e-6
    )
