"""The twin check of a config: its twin, noise model, record of the training, and cost."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.decode.noise import Noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.demo.config import demo_config
from rtdecode.offline.twin_check import response_predictor, training_r, twin_check
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import TRAINING_REPORT
from rtdecode.twins.twin import TwinSpec

NEURONS, ROWS, COLS, HISTORY = 5, 4, 6, 2


class StepClock:
    """Each look at it finds `step_s` more."""

    def __init__(self, step_s: float) -> None:
        self._now_ns, self._step_ns = 0, round(step_s * 1e9)

    def now_ns(self) -> int:
        self._now_ns += self._step_ns
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spec = TwinSpec(
        "linear", NEURONS, ROWS, COLS, history_frames=HISTORY, sizes={"taps": HISTORY + 1}
    )
    twin = Linear(spec)
    twin.spatial.data = torch.randn(NEURONS, ROWS, COLS, generator=torch.Generator().manual_seed(0))
    twin.temporal.data = torch.tensor([[0.2, 0.3, 0.5]])
    save_twin(twin, tmp_path)
    noise = np.random.default_rng(0)
    save_prior(fit_prior([noise.normal(128, 30, (40, ROWS, COLS)).cumsum(0)]), tmp_path)
    shared = torch.zeros(NEURONS, 2)
    shared[0] = torch.tensor([3.0, 4.0])
    save_noise(Noise(torch.full((NEURONS,), 2.0), torch.tensor(0.5), shared), tmp_path)
    return tmp_path


def config(folder: Path | None) -> RunConfig:
    return RunConfig(decode=DecodeConfig(twin=folder))


def record(folder: Path, r: object) -> None:
    (folder / TRAINING_REPORT).write_text(json.dumps({"single_trial_r_of_neuron": r}))


def test_the_prediction_is_the_twins_for_the_frames_of_the_segment(folder: Path) -> None:
    predictor = response_predictor(config(folder))
    assert predictor is not None
    video = np.random.default_rng(1).uniform(0, 255, (HISTORY + 30, ROWS, COLS)).astype(np.float32)
    behaviour = np.zeros((HISTORY + 30, 4), np.float32)
    made = predictor(video, behaviour)
    assert made.shape == (30, NEURONS)
    longer = np.concatenate([np.zeros((5, ROWS, COLS), np.float32), video])
    again = predictor(longer, np.zeros((len(longer), 4), np.float32))
    np.testing.assert_allclose(again[5:], made, atol=1e-4)


def test_the_noise_variance_has_the_shared_part(folder: Path) -> None:
    predictor = response_predictor(config(folder))
    assert predictor is not None
    noise = predictor.reference.noise
    # φ (1 + |L|²) with φ = 2 and L = (3, 4) of the first neuron, times f + 0.3 φ
    np.testing.assert_allclose(noise.slope, [2 * 26, 2, 2, 2, 2])
    np.testing.assert_allclose(noise.floor, noise.slope * 0.6, rtol=1e-6)


def test_without_a_twin_on_this_machine_there_is_no_check(folder: Path, tmp_path: Path) -> None:
    assert response_predictor(RunConfig(decode=None)) is None
    assert response_predictor(config(None)) is None
    assert response_predictor(config(tmp_path / "elsewhere")) is None


def test_the_training_r_is_read_with_its_missing_values(folder: Path) -> None:
    record(folder, [0.5, None, 0.25, 0.1, -0.1])
    predictor = response_predictor(config(folder))
    assert predictor is not None
    np.testing.assert_array_equal(
        np.asarray(predictor.reference.training_r), [0.5, np.nan, 0.25, 0.1, -0.1]
    )


def test_a_record_that_is_missing_damaged_or_of_another_twin_is_none(folder: Path) -> None:
    assert training_r(folder, neurons=NEURONS) is None
    for r in ([0.5] * 4, [None] * 5, "0.5", {"r": 1}):
        record(folder, r)
        assert training_r(folder, neurons=NEURONS) is None
    for damaged in ("", "[1, 2", "{}"):
        (folder / TRAINING_REPORT).write_text(damaged)
        assert training_r(folder, neurons=NEURONS) is None


def test_a_twin_that_is_fast_enough_predicts_every_second(folder: Path) -> None:
    predictor = response_predictor(config(folder))
    assert predictor is not None
    assert predictor.every(StepClock(0.03)) == 1
    assert predictor.every(StepClock(0.3)) == 1
    assert predictor.every(StepClock(0.75)) == 8  # a tenth of a processor core


def test_a_check_begins_without_any_result(folder: Path) -> None:
    predictor = response_predictor(config(folder))
    assert predictor is not None
    assert list(twin_check(predictor, frame_rate_hz=30.0).step([])) == []


def test_the_demo_mouse_has_a_reference() -> None:
    run = demo_config(seconds=10.0, display=Display.VIRTUAL, clips=None)
    assert run.decode is not None
    assert run.decode.twin is not None
    r = training_r(run.decode.twin, neurons=1200)
    assert r is not None
    assert np.nanmean(r) == pytest.approx(0.59, abs=0.01)
