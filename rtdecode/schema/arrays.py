"""Permitted dtypes, ranks and sizes of arrays in messages, as annotations of their fields."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Permitted dtypes, exact rank and largest number of items of an array on the wire.

    `finite` refuses NaN and infinity. A missing value is a message that is not sent, or a False in
    a `valid` array, because a NaN would propagate through every later sum.
    """

    dtypes: tuple[str, ...]
    rank: int
    max_items: int
    finite: bool = True


MAX_PIXELS = 4096 * 4096
MAX_NEURONS = 200_000
MAX_SCREEN_PIXELS = 1024 * 1024

PixelsCounts = Annotated[NDArray[Any], ArraySpec(("uint16", "int16"), 2, MAX_PIXELS)]
NeuronF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, MAX_NEURONS)]
NeuronBool = Annotated[NDArray[np.bool_], ArraySpec(("bool",), 1, MAX_NEURONS)]
PairF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, 2)]
FrameF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 2, MAX_SCREEN_PIXELS)]
FrameU8 = Annotated[NDArray[np.uint8], ArraySpec(("uint8",), 2, MAX_SCREEN_PIXELS)]
BehaviourF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, 16)]
