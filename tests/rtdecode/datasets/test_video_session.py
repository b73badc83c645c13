import numpy as np

from rtdecode.datasets.video_session import Segment


def test_what_is_not_a_number_was_not_measured() -> None:
    responses = np.array([[0, np.nan], [3, 0]], np.float32)
    segment = Segment(np.zeros((2, 4, 6), np.float32), responses, np.zeros((2, 4), np.float32))
    assert segment.measured.tolist() == [[True, False], [True, True]]
