"""The direct decoder as it is used: shapes, causality, missing neurons, files, errors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.evaluate.leakage import clip_hash
from rtdecode.offline.direct import (
    DILATIONS,
    HISTORY_FRAMES,
    DirectDecoder,
    Readin,
    Refinement,
    conditions,
    half_size,
)
from rtdecode.offline.job import Request
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.methods import Direct
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.offline.trial import Input, trials_of, with_neurons
from rtdecode.schema.errors import (
    DecoderLagError,
    LeakedClipError,
    MissingFileError,
    MissingOptionError,
    SessionNeuronsError,
    UnreadableFileError,
)
from rtdecode.schema.interfaces import Clock

LAG, NEURONS, FRAMES = 8, 12, 60
"""Neurons of the tiny session."""


def decoder_of(neurons: int = NEURONS, *, touched: bool = True) -> DirectDecoder:
    """A decoder with random maps; its network is as the training begins with it, or random."""
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.1, (4, neurons, 6, 8)).astype(np.float32)
    network = Refinement(4, 3, 6, 8).eval().requires_grad_(requires_grad=False)
    if touched:
        generator = torch.Generator().manual_seed(1)
        for value in network.parameters():
            value.add_(0.2 * torch.randn(value.shape, generator=generator))
    return DirectDecoder(
        lag_frames=LAG,
        readin=Readin(Transform.SQRT, np.full(neurons, 0.8, np.float32), weights),
        network=network,
        mean_frame=np.full((12, 16), 120, np.float32),
        contrast=20.0,
        behaviour=np.array([[0, 0, 0, 0], [1, 1, 1, 1]], np.float32),
        training_clips=("ab" * 16,),
    )


@pytest.fixture
def activity() -> np.ndarray:
    return np.random.default_rng(0).gamma(2, 0.5, (FRAMES, NEURONS)).astype(np.float32)


@pytest.fixture
def behaviour() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(FRAMES, 4)).astype(np.float32)


def test_before_training_it_is_the_linear_estimate(
    activity: np.ndarray, behaviour: np.ndarray
) -> None:
    decoder = decoder_of(touched=False)
    maps = torch.from_numpy(decoder.readin.maps(activity, LAG))[None]
    told = torch.from_numpy(conditions(activity, behaviour, decoder.behaviour, LAG))[None]
    t = 30  # by hand: means over the bins (6..8), (3..5), (0..2) and (-3..-1)
    deviation = np.sqrt(activity) - 0.8
    bins = [deviation[t + first : t + first + 3].mean(0) for first in (6, 3, 0, -3)]
    linear = sum(np.tensordot(a, w, 1) for a, w in zip(bins, decoder.readin.weights, strict=True))
    np.testing.assert_allclose(decoder.network(maps, told)[0, t], linear, atol=1e-5)
    video = decoder.video(activity, behaviour)
    assert video[t].mean() == pytest.approx(120 + 20 * linear.mean(), abs=1)


def test_activity_after_the_lag_changes_nothing(
    activity: np.ndarray, behaviour: np.ndarray
) -> None:
    decoder, later, moved = decoder_of(), activity.copy(), behaviour.copy()
    later[45:], moved[45:] = 9, 3
    before, after = decoder.video(activity, behaviour), decoder.video(later, moved)
    np.testing.assert_allclose(before[: 45 - LAG], after[: 45 - LAG], atol=1e-3)
    assert not np.allclose(before[45 - LAG], after[45 - LAG], atol=0.1)


def test_the_past_matters_as_far_as_its_filters_reach(
    activity: np.ndarray, behaviour: np.ndarray
) -> None:
    assert HISTORY_FRAMES == 2 * sum(DILATIONS) == 30
    decoder, other = decoder_of(), activity.copy()
    other[:3] = 9  # bins reach from -3 to +8 frames
    before, after = decoder.video(activity, behaviour), decoder.video(other, behaviour)
    last = 2 + 3 + HISTORY_FRAMES
    assert not np.array_equal(before[5], after[5])
    np.testing.assert_allclose(before[last + 1 : -LAG], after[last + 1 : -LAG], atol=1e-3)


def test_frames_whose_lag_has_not_passed_are_not_emitted(
    activity: np.ndarray, behaviour: np.ndarray
) -> None:
    video = decoder_of().video(activity, behaviour)
    assert np.isnan(video[-LAG:]).all()
    assert np.isfinite(video[:-LAG]).all()
    assert np.isnan(decoder_of().video(activity[:5], behaviour[:5])).all()


def test_a_neuron_that_was_not_measured_has_no_effect(blob_session: SensoriumFolder) -> None:
    trial = next(trials_of(blob_session, "test", Input.RESPONSES))
    fewer = with_neurons(trial, np.arange(NEURONS) % 2 == 0)
    shouting = replace(
        fewer, responses=np.where(fewer.valid, trial.responses, 1e3).astype(np.float32)
    )
    method = Direct(decoder_of())
    np.testing.assert_array_equal(method.video(fewer), method.video(shouting))
    assert not np.allclose(method.video(fewer), method.video(trial), equal_nan=True)


def test_unknown_behaviour_counts_as_average_and_lost_neurons_are_counted() -> None:
    behaviour = np.array([[2, np.nan, 0, 99]] * 3, np.float32)
    moments = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    responses = np.array([[1, 1], [1, np.nan], [np.nan, np.nan]], np.float32)
    told = conditions(responses, behaviour, moments, 1)
    np.testing.assert_allclose(told[:, :4], [[2, 0, 0, 5]] * 3)
    np.testing.assert_allclose(told[:, 4], [-0.5, -1, -1])  # one frame later, and at the end


def test_half_a_frame_with_an_odd_edge() -> None:
    frame = np.arange(15, dtype=np.float32).reshape(1, 3, 5)
    half = half_size(frame)
    assert half.shape == (1, 2, 3)
    assert half[0, 0, 0] == pytest.approx((0 + 1 + 5 + 6) / 4)


def test_what_is_saved_is_read_again(
    activity: np.ndarray, behaviour: np.ndarray, tmp_path: Path
) -> None:
    decoder = decoder_of()
    decoder.save(tmp_path / "direct")
    loaded = DirectDecoder.load(tmp_path / "direct")
    assert (loaded.lag_frames, loaded.training_clips) == (LAG, decoder.training_clips)
    np.testing.assert_array_equal(
        loaded.video(activity, behaviour), decoder.video(activity, behaviour)
    )


def test_a_missing_damaged_or_foreign_decoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="rtdecode fit direct"):
        DirectDecoder.load(tmp_path)
    file = tmp_path / "direct.safetensors"
    decoder_of().save(tmp_path)
    whole = file.read_bytes()
    renamed = whole.replace(b"network/place", b"network/plcae")
    for content in (b"no", whole[:-100], renamed, whole.replace(b'\\"sqrt\\"', b'\\"sqrz\\"')):
        assert content != whole
        file.write_bytes(content)
        with pytest.raises(UnreadableFileError, match=r"direct decoder .*rtdecode fit direct"):
            DirectDecoder.load(tmp_path)


@pytest.fixture
def request_(blob_session: SensoriumFolder, tmp_path: Path) -> Request:
    decoder_of().save(tmp_path / "direct")
    return Request(
        data=blob_session.folder,
        out=tmp_path / "out",
        method="direct",
        tier="test",
        twins=(),
        ridge=None,
        lag_frames=LAG,
        steps=3,
        iterations=None,
        mask=None,
        source="responses",
        direct=tmp_path / "direct",
    )


def test_trials_are_reconstructed_and_scored_without_a_twin(
    request_: Request, clock: Clock
) -> None:
    reconstruct(request_, clock=clock, report=lambda *_: None)
    summary = json.loads((request_.out / "summary.json").read_text())
    assert (summary["method"], summary["lag_frames"], summary["steps"]) == ("direct", LAG, 0)
    assert summary["twin_passes_per_frame"] == 0
    assert len(summary["video_r"]["per_clip"]) == 1


def test_what_does_not_fit_the_request_is_named(request_: Request, clock: Clock) -> None:
    def run(request: Request) -> None:
        reconstruct(request, clock=clock, report=lambda *_: None)

    with pytest.raises(MissingOptionError, match="--direct is needed for --method direct"):
        run(replace(request_, direct=None))
    with pytest.raises(DecoderLagError, match=r"lag of 8 frames, not 4: give --lag-frames 8"):
        run(replace(request_, lag_frames=4))
    decoder_of(neurons=5).save(request_.out / "five")
    with pytest.raises(SessionNeuronsError, match=r"five has 5 neurons, but session .* has 12:"):
        run(replace(request_, direct=request_.out / "five"))


def test_a_clip_that_it_was_trained_on_is_refused(
    request_: Request, clock: Clock, blob_session: SensoriumFolder
) -> None:
    [number] = blob_session.trials("test")
    hashed = clip_hash(blob_session.video(number))
    replace(decoder_of(), training_clips=(hashed,)).save(request_.out)
    with pytest.raises(LeakedClipError, match=f"trial {number} shows training clip 0"):
        reconstruct(replace(request_, direct=request_.out), clock=clock, report=lambda *_: None)


def test_its_frames_alone_are_copied_from_the_device_of_its_network(
    activity: np.ndarray, behaviour: np.ndarray
) -> None:
    """Tensors of the meta device have no values: they raise where one is copied to the host."""
    decoder = decoder_of()
    assert decoder.device == torch.device("cpu")
    elsewhere = replace(decoder, network=decoder.network.to("meta"))
    assert elsewhere.device == torch.device("meta")
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        elsewhere.video(activity, behaviour)
