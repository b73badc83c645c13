"""The folder of a fitted twin is refused by file where prior or noise do not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.noise import NOISE_FILE, even_noise, save_noise
from rtdecode.decode.prior import PRIOR_FILE, fit_prior, save_prior
from rtdecode.schema.errors import NotFiniteWeightsError, UnreadableFileError
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec

SCREEN_PX = (6, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_twin(Linear(TwinSpec("linear", 3, *SCREEN_PX, sizes={"taps": 2})), tmp_path)
    steps = torch.randn(80, *SCREEN_PX, generator=torch.Generator().manual_seed(0))
    save_prior(fit_prior([(128 + 9 * steps.cumsum(0)).numpy()]), tmp_path)
    save_noise(even_noise(3), tmp_path)
    return tmp_path


def changed(path: Path, name: str, value: torch.Tensor) -> None:
    save_file({**load_file(path), name: value}, path)


def test_an_undamaged_folder_is_read(folder: Path) -> None:
    assert load_fitted_twin(folder).twin.spec.neurons == 3


@pytest.mark.parametrize(
    ("file", "tensor", "shape"),
    [(PRIOR_FILE, "mean", SCREEN_PX), (NOISE_FILE, "dispersion", (3,))],
)
def test_nan_beside_the_weights_is_refused_with_its_tensor(
    folder: Path, file: str, tensor: str, shape: tuple[int, ...]
) -> None:
    changed(folder / file, tensor, torch.full(shape, torch.nan))
    with pytest.raises(NotFiniteWeightsError, match=rf"{file} .* tensor '{tensor}'"):
        load_fitted_twin(folder)


@pytest.mark.parametrize(
    ("file", "tensor", "value", "named"),
    [
        (PRIOR_FILE, "mean", torch.ones(8, 6), r"mean frame has the shape \(8, 6\)"),
        (PRIOR_FILE, "innovation_sd", torch.ones(2, 2), "video prior|a prior whose arrays differ"),
        (PRIOR_FILE, "power", torch.ones(7, 9), r"video prior|a prior with \(7, 9\) spatial"),
        (NOISE_FILE, "dispersion", torch.zeros(3), "a dispersion that is not above 0"),
        (NOISE_FILE, "dispersion", torch.ones(4), "noise of the twin"),
    ],
)
def test_arrays_that_do_not_fit_the_twin_are_refused(
    folder: Path, file: str, tensor: str, value: torch.Tensor, named: str
) -> None:
    # Shapes within one file are refused by the shape checks of the tests, if those run first.
    changed(folder / file, tensor, value)
    with pytest.raises(UnreadableFileError, match=named):
        load_fitted_twin(folder)
