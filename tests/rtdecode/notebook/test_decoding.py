"""A notebook decodes as the commands do: frame by frame, with the same checks."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.notebook.decoding import Decoder
from rtdecode.notebook.offline import reconstruct
from rtdecode.notebook.twin import Twin, load_twin
from rtdecode.schema.errors import MissingFileError, ShapeError

LAG = 6


@pytest.fixture(scope="module")
def twin(linear_twin: Path) -> Twin:
    return load_twin(linear_twin)


@pytest.fixture
def decoder(twin: Twin) -> Decoder:
    return Decoder(twin, lag_frames=LAG, steps=1)


def test_pushes_give_the_frames_of_reconstruct(
    decoder: Decoder, blob_session: SensoriumFolder, linear_twin: Path
) -> None:
    [trial] = blob_session.trials("test")
    done = reconstruct(
        blob_session.folder, linear_twin, lag_frames=LAG, steps=1, threads=1, progress=None
    )
    cut = blob_session.segment(trial)
    frames = [decoder.push(*one) for one in zip(cut.responses, cut.behaviour, strict=True)]
    assert [frame is None for frame in frames] == [k < LAG for k in range(len(frames))]
    np.testing.assert_array_equal(frames[LAG:], done.videos[trial][:-LAG])
    assert decoder.last is not None
    assert decoder.last.frame == len(frames) - 1 - LAG
    assert decoder.last.warm


def test_a_reset_decoder_begins_anew(decoder: Decoder, blob_session: SensoriumFolder) -> None:
    responses = blob_session.segment(0).responses[:20]
    first = [decoder.push(one) for one in responses][-1]
    decoder.reset()
    assert decoder.last is None
    again = [decoder.push(one) for one in responses][-1]
    np.testing.assert_array_equal(first, again)


def test_missing_neurons_and_frames_are_nan(
    decoder: Decoder, blob_session: SensoriumFolder
) -> None:
    holed = blob_session.segment(0).responses[:20].copy()
    holed[::2, 3] = np.nan
    holed[10] = np.nan
    frames = [decoder.push(one) for one in holed]
    assert [frame is None for frame in frames] == [k < LAG for k in range(20)]
    assert np.isfinite(frames[LAG:]).all()


def test_activity_that_does_not_fit_is_named(decoder: Decoder) -> None:
    with pytest.raises(ShapeError, match=r"activity must have 12 neurons.*got shape \(1, 5\)"):
        decoder.push(np.zeros(5))
    with pytest.raises(ShapeError, match=r"\(12,\), \(neuron,\), got shape \(3, 12\)"):
        decoder.push(np.zeros((3, 12)))
    with pytest.raises(ShapeError, match="behaviour must have"):
        decoder.push(np.zeros(12), np.zeros(3))
    with pytest.raises(MissingFileError, match="nowhere"):
        Decoder("nowhere")
    assert "lag 6 frames, 1 steps, 0 frames pushed" in repr(decoder)


def test_a_twin_states_what_it_is_and_predicts(twin: Twin, blob_session: SensoriumFolder) -> None:
    assert (twin.neurons, twin.screen_px, twin.frame_rate_hz) == (12, (12, 16), 30.0)
    assert twin.mask.all()
    assert "12 neurons, 12 x 16 px, 30 Hz>" in repr(twin)
    assert np.isnan(twin.single_trial_r).all()
    cut = blob_session.segment(blob_session.trials("test")[0])
    predicted = twin.predict(cut.video, cut.behaviour)
    assert predicted.shape == cut.responses.shape
    still = twin.predict(np.repeat(cut.video[:1], 9, axis=0))
    np.testing.assert_allclose(still[3:], still[3:4].repeat(6, 0), rtol=1e-5)
    np.testing.assert_array_equal(twin.predict(cut.video), predicted)
    with pytest.raises(ShapeError, match=r"of \(12, 16\)"):
        twin.predict(cut.video[:, :-1])
