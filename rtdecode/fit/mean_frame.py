"""The lowest rung of the ladder: the mean of all training frames, whatever the neurons say."""

import numpy as np
from numpy.typing import NDArray

from rtdecode.fit.datasets.video_session import TRAIN, VideoSession

F32 = NDArray[np.float32]


def mean_frame_of(data: VideoSession) -> F32:
    """(row, col) mean of all training frames, in grey levels."""
    total, frames = np.zeros((data.rows_px, data.cols_px)), 0
    for number in data.trials(TRAIN):
        video = data.video(number)
        total += video.sum(0, dtype=np.float64)
        frames += len(video)
    return (total / frames).astype(np.float32)
