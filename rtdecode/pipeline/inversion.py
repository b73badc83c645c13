"""Everything that an inversion needs, loaded and warmed up before a run begins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.decoder import Decoder
from rtdecode.schema.config import RunConfig
from rtdecode.schema.interfaces import Clock


@dataclass(frozen=True, slots=True)
class Inversion:
    """A decoder that is ready to work, and what its surroundings must know of it."""

    decoder: Decoder
    twin_hash: str
    neutral_behaviour: NDArray[np.float32]
    """(channel,) mean behaviour of the twin's training data."""
    response_latency_s: float
    """Longest time in s from the middle of a frame to the end of the scan that completes it."""


def inversion(config: RunConfig, *, neurons: int | None, clock: Clock) -> Inversion | None:
    """The inversion that `config.decode` asks for; None where it asks for none."""
    if config.decode is None:
        return None
    raise NotImplementedError
