"""A stimulus protocol: blocks of trials, their stimuli, order and intervals, as frozen values.

Duties: define what a protocol file may contain. `rtdecode.runtime.protocol_file` reads such a file,
`rtdecode.schema.planned_trials` orders its trials, and `rtdecode.schema.protocol_limits` compares
it with screen and frame rate.

>>> block = Block(stimuli=(Blank(duration_s=1.0, vary={"grey": (0, 255)}),), repeats=10)
>>> len(block.conditions())
2
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from rtdecode.schema.config.section import Count, Index, Section
from rtdecode.schema.config.stimuli import (
    Blank,
    DriftingGrating,
    GaussianNoise,
    Movie,
    SparseNoise,
    StaticGrating,
    Still,
    Stimulus,
)

Interval = Annotated[float, Field(ge=0, le=86_400)]
_MOST_TRIALS = 1_000_000


class Order(StrEnum):
    """Order of the conditions of a block."""

    SEQUENTIAL = "sequential"
    """As listed, in each repeat."""
    RANDOM = "random"
    """Each repeat has every condition once, in an order of its own; no condition follows itself."""


class Block(Section):
    """Trials of some stimuli, each repeated."""

    name: str = ""
    """Name in the trial table; by default `block` and its number, from 0."""
    stimuli: tuple[Annotated[Stimulus, Field(discriminator="kind")], ...]
    """Stimuli of the block, each with its `kind`."""
    repeats: Count = 1
    """How often each condition is displayed."""
    order: Order = Order.SEQUENTIAL
    """sequential displays the conditions as listed; random displays each once in every repeat, in
    another order each time, and none twice in a row."""
    seed: Index | None = None
    """Seed of order and noise; null derives it from the seed of the protocol."""
    interval_s: Interval = 0.0
    """Time in s of grey 128 after each trial."""
    wait_for_trigger: bool = False
    """Display grey 128 until the command `start_block` arrives."""

    @field_validator("stimuli")
    @classmethod
    def _not_empty(cls, stimuli: Sequence[Stimulus]) -> Sequence[Stimulus]:
        if not stimuli:
            raise ValueError("the list of stimuli is empty: list at least one stimulus")
        return stimuli

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.order is Order.SEQUENTIAL:
            return self
        seen = set[str]()
        for one in self.conditions():
            if (values := one.model_dump_json(exclude={"vary"})) in seen:
                raise ValueError(
                    f"stimulus {one.label()} is listed twice with the same values, so that it "
                    f"could follow itself in random order: list it once, and set repeats"
                )
            seen.add(values)
        return self

    def conditions(self) -> tuple[Stimulus, ...]:
        """All conditions of the block, in the order of the file."""
        return tuple(one for stimulus in self.stimuli for one in stimulus.conditions())


class Protocol(Section):
    """A sequence of blocks."""

    seed: Index = 0
    """Seed of all blocks that have none of their own."""
    blocks: tuple[Block, ...]
    """Blocks in the order in which they are displayed."""

    @field_validator("blocks")
    @classmethod
    def _named_apart(cls, blocks: Sequence[Block]) -> Sequence[Block]:
        if not blocks:
            raise ValueError("the list of blocks is empty: list at least one block")
        names = [block.name for block in blocks if block.name]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two blocks are named '{twice}': give each a name of its own")
        return blocks

    @model_validator(mode="after")
    def _trials_are_bounded_and_named_apart(self) -> Self:
        """The name of a frame's clip identifies what is displayed, in the log and for policies."""
        trials = sum(
            block.repeats * stimulus.presentations
            for block in self.blocks
            for stimulus in block.conditions()
        )
        if trials > _MOST_TRIALS:
            raise ValueError(f"it has {trials} trials, at most {_MOST_TRIALS}: lower repeats")
        known: dict[str, str] = {}
        for one in (one for block in self.blocks for one in block.conditions()):
            values = one.model_dump_json(exclude={"vary", "duration_s", "repeats"})
            if known.setdefault(one.clip(), values) != values:
                raise ValueError(
                    f"two stimuli that differ have the name '{one.clip()}': give each a name of "
                    f"its own"
                )
        return self


__all__ = [
    "Blank",
    "Block",
    "DriftingGrating",
    "GaussianNoise",
    "Movie",
    "Order",
    "Protocol",
    "SparseNoise",
    "StaticGrating",
    "Still",
    "Stimulus",
]
