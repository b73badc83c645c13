import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Causality
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.evaluate.leakage import TrainedClips, clip_hash
from rtdecode.evaluate.metrics import clip_scores
from rtdecode.offline.job import summary_of, write_summary
from rtdecode.offline.reconstruct import scored_trials
from rtdecode.offline.trial import Input, Trial, trials_of
from rtdecode.schema.errors import LeakedClipError, NeuronCountError, SessionNeuronsError
from rtdecode.schema.interfaces import Clock

MASK = np.zeros((12, 16), bool)
MASK[2:10, 3:13] = True
LAG = 5


@dataclass
class NoisyTruth:
    """A method that returns the ground truth with noise, at a lag."""

    lag_frames: int | None = LAG
    steps: int = 3

    def video(self, trial: Trial) -> np.ndarray:
        noise = np.random.default_rng(trial.number).normal(0, 20, trial.truth.shape)
        video = (trial.truth + noise).astype(np.float32)
        video[-LAG:] = np.nan
        return video

    def passes_per_frame(self, frames: int) -> float:
        return 90 / frames


@pytest.fixture
def trials(blob_session: SensoriumFolder) -> list[Trial]:
    return list(trials_of(blob_session, "oracle", Input.RESPONSES))


def test_each_trial_is_written_and_scored(
    trials: list[Trial], tmp_path: Path, clock: Clock
) -> None:
    out = tmp_path / "new" / "out"
    done = list(scored_trials(NoisyTruth(), trials, mask=MASK, clock=clock, out=out))
    assert [scored.trial for scored in done] == [trial.number for trial in trials]
    for trial, scored in zip(trials, done, strict=True):
        video = np.load(out / f"{trial.number}.npy")
        assert (video.dtype, video.shape) == (np.float32, trial.truth.shape)
        np.testing.assert_array_equal(video, NoisyTruth().video(trial))
        assert scored.scores == clip_scores(trial.truth, video, MASK, frame_rate_hz=30)


def test_frames_that_a_method_does_not_give_are_nan_in_the_file(
    trials: list[Trial], tmp_path: Path, clock: Clock
) -> None:
    list(scored_trials(NoisyTruth(), trials[:1], mask=MASK, clock=clock, out=tmp_path))
    video = np.load(tmp_path / f"{trials[0].number}.npy")
    assert np.isnan(video[-LAG:]).all()
    assert np.isfinite(video[:-LAG]).all()


def test_nothing_is_written_without_a_folder(
    trials: list[Trial], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    list(scored_trials(NoisyTruth(), trials, mask=MASK, clock=clock))
    assert list(tmp_path.iterdir()) == []


def test_a_leaked_clip_is_refused_before_it_is_scored(
    trials: list[Trial], tmp_path: Path, clock: Clock
) -> None:
    """The clip is recognised although the twin was trained on a brighter version of its end."""
    seen = (0.8 * trials[1].truth + 30)[12:]
    trained = [TrainedClips([clip_hash(seen)])]
    with pytest.raises(LeakedClipError, match=rf"trial {trials[1].number} .*training clip 0"):
        list(
            scored_trials(
                NoisyTruth(), trials, mask=MASK, clock=clock, out=tmp_path, trained=trained
            )
        )
    assert not (tmp_path / f"{trials[1].number}.npy").exists()


def test_a_twin_refuses_its_own_training_trials(
    blob_session: SensoriumFolder, blob_twin: Path, clock: Clock
) -> None:
    twin = load_fitted_twin(blob_twin, neurons=blob_session.neurons).twin
    clips = [TrainedClips(twin.spec.training_clips)]
    seen = trials_of(blob_session, "train", Input.RESPONSES)
    with pytest.raises(LeakedClipError, match="trial 0 "):
        list(scored_trials(NoisyTruth(), seen, mask=MASK, clock=clock, trained=clips))
    fresh = trials_of(blob_session, "oracle", Input.RESPONSES)
    assert len(list(scored_trials(NoisyTruth(), fresh, mask=MASK, clock=clock, trained=clips))) == 2


def test_the_summary_states_the_scores_of_the_clips(trials: list[Trial], clock: Clock) -> None:
    done = list(scored_trials(NoisyTruth(), trials, mask=MASK, clock=clock))
    summary = summary_of(done, NoisyTruth(), name="noisy", causality=Causality.CAUSAL, neurons=7)
    for metric in ("video_r", "frame_r", "ssim", "shift_ms"):
        per_clip = [getattr(scored.scores, metric) for scored in done]
        assert summary[metric]["per_clip"] == per_clip
        assert summary[metric]["mean"] == pytest.approx(np.mean(per_clip))
        low, high = summary[metric]["ci95"]
        assert min(per_clip) <= low <= summary[metric]["mean"] <= high <= max(per_clip)
    # The clock advances by a second at each reading, and a trial has 90 frames.
    assert summary["seconds_per_frame"] == pytest.approx(1 / 90)
    assert summary["twin_passes_per_frame"] == 1
    assert (summary["lag_frames"], summary["steps"]) == (LAG, 3)
    assert (summary["method"], summary["causality"], summary["neurons"]) == ("noisy", "causal", 7)


def test_a_summary_is_json_that_others_can_read(
    trials: list[Trial], tmp_path: Path, clock: Clock
) -> None:
    done = list(scored_trials(NoisyTruth(), trials, mask=MASK, clock=clock))
    summary = summary_of(
        done, NoisyTruth(), name="noisy", causality=Causality.AS_PUBLISHED, neurons=7
    )
    write_summary(summary, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "summary.json").read_text()) == summary


def test_an_undefined_metric_is_null_not_nan(
    trials: list[Trial], tmp_path: Path, clock: Clock
) -> None:
    """A constant clip has no correlation, and strict JSON has no NaN."""
    still = replace(trials[0], truth=np.full_like(trials[0].truth, 90))
    done = list(scored_trials(NoisyTruth(), [still], mask=MASK, clock=clock))
    summary = summary_of(
        done, NoisyTruth(), name="noisy", causality=Causality.AS_PUBLISHED, neurons=7
    )
    write_summary(summary, tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert content["video_r"]["mean"] is None
    assert content["video_r"]["per_clip"] == [None]


def test_a_twin_of_other_neurons_is_refused(blob_twin: Path) -> None:
    with pytest.raises(NeuronCountError, match=r"7 neurons.*trained on 12"):
        load_fitted_twin(blob_twin, neurons=7)
    session = Path("monday")
    with pytest.raises(SessionNeuronsError, match=r"has 12 neurons, but session monday has 7: "):
        load_fitted_twin(blob_twin, neurons=7, session=session)
