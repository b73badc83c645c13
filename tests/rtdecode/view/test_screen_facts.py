"""Mask and visual angles reach the page as the config has them."""

import base64
from pathlib import Path

import numpy as np

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.view.screen_facts import ScreenFacts


def test_a_run_that_states_neither_has_neither() -> None:
    assert ScreenFacts.of(RunConfig()).as_json() == {"mask": None, "degrees": None}


def test_the_mask_is_that_of_the_score(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((36, 64)) < 0.5
    np.save(tmp_path / "mask.npy", mask)
    config = RunConfig(evaluate=EvaluateConfig(screen_mask=tmp_path / "mask.npy"))
    told = ScreenFacts.of(config).as_json()["mask"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(told["bits"]), np.uint8))
    np.testing.assert_array_equal(
        bits[: mask.size].reshape(told["rows"], told["cols"]).astype(bool), mask
    )


def test_a_mask_that_is_on_another_computer_leaves_the_outline_out(tmp_path: Path) -> None:
    config = RunConfig(evaluate=EvaluateConfig(screen_mask=tmp_path / "none.npy"))
    assert ScreenFacts.of(config).as_json()["mask"] is None


def test_angles_increase_rightward_and_upward() -> None:
    monitor = MonitorConfig(distance_cm=15.0, width_cm=52.0)
    config = RunConfig(stimulus=StimulusConfig(monitor=monitor))
    degrees = ScreenFacts.of(config).as_json()["degrees"]
    assert (len(degrees["azimuth"]), len(degrees["altitude"])) == (64, 36)
    assert (np.diff(degrees["azimuth"]) > 0).all()
    assert (np.diff(degrees["altitude"]) < 0).all()
    assert degrees["azimuth"][0] == -degrees["azimuth"][-1]
