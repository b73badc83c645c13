"""What a fit saves replaces the earlier file when it is whole, or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_twins import linear

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.posterior import save_posterior_sd
from rtdecode.twins.folder import save_twin

Save = Callable[[int, Path], None]
"""Saves something in a folder, which differs by the number."""


def saved_rois(number: int, folder: Path) -> None:
    pixels, weights = np.array([number]), np.ones(1, np.float32)
    rois_from_lists((8, 8), [(pixels, weights)]).save(folder / "rois.npz")


SAVES: dict[str, Save] = {
    "noise": lambda number, folder: save_noise(even_noise(number), folder),
    "posterior": lambda number, folder: save_posterior_sd(torch.ones(number, 6, 8), folder),
    "twin": lambda number, folder: save_twin(linear(number), folder),
    "rois": saved_rois,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES.keys())
def test_a_save_that_fails_at_its_end_leaves_the_earlier_file(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(3, tmp_path)
    before = contents(tmp_path)

    def killed(_self: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(5, tmp_path)
    assert contents(tmp_path) == before
    save(5, tmp_path)
    assert contents(tmp_path) != before
    assert contents(tmp_path).keys() == before.keys()
