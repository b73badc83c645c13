"""How a twin is trained."""

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Fraction, Index, NotNegative, Positive, Section

STEPS, READOUT_STEPS = 1500, 400
"""Gradient steps for all of a twin, and for a readout to filters that exist."""


class TrainingConfig(Section):
    """Stochastic gradient descent on a recorded session; the defaults fit 20 minutes of data."""

    seed: int = 0
    """Of the first weights, the cuts and their order."""
    steps: Count = STEPS
    """Gradient steps."""
    batch: Count = 5
    """Crops of a step."""
    frames: Count = 32
    """Consecutive frames of a crop whose activity is predicted; its history comes on top."""
    learning_rate: Positive = 4e-3
    """The highest; it rises over the warm-up and falls along a cosine."""
    warm_up_steps: Index = 40
    """Steps over which the learning rate rises."""
    weight_decay: NotNegative = 0.02
    """Of AdamW, on filters and readout weights."""
    average_decay: Fraction = 0.98
    """Of the exponential moving average of the weights, which is what is kept."""
    cutmix: Fraction = 0.0
    """Part of the crops in which a box of the picture is taken from another crop."""
    validate_every: Count = 125
    """Steps between two looks at the validation trials."""
    patience: Count = 4
    """Validations without a better one after which training ends."""
    max_minutes: Positive | None = None
    """Training lands by then, whatever the steps."""

    @model_validator(mode="after")
    def _warms_up(self) -> "TrainingConfig":
        if self.warm_up_steps >= self.steps:
            raise ValueError(
                f"warm_up_steps={self.warm_up_steps} must be below steps={self.steps}: "
                f"the learning rate would never be reached"
            )
        return self
