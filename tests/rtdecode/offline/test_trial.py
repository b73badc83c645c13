from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.offline.trial import Input, causality_of, first_frames, trials_of, with_neurons
from rtdecode.schema.errors import MissingFileError
from rtdecode.twins.twin import TwinSpec


class Brightness(nn.Module):
    """A twin of which every neuron tells the mean light of a frame."""

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.spec = TwinSpec("brightness", neurons, rows_px=12, cols_px=16)

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        return video.mean((2, 3))[:, :, None].expand(-1, -1, self.spec.neurons)


def test_a_trial_holds_what_the_files_hold_and_all_of_it_counts(
    blob_session: SensoriumFolder,
) -> None:
    numbers = blob_session.trials("oracle")
    trials = list(trials_of(blob_session, "oracle", Input.RESPONSES))
    assert [trial.number for trial in trials] == list(numbers)
    for trial in trials:
        cut = blob_session.segment(trial.number)
        np.testing.assert_array_equal(trial.responses, cut.responses)
        np.testing.assert_array_equal(trial.truth, cut.video)
        assert trial.valid.all()


def test_predicted_activity_is_the_twins_prediction_for_the_ground_truth(
    blob_session: SensoriumFolder,
) -> None:
    twin = Brightness(blob_session.neurons)
    [trial] = trials_of(blob_session, "test", Input.PREDICTED, twin=twin)
    expected = torch.from_numpy(trial.truth).mean((1, 2)).numpy()
    np.testing.assert_allclose(trial.responses, np.repeat(expected[:, None], 12, 1), rtol=1e-5)


def test_dropped_neurons_are_missing_not_silent(blob_session: SensoriumFolder) -> None:
    [trial] = trials_of(blob_session, "test", Input.RESPONSES)
    kept = np.arange(blob_session.neurons) % 4 == 0
    fewer = with_neurons(trial, kept)
    np.testing.assert_array_equal(fewer.valid, np.broadcast_to(kept, fewer.valid.shape))
    np.testing.assert_array_equal(fewer.responses, trial.responses)
    assert trial.valid.all()


def test_a_trial_that_is_ended_early_is_the_beginning_of_it(blob_session: SensoriumFolder) -> None:
    [trial] = trials_of(blob_session, "test", Input.RESPONSES)
    begun = first_frames(trial, 7)
    for name in ("responses", "valid", "behaviour", "truth"):
        np.testing.assert_array_equal(getattr(begun, name), getattr(trial, name)[:7])
    assert begun.number == trial.number


def test_traces_are_asked_for_by_name_where_there_are_none(blob_session: SensoriumFolder) -> None:
    with pytest.raises(MissingFileError, match=r"traces.*--input responses"):
        next(trials_of(blob_session, "test", Input.TRACES))


def test_only_one_trial_is_in_memory_at_a_time(
    blob_session: SensoriumFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, **how: (read.append(path), load(path, **how))[1])
    trials = trials_of(blob_session, "train", Input.RESPONSES)
    next(trials)
    assert {path.stem for path in read if path.parent.name == "responses"} == {"0"}


@pytest.mark.parametrize(
    ("kind", "causality"),
    [(Input.RESPONSES, "as published"), (Input.TRACES, "causal"), (Input.PREDICTED, "predicted")],
)
def test_causality_is_always_stated(
    blob_session: SensoriumFolder, kind: Input, causality: str
) -> None:
    assert causality_of(blob_session, kind) == causality
