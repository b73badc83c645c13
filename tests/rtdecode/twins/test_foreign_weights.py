"""Parameters of a checkpoint are loaded, or the message names the one that does not fit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from rtdecode.schema.errors import ForeignWeightsError
from rtdecode.twins.published_weights import load_parameters, required_parameter

FILE = Path("theirs.pth")


def test_a_module_gets_the_values_of_the_checkpoint() -> None:
    state = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])}
    module = load_parameters(nn.Linear(2, 1), state, FILE)
    assert module(torch.tensor([[10.0, 100.0]])).item() == 213


@pytest.mark.parametrize(
    ("state", "difference"),
    [
        ({"weight": torch.zeros(1, 2)}, 'Missing.*"bias"'),
        ({"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}, r"weight.*\[1, 3\].*\[1, 2\]"),
        ({"weight": torch.zeros(1, 2), "bias": torch.zeros(1), "b": torch.zeros(1)}, 'Unex.*"b"'),
    ],
)
def test_what_does_not_fit_is_named(state: dict[str, torch.Tensor], difference: str) -> None:
    with pytest.raises(ForeignWeightsError, match=rf"theirs\.pth.*{difference}"):
        load_parameters(nn.Linear(2, 1), state, FILE)


def test_a_missing_parameter_is_named() -> None:
    assert required_parameter({"a": torch.ones(2)}, "a", FILE).tolist() == [1, 1]
    with pytest.raises(ForeignWeightsError, match="no parameter 'b' among 1"):
        required_parameter({"a": torch.ones(2)}, "b", FILE)
