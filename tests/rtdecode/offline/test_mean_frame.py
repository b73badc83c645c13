import numpy as np

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import TRAIN
from rtdecode.offline.ridge import mean_frame_of


def test_it_is_the_mean_of_all_training_frames(blob_session: SensoriumFolder) -> None:
    videos = np.concatenate([blob_session.video(k) for k in blob_session.trials(TRAIN)])
    np.testing.assert_allclose(mean_frame_of(blob_session), videos.mean(0), rtol=1e-5)
