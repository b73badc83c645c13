import numpy as np
import pytest
from torch import Tensor, nn

from rtdecode.bench.reference_curve import STOPS, reference_curve, stops_until
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.evaluate.metrics import video_r
from rtdecode.offline.job import Scored
from rtdecode.offline.methods import Reference
from rtdecode.offline.trial import Input, Trial, trials_of
from rtdecode.twins.twin import TwinSpec


class Lights(nn.Module):
    """Twelve neurons whose activity is the luminance of one pixel each."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.spec = TwinSpec("lights", 12, rows_px=12, cols_px=16, history_frames=1)

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        return self.factor * video[:, :, 2::4, 2::4].flatten(2) / 50 + 0.1


TWINS = [Lights(1.0), Lights(0.5)]
MASK = np.zeros((12, 16), bool)
MASK[2:10, 2:14] = True


@pytest.fixture(scope="module")
def trial(blob_session: SensoriumFolder) -> Trial:
    return next(trials_of(blob_session, "test", Input.RESPONSES))


def curve(trial: Trial, iterations: int) -> list[Scored]:
    free = np.ones((12, 16), bool)
    return reference_curve(TWINS, trial, free=free, mask=MASK, iterations=iterations)


def test_it_stops_at_the_usual_iterations_and_at_the_last() -> None:
    assert stops_until(25) == [10, 20, 25]
    assert stops_until(10) == [10]
    assert stops_until(1000) == list(STOPS)


def test_each_stop_scores_what_a_run_of_that_length_gives(trial: Trial) -> None:
    for stop, scored in zip(stops_until(12), curve(trial, 12), strict=True):
        whole = Reference(TWINS, np.ones((12, 16), bool), iterations=stop)
        expected = video_r(trial.truth[30:], whole.video(trial)[30:], MASK)
        assert scored.trial == trial.number
        assert scored.scores.video_r == pytest.approx(expected, abs=1e-6)


def test_parts_of_a_run_have_no_duration(trial: Trial) -> None:
    assert all(np.isnan(scored.seconds) for scored in curve(trial, 10))
