from pathlib import Path

import pytest
import torch
from torch import nn

from rtdecode.schema.errors import CheckpointError, UnreadableFileError
from rtdecode.train.checkpoint import (
    Standing,
    Trainee,
    WeightAverage,
    copied,
    load_checkpoint,
    save_checkpoint,
)


def a_trainee(steps: int) -> Trainee:
    torch.manual_seed(steps)
    model = nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    average = WeightAverage(model, decay=0.9)
    for step in range(steps):
        model(torch.ones(1, 3)).sum().backward()
        optimiser.step()
        average.add(model, step)
    standing = Standing(step=steps, elapsed_s=1.5, best_r=0.25, loss=0.5)
    return Trainee(model, average, optimiser, copied(model.state_dict()), standing)


def test_everything_that_changes_comes_back(tmp_path: Path) -> None:
    saved, loaded = a_trainee(4), a_trainee(0)
    save_checkpoint(tmp_path / "c.safetensors", saved, settings={"seed": "1"})
    load_checkpoint(tmp_path / "c.safetensors", loaded, settings={"seed": "1"})
    assert loaded.standing == saved.standing
    for mine, theirs in ((loaded.average.state, saved.average.state), (loaded.best, saved.best)):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    for trainee in (saved, loaded):
        trainee.optimiser.zero_grad()
        trainee.model(torch.ones(1, 3)).sum().backward()
        trainee.optimiser.step()
    assert torch.equal(saved.model.weight, loaded.model.weight)


def test_an_unfinished_write_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, a_trainee(1), settings={})
    path.with_suffix(".part").write_bytes(b"cut off")
    loaded = a_trainee(0)
    load_checkpoint(path, loaded, settings={})
    assert loaded.standing.step == 1


def test_other_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, a_trainee(1), settings={"seed": "1", "data": "a"})
    with pytest.raises(CheckpointError, match="data"):
        load_checkpoint(path, a_trainee(0), settings={"seed": "1", "data": "b"})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(UnreadableFileError, match=r"c\.safetensors"):
        load_checkpoint(path, a_trainee(0), settings={})
