"""From messages to reconstructions: the stages of the decoder's process, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtdecode.decode.decoder import Decoder
from rtdecode.pipeline.calcium_stage import CalciumStage, calcium_stage
from rtdecode.pipeline.inversion import Inversion, inversion
from rtdecode.schema.config import RunConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Fluorescence,
    Gap,
    Received,
    Responses,
    Scan,
    WindowFrame,
)
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.streams.gaps import GapWatch


class DecodingStage:
    """Stage that sees every scan in order and inverts once for all that waited.

    What is ready goes out at once: responses are published before the inversion that uses them
    begins. Without a `decoder` it stops at the responses, as for a movie without a twin.
    """

    def __init__(
        self,
        *,
        gaps: GapWatch,
        calcium: CalciumStage,
        behaviour: BehaviourJoin,
        decoder: Decoder | None,
    ) -> None:
        self._gaps, self._calcium = gaps, calcium
        self._behaviour, self._decoder = behaviour, decoder
        self._counts = dict.fromkeys(("scans", "responses", "reconstructions"), 0)

    def step(self, items: Sequence[Received]) -> Iterator[Body]:
        frames: list[WindowFrame] = []
        for item in self._gaps.step(items):
            if isinstance(item, Gap):
                yield item
                continue
            for out in self._preprocessed(item):
                if isinstance(out, Responses):
                    frames.extend(self._behaviour.step([out]))
                yield out
        if self._decoder is not None and frames:
            for reconstruction in self._decoder.step(frames):
                self._counts["reconstructions"] += 1
                yield reconstruction

    def counters(self) -> dict[str, float]:
        """What the heartbeat tells."""
        return {"lost": self._gaps.n_missing, **self._counts}

    def _preprocessed(self, item: Received) -> Iterator[Body]:
        body = item.message.body
        if isinstance(body, Behaviour):
            for _ in self._behaviour.step([body]):
                pass
        if isinstance(body, Scan | Fluorescence):
            self._counts["scans"] += 1
            for out in self._calcium.step([item]):
                self._counts["responses"] += isinstance(out, Responses)
                yield out


_BEHAVIOUR_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Assembly:
    """The stages of the decoder, ready to work."""

    stage: DecodingStage
    calcium: CalciumStage
    inversion: Inversion | None

    @property
    def twin_hash(self) -> str:
        """Names the twin; empty where there is none."""
        return "" if self.inversion is None else self.inversion.twin_hash


def assembled(config: RunConfig, *, seen_by: str, clock: Clock) -> Assembly:
    """All stages from scans to reconstructions; errors of files and of numbers that do not fit."""
    calcium = calcium_stage(config, clock=clock)
    inverted = inversion(config, neurons=calcium.neurons, clock=clock)
    neutral = np.zeros(_BEHAVIOUR_CHANNELS, np.float32)
    stage = DecodingStage(
        gaps=GapWatch(seen_by=seen_by),
        calcium=calcium,
        behaviour=BehaviourJoin(neutral if inverted is None else inverted.neutral_behaviour),
        decoder=None if inverted is None else inverted.decoder,
    )
    return Assembly(stage, calcium, inverted)
