"""The noise of a twin travels with it, and can be had for some of its neurons."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rtdecode.decode.noise import NOISE_FILE, Noise, even_noise, load_noise, save_noise, unshared
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def test_default_noise_is_equal_for_all_neurons() -> None:
    noise = even_noise(3)
    assert noise.dispersion.tolist() == [1, 1, 1]
    assert float(noise.likelihood_weight) == pytest.approx(0.2)


def test_the_floor_is_three_tenths_of_the_dispersion() -> None:
    noise = unshared(torch.tensor([1.0, 3.0]), torch.tensor(0.2))
    torch.testing.assert_close(noise.floor, torch.tensor([0.3, 0.9]))


def test_what_is_saved_is_read_again(tmp_path: Path, noise: Noise) -> None:
    save_noise(noise, tmp_path / "twin")
    loaded = load_noise(tmp_path / "twin", neurons=len(noise.dispersion))
    assert torch.equal(loaded.dispersion, noise.dispersion)
    assert loaded.likelihood_weight == noise.likelihood_weight


def test_missing_damaged_and_foreign_noise_is_named(tmp_path: Path, noise: Noise) -> None:
    with pytest.raises(MissingFileError, match="rtdecode fit twin"):
        load_noise(tmp_path, neurons=7)
    save_noise(noise, tmp_path)
    with pytest.raises(UnreadableFileError, match=r"of 9 neurons, as the twin .* got that of 7"):
        load_noise(tmp_path, neurons=9)
    save_file({"likelihood_weight": torch.ones(())}, tmp_path / NOISE_FILE)
    with pytest.raises(UnreadableFileError, match="dispersion"):
        load_noise(tmp_path, neurons=7)
    (tmp_path / NOISE_FILE).write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match="noise of the twin"):
        load_noise(tmp_path, neurons=7)


def test_noise_correlations_are_saved_and_older_files_have_none(tmp_path: Path) -> None:
    noise = Noise(torch.ones(3), torch.tensor(0.2), torch.arange(6.0).reshape(3, 2))
    save_noise(noise, tmp_path)
    assert torch.equal(load_noise(tmp_path, neurons=3).shared, noise.shared)
    save_file(
        {"dispersion": torch.ones(3), "likelihood_weight": torch.tensor(0.2)}, tmp_path / NOISE_FILE
    )
    assert load_noise(tmp_path, neurons=3).shared.shape == (3, 0)


def test_some_neurons_keep_their_order_and_what_they_share() -> None:
    noise = Noise(torch.tensor([1.0, 2, 3]), torch.tensor(0.2), torch.arange(6.0).reshape(3, 2))
    few = noise.of(torch.tensor([2, 0, 2]))
    assert few.dispersion.tolist() == [3, 1, 3]
    assert few.shared.tolist() == [[4, 5], [0, 1], [4, 5]]
