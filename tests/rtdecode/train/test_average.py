import pytest
import torch
from torch import nn

from rtdecode.train.checkpoint import WeightAverage, copied


def a_model(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def test_the_average_of_what_stays_is_itself() -> None:
    model = a_model(2.5)
    average = WeightAverage(model, decay=0.9)
    for step in range(5):
        average.add(model, step)
    assert average.state["weight"].item() == pytest.approx(2.5)


def test_the_first_step_counts_for_nine_tenths() -> None:
    average = WeightAverage(a_model(0), decay=0.99)
    average.add(a_model(1), 0)
    assert average.state["weight"].item() == pytest.approx(0.9)


def test_late_steps_have_the_weight_of_the_decay() -> None:
    average = WeightAverage(a_model(0), decay=0.75)
    average.add(a_model(1), 10_000)
    assert average.state["weight"].item() == pytest.approx(0.25)


def test_a_copy_does_not_follow_the_model() -> None:
    model = a_model(1)
    state = copied(model.state_dict())
    nn.init.constant_(model.weight, 7)
    assert state["weight"].item() == 1
    assert not state["weight"].requires_grad
    torch.testing.assert_close(model.weight.detach(), torch.full((1, 1), 7.0))
