"""The fit of the direct decoder: cross-fitted maps, training, validation, and its record."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Segment
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.direct import HISTORY_FRAMES, DirectDecoder, half_size
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.ridge import mean_frame_of
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.errors import DivergedError, NoSuchTierError, TooShortError
from rtdecode.schema.work import UNSEEN
from rtdecode.train import direct_fit, direct_readin
from rtdecode.train.direct_crops import EstimatedCrops
from rtdecode.train.direct_fit import decoded_validation, fit_direct
from rtdecode.train.direct_readin import CrossFit, cross_fit
from rtdecode.train.direct_training import DirectOutcome, DirectProgress, Validation, crop_loss

LAG = 5
META = torch.device("meta")
"""Its tensors have shapes and no values."""
SHORT = DirectConfig(
    steps=60, channels=4, batch=3, frames=20, warm_up_steps=5, validate_every=20, dropout=0.2
)


class StandingClock:
    """Stands still: no fit has a time limit with it."""

    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("a fit waits for nothing")


@pytest.fixture(scope="module")
def fitted(
    blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[DirectOutcome, Path, list[DirectProgress]]:
    out, told = tmp_path_factory.mktemp("direct"), list[DirectProgress]()
    outcome = fit_direct(
        blob_session, out, SHORT, lag_frames=LAG, clock=StandingClock(), report=told.append
    )
    return outcome, out, told


def test_it_decodes_video_it_has_not_seen(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]], blob_session: SensoriumFolder
) -> None:
    cut = blob_session.segment(blob_session.trials("test")[0])
    scored = slice(10, len(cut.video) - LAG)
    decoded = DirectDecoder.load(fitted[1]).video(cut.responses, cut.behaviour)[scored]
    mean = np.broadcast_to(mean_frame_of(blob_session), decoded.shape)
    assert pearson_r(cut.video[scored], decoded) > 0.5
    assert pearson_r(cut.video[scored], decoded) > pearson_r(cut.video[scored], mean) + 0.2


def test_the_weights_of_the_best_validation_are_kept(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]], blob_session: SensoriumFolder
) -> None:
    outcome, out, _ = fitted
    assert [step for step, _ in outcome.validation_r] == [0, 20, 40, 60]
    assert outcome.best[1] == max(r for _, r in outcome.validation_r)
    loaded = DirectDecoder.load(out)
    r = [pearson_r(*frames) for frames in decoded_validation(loaded, blob_session)]
    assert np.mean(r) == pytest.approx(outcome.best[1], abs=1e-4)


def test_its_record_says_how_it_was_fitted_and_what_it_warns_of(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]],
) -> None:
    outcome, out, _ = fitted
    record = json.loads((out / "direct.json").read_text())
    assert record["validation_r"]["at_step"] == outcome.best[0]
    assert (record["lag_frames"], record["neurons"]) == (LAG, 12)
    assert record["config"]["steps"] == 60
    assert len(record["validation_r_by_chance"]) == 20
    assert max(record["validation_r_by_chance"]) < record["validation_r"]["best"]
    [warning] = record["warnings"]
    assert "fewer than 30 are seldom enough" in warning
    assert len(outcome.decoder.training_clips) == 16


def test_each_step_is_reported(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]],
) -> None:
    told = fitted[2]
    assert [now.step for now in told] == list(range(1, 61))
    assert told[-1].eta_s == 0
    assert np.mean([now.loss for now in told[-10:]]) < np.mean([now.loss for now in told[:10]])


class Noisy(SensoriumFolder):
    """A session whose neurons are so noisy that the past of a frame helps to decode it."""

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        cut, part = (
            super().segment(number),
            slice(first, None if frames is None else first + frames),
        )
        noise = np.random.default_rng(number).gamma(0.15, 1 / 0.15, cut.responses.shape)
        responses = (cut.responses * noise).astype(np.float32)
        return Segment(cut.video[part], responses[part], cut.behaviour[part])


def test_the_network_improves_on_the_linear_estimate(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    config = SHORT.model_copy(update={"steps": 100, "learning_rate": 1e-2})
    outcome = fit_direct(
        Noisy(blob_session.folder), tmp_path, config, lag_frames=LAG, clock=StandingClock()
    )
    assert outcome.best[0] > 0
    assert outcome.best[1] > outcome.validation_r[0][1] + 0.003


class Shuffled(SensoriumFolder):
    """A session whose activity belongs to the video of another trial."""

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        own = super().segment(number, first=first, frames=frames)
        other = super().segment((number + 1) % 19, first=first, frames=frames)
        return Segment(own.video, other.responses, own.behaviour)


def test_a_fit_to_activity_of_other_clips_is_warned_of(
    blob_session: SensoriumFolder, tmp_path: Path, clock: object
) -> None:
    outcome = fit_direct(
        Shuffled(blob_session.folder),
        tmp_path,
        DirectConfig(steps=20, channels=2, frames=10, batch=2, warm_up_steps=2, validate_every=10),
        lag_frames=LAG,
        clock=clock,
    )
    assert any("cannot be told from chance" in one for one in outcome.warnings)


class Changed(SensoriumFolder):
    """A session with an inverted video in training trial 2."""

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        cut = super().segment(number, first=first, frames=frames)
        return cut if number != 2 else Segment(255 - cut.video, cut.responses, cut.behaviour)


def cross_fitted(data: SensoriumFolder) -> CrossFit:
    return cross_fit(
        data,
        mean_frame=np.full((12, 16), 110, np.float32),
        contrast=25.0,
        lag_frames=LAG,
        transform=Transform.SQRT,
        work=UNSEEN,
    )


def test_the_maps_of_a_training_trial_were_fitted_without_it(
    blob_session: SensoriumFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_readin, "PENALTIES", (0.3,))
    before, after = cross_fitted(blob_session), cross_fitted(Changed(blob_session.folder))
    place = blob_session.trials("train").index(2)
    own, changed = (one.of_training_trial(place).weights for one in (before, after))
    np.testing.assert_allclose(own, changed, atol=1e-5)
    assert not np.allclose(before.readin.weights, after.readin.weights, atol=1e-3)
    other = before.of_training_trial(place + 1).weights
    assert not np.allclose(other, after.of_training_trial(place + 1).weights, atol=1e-3)


def test_the_linear_maps_are_the_closed_form_answer(
    blob_session: SensoriumFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient of the penalised squares vanishes for the sum of the maps."""
    monkeypatch.setattr(direct_readin, "PENALTIES", (1.0,))
    readin = cross_fitted(blob_session).readin
    x, y = [], []
    scale = np.concatenate(
        [np.sqrt(blob_session.segment(k).responses) for k in blob_session.trials("train")]
    ).std(0, dtype=np.float64)
    for number in blob_session.trials("train"):
        cut = blob_session.segment(number)
        scaled = (np.sqrt(cut.responses) - readin.mean_activity) / scale
        target = half_size((cut.video - 110) / 25)
        for t in range(12, len(scaled) - LAG, 3):
            # bins of three frames, from the lag back to three frames before the decoded one
            spans = [slice(max(0, t + first), t + first + 3) for first in (3, 0, -3, -6)]
            x.append(np.concatenate([scaled[span].sum(0) / 3 for span in spans]))
            y.append(target[t].ravel())
    features, frames = np.stack(x).astype(np.float64), np.stack(y)
    weights = (readin.weights * scale[:, None, None]).reshape(features.shape[1], -1)
    gram = features.T @ features
    penalty = np.trace(gram) / len(gram)
    gradient = gram @ weights + penalty * weights - features.T @ frames
    assert np.abs(gradient).max() < 1e-3 * np.abs(features.T @ frames).max()


def test_the_crops_of_a_step_depend_on_the_seed_alone(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]], blob_session: SensoriumFolder
) -> None:
    decoder, fit = fitted[0].decoder, cross_fitted(blob_session)
    made = [EstimatedCrops(blob_session, decoder, fit, SHORT) for _ in range(2)]
    first, again = (crops.batch(3) for crops in made)
    for one, other in zip(first, again, strict=True):
        assert one.equal(other)
    assert not first[0].equal(made[0].batch(4)[0])
    maps, told, frames = first
    assert maps.shape == (3, HISTORY_FRAMES + 20, 4, 6, 8)
    assert told.shape == (3, HISTORY_FRAMES + 20, 5)
    assert frames.shape == (3, HISTORY_FRAMES + 20, 12, 16)
    assert float(told[:, :, 4].min()) < 0  # some neurons are left out


def test_what_cannot_be_fitted_is_named(
    blob_session: SensoriumFolder, tmp_path: Path, clock: object
) -> None:
    with pytest.raises(TooShortError, match=r"90 frames, at least 91 are needed"):
        fit_direct(blob_session, tmp_path, SHORT, lag_frames=60, clock=clock)
    assert not list(tmp_path.iterdir())
    wild = SHORT.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(DivergedError, match="not finite at step"):
        fit_direct(blob_session, tmp_path, wild, lag_frames=LAG, clock=clock)
    assert not (tmp_path / "direct.safetensors").exists()


def test_a_session_without_validation_trials_is_refused_at_once(
    blob_session: SensoriumFolder, tmp_path: Path, clock: object
) -> None:
    data = SensoriumFolder(blob_session.folder)
    data.trials = lambda tier: (  # type: ignore[method-assign]
        blob_session.trials(tier) if tier != "oracle" else blob_session.trials("none")
    )
    with pytest.raises(NoSuchTierError):
        fit_direct(data, tmp_path, SHORT, lag_frames=LAG, clock=clock)


def test_a_time_limit_ends_the_training_with_what_it_has(
    blob_session: SensoriumFolder, tmp_path: Path, slow_clock: object
) -> None:
    limited = SHORT.model_copy(update={"max_minutes": 1.0})
    outcome = fit_direct(blob_session, tmp_path, limited, lag_frames=LAG, clock=slow_clock)
    assert outcome.validation_r[-1][0] < 20
    assert DirectDecoder.load(tmp_path).lag_frames == LAG


def test_a_step_computes_on_the_device_of_the_network_and_reads_no_value_back(
    fitted: tuple[DirectOutcome, Path, list[DirectProgress]], blob_session: SensoriumFolder
) -> None:
    decoder = fitted[0].decoder
    network = copy.deepcopy(decoder.network).to(META).requires_grad_(requires_grad=True)
    elsewhere = replace(decoder, network=network)
    crops = EstimatedCrops(blob_session, decoder, cross_fitted(blob_session), SHORT)
    loss = crop_loss(elsewhere, crops.batch(0))
    loss.backward()
    assert loss.device == META
    gradients = [parameter.grad for parameter in network.parameters()]
    assert {None if one is None else one.device for one in gradients} == {META}
    # of a validation the decoded frames alone are copied to the host
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        Validation(elsewhere, blob_session).r()


def test_the_network_is_trained_on_the_device_and_written_from_the_cpu(
    blob_session: SensoriumFolder, tmp_path: Path, clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor without values raises where it is copied to the CPU: here after the training."""
    trained_on = list[torch.device]()

    class Trained:
        """In place of the training, which needs values."""

        def __init__(self, *given: object, elapsed_s: object) -> None:
            self._decoder = next(one for one in given if isinstance(one, DirectOutcome)).decoder

        def run(self, _report: object) -> None:
            trained_on.append(self._decoder.device)

    monkeypatch.setattr(direct_fit, "NetworkTraining", Trained)
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        fit_direct(blob_session, tmp_path, SHORT, lag_frames=LAG, clock=clock, device=META)
    assert trained_on == [META]
    assert not list(tmp_path.iterdir())
