"""Builds the decoder's stages from a config: the same for a live run and for a replay."""

from dataclasses import dataclass

import numpy as np

from rtdecode.acquire import GapWatch
from rtdecode.behaviour import BehaviourJoin
from rtdecode.pipeline.calcium_stage import CalciumStage, calcium_stage
from rtdecode.pipeline.decoding_stage import DecodingStage
from rtdecode.pipeline.inversion import Inversion, inversion
from rtdecode.schema.config import RunConfig
from rtdecode.schema.interfaces import Clock

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
