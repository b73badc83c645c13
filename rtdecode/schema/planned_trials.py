"""The trials of a protocol in their order: the same values for check, display and trial table.

>>> from rtdecode.schema.config.protocol import Blank, Block, Protocol
>>> stimuli = tuple(Blank(grey=grey, duration_s=1.0) for grey in (0, 255))
>>> protocol = Protocol(blocks=(Block(stimuli=stimuli, repeats=2, order="random"),))
>>> [trial.parameters["grey"] for trial in planned_trials(protocol)]
[0.0, 255.0, 0.0, 255.0]
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from rtdecode.schema.config.protocol import Block, Order, Protocol, Stimulus

T = TypeVar("T")
_ORDER, _NOISE = 0, 1
"""Streams of random numbers of one block."""


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One presentation of one stimulus."""

    number: int
    """From 0, over the whole protocol."""
    block: str
    repeat: int
    """Repeat of the block, from 0."""
    stimulus: Stimulus
    """Condition that is displayed."""
    interval_s: float
    """Time in s of grey after it."""
    waits: bool
    """True where the trial begins only after the command `start_block`."""
    seed: tuple[int, ...]
    """Seed of its noise."""

    @property
    def name(self) -> str:
        """Name of the stimulus in the trial table."""
        return self.stimulus.label()

    def clip(self, changed: Iterable[str] = ()) -> str:
        """Name of its frames; the same name means the same frames within a run.

        Parameters
        ----------
        changed
            Parameters that have other values than in the protocol.
        """
        is_new_noise = getattr(self.stimulus, "seed", 0) is None
        suffix = f" trial={self.number}" if is_new_noise else ""
        return self.stimulus.clip(changed) + suffix

    @property
    def parameters(self) -> Mapping[str, float]:
        """Numbers of the stimulus by name with unit."""
        return self.stimulus.parameters()

    def generator(self) -> Generator:
        """The random generator of this trial's noise."""
        return np.random.default_rng(self.seed)


def planned_frames(stimulus: Stimulus, *, frame_rate_hz: float) -> int | None:
    """Frames for which a trial of `stimulus` is displayed; None for a movie in full length."""
    seconds = stimulus.duration_s
    return None if seconds is None else max(1, round(seconds * frame_rate_hz))


def shuffled_rounds(items: Sequence[T], *, seed: int | Sequence[int]) -> Iterator[T]:
    """All `items` in random order, then all again in another order, without end.

    No item follows itself, unless there is only one. The order follows from `seed` alone.

    >>> from itertools import islice
    >>> list(islice(shuffled_rounds("abc", seed=3), 6))
    ['c', 'b', 'a', 'c', 'b', 'a']
    """
    words = [abs(seed), int(seed < 0)] if isinstance(seed, int) else seed
    rng, before = np.random.default_rng(words), -1
    while items:
        for place in _round(rng, len(items), before):
            yield items[place]
            before = place


def _round(rng: Generator, count: int, before: int) -> list[int]:
    order: list[int] = rng.permutation(count).tolist()
    # no item may follow itself across two rounds
    if order[0] == before:
        order.append(order.pop(0))
    return order


def planned_trials(protocol: Protocol) -> Iterator[PlannedTrial]:
    """All trials of `protocol` in the order of their display; the same at every call."""
    number = 0
    for place, block in enumerate(protocol.blocks):
        words = (protocol.seed, place, 0) if block.seed is None else (block.seed, 0, 1)
        for trial in _block_trials(block, block.name or f"block {place}", words, first=number):
            yield trial
            number = trial.number + 1


def _block_trials(
    block: Block, name: str, words: tuple[int, ...], *, first: int
) -> Iterator[PlannedTrial]:
    conditions = block.conditions()
    number = first
    for place, stimulus in enumerate(_ordered(block, conditions, words)):
        for presentation in range(stimulus.presentations):
            is_last = presentation == stimulus.presentations - 1
            fixed = getattr(stimulus, "seed", None)
            yield PlannedTrial(
                number=number,
                block=name,
                repeat=place // len(conditions),
                stimulus=stimulus,
                interval_s=block.interval_s if is_last else 0.0,
                waits=block.wait_for_trigger and number == first,
                seed=(*words, _NOISE, number - first) if fixed is None else (fixed,),
            )
            number += 1


def _ordered(
    block: Block, conditions: Sequence[Stimulus], words: tuple[int, ...]
) -> Iterator[Stimulus]:
    count = block.repeats * len(conditions)
    if block.order is Order.RANDOM:
        return islice(shuffled_rounds(conditions, seed=(*words, _ORDER)), count)
    return (conditions[place % len(conditions)] for place in range(count))
