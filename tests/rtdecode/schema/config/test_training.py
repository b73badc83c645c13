"""The warm-up is shorter than the training, and settings must be finite numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rtdecode.schema.config.training import TrainingConfig


@given(steps=st.integers(1, 100), part=st.floats(0, 1, exclude_max=True))
def test_a_warm_up_within_the_training_is_taken(steps: int, part: float) -> None:
    config = TrainingConfig(steps=steps, warm_up_steps=int(part * steps))
    assert config.warm_up_steps < config.steps


@given(steps=st.integers(1, 100), beyond=st.integers(0, 50))
def test_a_warm_up_that_never_ends_is_refused(steps: int, beyond: int) -> None:
    warm_up = steps + beyond
    with pytest.raises(ValidationError, match=f"={warm_up} must be below steps={steps}:"):
        TrainingConfig(steps=steps, warm_up_steps=warm_up)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"learning_rate": "nan"},
        {"average_decay": 1.5},
        {"cutmix": -0.1},
        {"max_minutes": 0},
        {"epochs": 3},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainingConfig.model_validate(wrong)


def test_a_training_cannot_be_changed_while_it_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingConfig().steps = 3  # type: ignore[misc]
