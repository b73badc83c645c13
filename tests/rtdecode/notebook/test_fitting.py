"""Fits in a notebook give what the commands write, with their warnings and errors."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from linear_twin import twin_of

from rtdecode.commands.reconstruct import MethodName
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.notebook import fitting
from rtdecode.notebook.fitting import FitWarning, fit_ridge, fit_twin
from rtdecode.notebook.offline import METHODS, reconstruct
from rtdecode.notebook.progress_lines import ProgressLines
from rtdecode.notebook.twin import load_twin
from rtdecode.offline.ridge import Ridge
from rtdecode.schema.config.training import READOUT_STEPS, STEPS, TrainingConfig
from rtdecode.schema.errors import MissingOptionError, NoSuchTierError, UnknownValueError


def test_a_linear_decoder_is_fitted_written_and_used(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    said: list[str] = []
    with pytest.warns(FitWarning, match="16"):
        linear = fit_ridge(
            blob_session.folder, tmp_path / "ridge", lag_frames=4, threads=1, progress=said.append
        )
    assert "trying penalties" in said
    np.testing.assert_array_equal(Ridge.load(tmp_path / "ridge").weights, linear.weights)
    done = reconstruct(
        str(blob_session.folder), method="ridge", ridge=tmp_path / "ridge", threads=1, progress=None
    )
    [trial] = blob_session.trials("test")
    expected = linear.video(blob_session.segment(trial).responses)
    np.testing.assert_array_equal(done.videos[trial], expected)
    assert done.video_r == done.summary["video_r"]["mean"] > 0.5
    assert f"<1 trials by method ridge: video r {done.video_r:.3f}" in repr(done)


def test_a_twin_is_trained_and_loaded(
    blob_session: SensoriumFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training itself has its tests; here it is a twin that needs none."""
    given: dict[str, Any] = {}

    def trained(data: SensoriumFolder, out: Path, config: TrainingConfig, **others: Any) -> Any:
        given.update(others, steps=config.steps, data=data)
        twin_of(data, out)
        (out / "training.json").write_text(json.dumps({"single_trial_r_of_neuron": [0.5] * 12}))
        others["work"].begun("training")
        return SimpleNamespace(warnings=("too few clips",))

    monkeypatch.setattr(fitting, "fit_compact", trained)
    said: list[str] = []
    with pytest.warns(FitWarning, match="too few clips"):
        twin = fit_twin(
            blob_session.folder, str(tmp_path / "twin"), threads=1, progress=said.append
        )
    assert said == ["training"]
    assert (given["steps"], given["core"]) == (STEPS, None)
    assert twin.single_trial_r.tolist() == [0.5] * 12
    with pytest.warns(FitWarning):
        fit_twin(blob_session.folder, tmp_path / "readout", core=twin, threads=1, progress=None)
    assert (given["steps"], given["core"]) == (READOUT_STEPS, twin.folder)


def test_a_reconstruction_is_written_where_that_is_asked_for(
    blob_session: SensoriumFolder, linear_twin: Path, tmp_path: Path
) -> None:
    twin, out = load_twin(linear_twin), tmp_path / "out"
    reconstruct(blob_session.folder, [twin], out=out, steps=1, threads=1, progress=None)
    assert (out / "summary.json").is_file()


def test_errors_are_those_of_the_commands(blob_session: SensoriumFolder, linear_twin: Path) -> None:
    with pytest.raises(MissingOptionError, match="--twin"):
        reconstruct(blob_session.folder, threads=1, progress=None)
    with pytest.raises(UnknownValueError, match="method 'magic' is not known: give one of online"):
        reconstruct(blob_session.folder, linear_twin, method="magic", progress=None)
    with pytest.raises(UnknownValueError, match="source 'spikes'"):
        reconstruct(blob_session.folder, linear_twin, source="spikes", progress=None)
    assert METHODS == tuple(MethodName)
    with pytest.raises(NoSuchTierError):
        reconstruct(blob_session.folder, linear_twin, tier="none", threads=1, progress=None)


class Seconds:
    """Time goes on by four seconds with each look."""

    def __init__(self) -> None:
        self._now_s = 0

    def now_ns(self) -> int:
        self._now_s += 4
        return self._now_s * 10**9

    def sleep_until(self, t_ns: int) -> None:
        del t_ns


def test_progress_has_a_line_for_each_part_and_every_ten_seconds() -> None:
    said: list[str] = []
    work = ProgressLines(said.append, clock=Seconds()).work()
    assert len(list(work.rounds("reading", range(6), total=6))) == 6
    assert said == ["reading", "2 of 6: 24 s remaining", "5 of 6: 5 s remaining"]
    assert list(ProgressLines(None, clock=Seconds()).work().rounds("unseen", "a", total=1)) == ["a"]
