"""Twins of several mice share their filters and nothing else; each is a folder like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from population_twin import compared

from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import SessionsDifferError
from rtdecode.schema.interfaces import Clock
from rtdecode.train.population_fit import fit_population
from rtdecode.train.starting_point import share_core
from rtdecode.train.twin_fit import untrained_compact
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import load_twin

SHORT = TrainingConfig(
    steps=6, batch=2, frames=24, warm_up_steps=2, validate_every=50, max_minutes=0.3
)
SHARED = ("temporal", "row_filters", "mix", "combine", "log_contrast_gain")
OWN = ("position", "weights", "bias", "response_kernel")


@pytest.fixture
def other_mouse(blob_session: SensoriumFolder, tmp_path: Path) -> SensoriumFolder:
    """A mouse with seven of the neurons of `blob_session`, and six of its trials."""
    writer = SessionWriter(tmp_path / "other")
    for number, tier in enumerate([TRAIN] * 4 + [VALIDATION] * 2):
        cut = blob_session.segment(number)
        writer.add(Segment(cut.video, cut.responses[:, 3:10], cut.behaviour), tier=tier)
    return SensoriumFolder(tmp_path / "other")


def compact(folder: Path) -> Compact:
    twin = load_twin(folder)
    assert isinstance(twin, Compact)
    return twin


def test_filters_are_shared_and_readouts_are_not(
    blob_session: SensoriumFolder, other_mouse: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    steps: list[int] = []
    written = fit_population(
        [blob_session, other_mouse],
        tmp_path / "out",
        SHORT,
        clock=clock,
        report=lambda now: steps.append(now.steps),
    )
    assert steps[0] == 12
    assert [folder.name for folder in written] == ["blobs", "other"]
    first, second = (compact(folder) for folder in written)
    for name in SHARED:
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    untrained = untrained_compact(blob_session, SHORT)
    assert not torch.equal(first.mix, untrained.mix)
    assert not torch.equal(first.response_kernel, second.response_kernel)
    assert [twin.spec.neurons for twin in (first, second)] == [12, 7]
    for twin in (first, second):
        assert twin.spec.provenance["core"] == "shared by blobs, other"
    sizes = [len(outcome.single_trial_r) for outcome in written.values()]
    assert sizes == [12, 7]
    fitted = load_fitted_twin(tmp_path / "out" / "other", neurons=7)
    assert fitted.sd is not None
    assert not list((tmp_path / "out").glob("*.safetensors"))
    # the folder of one mouse is the core of another
    third = untrained_compact(other_mouse, SHORT, core=tmp_path / "out" / "blobs")
    assert torch.equal(third.mix, first.mix)
    assert not third.mix.requires_grad


def test_a_shared_core_is_the_same_parameters(
    blob_session: SensoriumFolder, other_mouse: SensoriumFolder
) -> None:
    one, two = (untrained_compact(data, SHORT) for data in (blob_session, other_mouse))
    share_core([one, two])
    for name in SHARED:
        assert getattr(one, name) is getattr(two, name)
    for name in OWN:
        assert getattr(one, name) is not getattr(two, name)
    video, behaviour = torch.rand(1, 40, 12, 16) * 200, torch.zeros(1, 40, 4)
    before = two(video, behaviour).detach().numpy()
    with torch.no_grad():
        one.mix.mul_(2)
    assert not np.allclose(before, two(video, behaviour).detach().numpy())


def test_sessions_of_other_screens_are_refused(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    cut = blob_session.segment(0)
    writer = SessionWriter(tmp_path / "narrow")
    writer.add(Segment(cut.video[:, :, :10], cut.responses, cut.behaviour), tier=TRAIN)
    with pytest.raises(SessionsDifferError, match="screen in px"):
        fit_population(
            [blob_session, SensoriumFolder(tmp_path / "narrow")], tmp_path / "out", SHORT,
            clock=clock, report=lambda _: None,
        )  # fmt: skip


def test_the_benchmark_compares_three_ways_of_training(tmp_path: Path) -> None:
    """The smoke form of `benchmarks/population_twin.py`, too short to have a result."""
    r = compared(tmp_path, trials=1, seed=0, steps=6, rich=2)
    assert list(r) == ["alone", "on the filters of A", "population"]
    assert all(-1 <= value <= 1 for value in r.values())
