"""Settings of the training of a twin."""

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Fraction, Index, NotNegative, Positive, Section

STEPS, READOUT_STEPS = 1500, 400
"""Default number of steps for a whole twin, and for a readout on existing filters."""

MASK_FRACTION = 0.5
"""Reduction of a pixel's variance by the activity from which the screen mask includes the pixel."""


class TrainingConfig(Section):
    """Stochastic gradient descent on a recorded session; the defaults fit 20 minutes of data."""

    seed: int = 0
    """Seed of the initial weights, of the crops and of their order."""
    steps: Count = STEPS
    """Number of gradient steps."""
    batch: Count = 5
    """Number of crops in a step."""
    frames: Count = 32
    """Number of consecutive frames in a crop whose activity is predicted, in addition to the
    history that the twin needs."""
    learning_rate: Positive = 4e-3
    """Peak learning rate, reached after a linear warm-up and followed by cosine decay."""
    warm_up_steps: Index = 40
    """Number of steps of the warm-up."""
    weight_decay: NotNegative = 0.02
    """Weight decay of AdamW on filters and readout weights."""
    average_decay: Fraction = 0.98
    """Decay of the exponential moving average of the weights; the average is saved."""
    cutmix: Fraction = 0.0
    """Fraction of the crops in which a box of the video is replaced by that of another crop."""
    validate_every: Count = 125
    """Number of steps between two validations."""
    patience: Count = 4
    """Number of validations without improvement after which the training ends."""
    max_minutes: Positive | None = None
    """Time limit in minutes, at which the training ends regardless of `steps`; null: none."""

    @model_validator(mode="after")
    def _warms_up(self) -> "TrainingConfig":
        if self.warm_up_steps >= self.steps:
            raise ValueError(
                f"warm_up_steps={self.warm_up_steps} must be below steps={self.steps}: "
                f"the learning rate would never be reached"
            )
        return self


class DirectConfig(Section):
    """Training of the direct decoder.

    `docs/decisions/0071` says how the defaults were chosen.
    """

    seed: int = 0
    """Seed of the initial weights, of the crops and of the neurons that are left out."""
    steps: Count = 300
    """Number of gradient steps."""
    channels: Count = 16
    """Channels of the network."""
    batch: Count = 4
    """Number of crops in a step."""
    frames: Count = 64
    """Number of consecutive frames of a crop whose error counts; past frames are added."""
    learning_rate: Positive = 3e-3
    """Peak learning rate, reached after a linear warm-up and followed by cosine decay."""
    warm_up_steps: Index = 20
    """Number of steps of the warm-up."""
    weight_decay: NotNegative = 0.05
    """Weight decay of AdamW."""
    average_decay: Fraction = 0.95
    """Decay of the exponential moving average of the weights; the average is saved."""
    dropout: Fraction = 0.1
    """Largest share of the neurons that are left out of a crop."""
    validate_every: Count = 25
    """Number of steps between two validations."""
    patience: Count = 4
    """Number of validations without improvement after which the training ends."""
    max_minutes: Positive | None = None
    """Time limit in minutes, at which the training ends regardless of `steps`; null: none."""
