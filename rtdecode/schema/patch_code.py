"""The sequence of white and black of the patch under the photodiode, by number of the frame.

The coded sequence is a maximum-length sequence of a shift register of 12 stages with the primitive
polynomial x^12 + x^6 + x^4 + x + 1 (Golomb 1967, Shift Register Sequences). Its period is 4,095
frames, 136 s at 30 Hz. Each word of 12 successive values occurs once in a period, so it identifies
the number of its first frame modulo the period; runs of equal values have at most 12 frames.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.errors import PatchWordError

STAGES = 12
PERIOD = 2**STAGES - 1
_TAPS = (0, 1, 4, 6)


@cache
def _sequence() -> NDArray[np.bool_]:
    """(PERIOD,) values of the coded sequence; frame 0 is white."""
    values = np.ones(PERIOD, np.bool_)
    for frame in range(STAGES, PERIOD):
        values[frame] = np.logical_xor.reduce([values[frame - STAGES + tap] for tap in _TAPS])
    values.flags.writeable = False
    return values


@cache
def _places() -> dict[int, int]:
    """Word of `STAGES` values, first one highest → number of its first frame in the period."""
    wrapped = np.concatenate([_sequence(), _sequence()[: STAGES - 1]])
    words = np.convolve(wrapped, 1 << np.arange(STAGES), mode="valid")
    return {int(word): frame for frame, word in enumerate(words)}


def is_white(number: int, code: PatchCode) -> bool:
    """Whether the patch is white with the displayed frame `number`, counted over all clips.

    >>> [is_white(number, PatchCode.ALTERNATE) for number in range(4)]
    [True, False, True, False]
    """
    if code is PatchCode.ALTERNATE:
        return number % 2 == 0
    return bool(_sequence()[number % PERIOD])


def frame_number(white: Sequence[bool]) -> int:
    """Number modulo `PERIOD` of the first of successive frames of the coded sequence.

    Parameters
    ----------
    white
        (frame,) whether the patch was white, for at least 12 successive frames.

    Raises
    ------
    PatchWordError
        If there are fewer than 12 values, or the values do not occur in the sequence.

    >>> frame_number([is_white(number, PatchCode.CODED) for number in range(5000, 5012)])
    905
    """
    values = [bool(value) for value in white]
    word = sum(value << (STAGES - 1 - place) for place, value in enumerate(values[:STAGES]))
    first = _places().get(word) if len(values) >= STAGES else None
    if first is None or values != [
        is_white(first + place, PatchCode.CODED) for place in range(len(values))
    ]:
        raise PatchWordError(got=values, needed=STAGES)
    return first
