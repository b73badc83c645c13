import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.train.validation import predicted_and_recorded, single_trial_correlation
from rtdecode.twins.twin import TwinSpec

CPU = torch.device("cpu")


class Told(nn.Module):
    """A twin that has been told the answer, with neuron 0 inverted and neuron 1 mute."""

    def __init__(self, data: SensoriumFolder) -> None:
        super().__init__()
        self.spec = TwinSpec("told", data.neurons, history_frames=10)
        self._answers = {
            data.video(k).tobytes(): data.segment(k).responses for k in data.trials("oracle")
        }

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        answer = torch.from_numpy(self._answers[video[0].numpy().tobytes()]).clone()
        answer[:, 0] = 5 - 2 * answer[:, 0]
        answer[:, 1] = 1
        return answer[None]


def test_correlation_is_that_of_all_frames_together(blob_session: SensoriumFolder) -> None:
    r = single_trial_correlation(Told(blob_session), blob_session, tier="oracle", device=CPU)
    assert r[0] == pytest.approx(-1)
    assert np.isnan(r[1])
    np.testing.assert_allclose(r[2:], 1)


def test_frames_without_a_known_history_are_left_out(blob_session: SensoriumFolder) -> None:
    trial = blob_session.trials("oracle")[0]
    predicted, recorded = predicted_and_recorded(
        Told(blob_session), blob_session, trial, device=CPU
    )
    assert len(predicted) == len(recorded) == blob_session.frames(trial) - 10
    np.testing.assert_array_equal(recorded, blob_session.segment(trial).responses[10:])


def test_only_what_was_measured_is_compared(
    blob_session: SensoriumFolder, holed_session: SensoriumFolder
) -> None:
    r = single_trial_correlation(Told(blob_session), holed_session, tier="oracle", device=CPU)
    assert r[0] == pytest.approx(-1)
    np.testing.assert_allclose(r[2:], 1)
