"""From a session to the folder of a twin; a training that is killed goes on where it was."""

import json
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import VALIDATION
from rtdecode.decode.noise import load_noise
from rtdecode.decode.prior import fit_prior, load_prior
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import NoSuchTierError, UnknownModelError, UnreadableFileError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import Work
from rtdecode.train import twin_fit
from rtdecode.train.starting_point import survey
from rtdecode.train.twin_fit import (
    check_model,
    fit_compact,
    some_of,
    training_videos,
    trials_of_tier,
)
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import load_twin, save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import sizes_if_loaded
from rtdecode.twins.twin import TwinSpec, device_of

SHORT = TrainingConfig(steps=4, batch=1, frames=8, warm_up_steps=1, validate_every=4)
CHILD = """
import sys
from pathlib import Path

import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.train.twin_fit import fit_compact
from rtdecode.schema.config.training import TrainingConfig

torch.set_num_threads(1)


class SlowClock:  # every step seems to take seven seconds: a checkpoint after each third
    now_s = 0

    def now_ns(self):
        self.now_s += 7
        return self.now_s * 1_000_000_000


def report(progress):
    print(progress.step, flush=True)
    if progress.step == 11:
        sys.stdin.readline()


config = TrainingConfig(
    seed=3, steps=16, batch=1, frames=8, warm_up_steps=2, validate_every=5, average_decay=0.5
)
fit_compact(
    SensoriumFolder(Path(sys.argv[1])), Path(sys.argv[2]), config, clock=SlowClock(), report=report
)
"""


def command(session: SensoriumFolder, out: Path) -> list[str]:
    return [sys.executable, "-c", CHILD, str(session.folder), str(out)]


def steps_of_a_run(session: SensoriumFolder, out: Path) -> list[int]:
    done = subprocess.run(
        command(session, out), stdin=DEVNULL, capture_output=True, check=True, text=True
    )
    return [int(line) for line in done.stdout.split()]


def kill_at_step(step: int, session: SensoriumFolder, out: Path) -> None:
    """The child waits at step 11 for a word that never comes: it dies in the middle."""
    with Popen(command(session, out), stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == step:
                child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


@pytest.mark.system
def test_a_training_killed_with_sigkill_ends_bit_identical_when_it_is_run_again(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert steps_of_a_run(blob_session, whole) == list(range(1, 17))
    kill_at_step(11, blob_session, cut)
    assert {path.name for path in cut.iterdir()} == {"training.safetensors"}
    assert steps_of_a_run(blob_session, cut) == list(range(10, 17))
    for file in ("twin.safetensors", "prior.safetensors", "noise.safetensors", "training.json"):
        assert (cut / file).read_bytes() == (whole / file).read_bytes(), file


def test_a_folder_holds_twin_prior_noise_and_how_well_it_predicts(
    blob_twin: Path, blob_session: SensoriumFolder
) -> None:
    """And no checkpoint, once all this is safe."""
    assert {path.name for path in blob_twin.iterdir()} == {
        "loaded.json",
        "noise.safetensors",
        "posterior.safetensors",
        "prior.safetensors",
        "training.json",
        "twin.json",
        "twin.safetensors",
    }
    assert sizes_if_loaded(blob_twin) is not None
    told = json.loads((blob_twin / "training.json").read_text())
    r = np.array(told["single_trial_r_of_neuron"], float)
    assert len(r) == blob_session.neurons
    assert told["single_trial_r"]["mean"] == pytest.approx(np.nanmean(r), abs=1e-4)
    assert told["single_trial_r"]["mean"] > 0.4


def test_a_twin_states_its_session(blob_twin: Path, blob_session: SensoriumFolder) -> None:
    spec, found = load_twin(blob_twin).spec, survey(blob_session)
    assert (spec.neurons, spec.rows_px, spec.cols_px) == (12, 12, 16)
    assert spec.luminance_mean == pytest.approx(found.luminance_mean)
    assert spec.behaviour_sd == pytest.approx(found.behaviour_sd)
    assert spec.training_clips == found.clip_hashes
    assert spec.provenance["session"] == blob_session.folder.name


def test_prior_and_noise_are_those_of_the_session(
    blob_twin: Path, blob_session: SensoriumFolder
) -> None:
    expected = fit_prior(training_videos(blob_session))
    torch.testing.assert_close(load_prior(blob_twin).power, expected.power)
    noise = load_noise(blob_twin, neurons=12)
    # The tiny mouse's noise has a variance of rate²/4, and its rates lie around 1.
    assert 0.1 < float(noise.dispersion.median()) < 1
    assert 0 < float(noise.likelihood_weight) <= 1


def test_a_core_is_kept_and_only_the_readout_learns(
    blob_twin: Path, blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    fit_compact(
        blob_session, tmp_path / "t", SHORT, clock=clock, report=lambda _: None, core=blob_twin
    )
    core, twin = load_twin(blob_twin), load_twin(tmp_path / "t")
    assert isinstance(core, Compact)
    assert isinstance(twin, Compact)
    assert torch.equal(core.mix, twin.mix)
    assert torch.equal(core.combine, twin.combine)
    assert not torch.equal(core.weights, twin.weights)
    assert twin.spec.provenance["core"] == blob_twin.name


class SteadyClock:
    """A clock on which every look at it takes half a second."""

    now_s = 0.0

    def now_ns(self) -> int:
        self.now_s += 0.5
        return round(self.now_s * 1e9)


def test_a_time_limit_is_that_of_the_whole_work_and_what_it_leaves_out_is_said(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    limited = SHORT.model_copy(update={"steps": 1000, "max_minutes": 0.5})
    clock, said = SteadyClock(), list[str]()
    outcome = fit_compact(
        blob_session,
        tmp_path / "t",
        limited,
        clock=clock,
        report=lambda _: None,
        work=Work(cut_short=said.append),
    )
    assert outcome.standing.elapsed_s == pytest.approx(24, abs=1)
    assert clock.now_s == pytest.approx(30, rel=0.1)
    assert any("of 32 rounds, because the time was over" in sentence for sentence in said)


def test_a_core_of_another_kind_is_refused(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    spec = TwinSpec("linear", 12, rows_px=12, cols_px=16, sizes={"taps": 3})
    save_twin(Linear(spec), tmp_path / "linear")
    with pytest.raises(UnreadableFileError, match="a compact twin, got linear"):
        fit_compact(
            blob_session,
            tmp_path / "t",
            SHORT,
            clock=clock,
            report=lambda _: None,
            core=tmp_path / "linear",
        )


def test_a_session_without_validation_trials_is_refused_before_the_first_step(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(blob_session.folder, copy)
    np.save(
        copy / "meta" / "trials" / "tiers.npy",
        np.where(blob_session.tiers == "oracle", "test", blob_session.tiers),
    )
    steps: list[int] = []
    with pytest.raises(NoSuchTierError, match="'oracle': its tiers are test, train"):
        fit_compact(
            SensoriumFolder(copy),
            tmp_path / "t",
            SHORT,
            clock=clock,
            report=lambda progress: steps.append(progress.step),
        )
    assert steps == []
    assert not (tmp_path / "t").exists()


def test_validation_trials_come_whole(blob_session: SensoriumFolder) -> None:
    trials = list(trials_of_tier(blob_session, VALIDATION))
    assert len(trials) == 2
    for (video, behaviour, responses), number in zip(
        trials, blob_session.trials("oracle"), strict=True
    ):
        cut = blob_session.segment(number)
        np.testing.assert_array_equal(video.numpy(), cut.video)
        np.testing.assert_array_equal(behaviour.numpy(), cut.behaviour)
        np.testing.assert_array_equal(responses.numpy(), cut.responses)


def test_only_architectures_that_can_be_trained_are_known() -> None:
    check_model("compact")
    with pytest.raises(UnknownModelError, match="'huge': choose compact"):
        check_model("huge")


@given(count=st.integers(1, 1000))
def test_of_many_trials_some_are_taken_from_all_over_the_session(count: int) -> None:
    taken = some_of(range(count))
    assert min(count, 30) <= len(taken) <= 60
    steps = {later - earlier for earlier, later in pairwise([*taken, max(count, taken[-1] + 1)])}
    assert max(steps) <= -(-count // 60)


def test_a_twin_is_trained_on_the_device_and_measured_and_written_from_the_cpu(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor without values raises where it is copied to the CPU: here after the training."""
    trained_on, meta = list[torch.device](), torch.device("meta")

    class Trained:
        """In place of the training, which needs values."""

        def __init__(self, twin: Compact, *_given: object, **_named: object) -> None:
            self._twin = twin

        def run(self, _report: object) -> object:
            trained_on.append(device_of(self._twin))
            return SimpleNamespace(standing=SimpleNamespace(elapsed_s=0.0))

    monkeypatch.setattr(twin_fit, "Training", Trained)
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        fit_compact(blob_session, tmp_path, SHORT, clock=clock, report=lambda _: None, device=meta)
    assert trained_on == [meta]
    assert not list(tmp_path.iterdir())
