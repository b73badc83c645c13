"""Permitted dtypes, ranks and sizes of arrays in messages, and the hash of their content."""

import hashlib
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

    @property
    def max_side(self) -> int:
        """Largest length of one side, also of an array without items."""
        return self.max_items if self.rank == 1 else min(self.max_items, _MAX_SIDE)


_MAX_SIDE = 65_535
"""Sides of pictures; the page sends them with 16 bits."""
MAX_PIXELS = 4096 * 4096
MAX_NEURONS = 200_000
MAX_ROI_PIXELS = 2 * 1024 * 1024
"""A publisher keeps ROIs for later subscribers beside its other messages, in 16 MiB in all."""
MAX_SCREEN_PIXELS = 1024 * 1024
MAX_CLIP_PIXELS = 32 * 1024 * 1024

PixelsCounts = Annotated[NDArray[Any], ArraySpec(("uint16", "int16"), 2, MAX_PIXELS)]
NeuronF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, MAX_NEURONS)]
NeuronI32 = Annotated[NDArray[np.int32], ArraySpec(("int32",), 1, MAX_NEURONS + 1)]
RoiPixelsI32 = Annotated[NDArray[np.int32], ArraySpec(("int32",), 1, MAX_ROI_PIXELS)]
NeuronBool = Annotated[NDArray[np.bool_], ArraySpec(("bool",), 1, MAX_NEURONS)]
PairF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, 2)]
FrameF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 2, MAX_SCREEN_PIXELS)]
FrameU8 = Annotated[NDArray[np.uint8], ArraySpec(("uint8",), 2, MAX_SCREEN_PIXELS)]
FramesU8 = Annotated[NDArray[np.uint8], ArraySpec(("uint8",), 3, MAX_CLIP_PIXELS)]
BehaviourF32 = Annotated[NDArray[np.float32], ArraySpec(("float32",), 1, 16)]

_HASH_DIGITS = 16


def content_hash(*parts: NDArray[Any] | str) -> str:
    """The first 16 hex digits of the SHA-256 of arrays (dtype, shape and items) and texts.

    >>> content_hash(np.arange(3)) == content_hash(np.arange(3).astype(np.int32))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
            continue
        items = np.ascontiguousarray(part, part.dtype.newbyteorder("<"))
        digest.update(f"{items.dtype.str}{items.shape}".encode() + items.tobytes())
    return digest.hexdigest()[:_HASH_DIGITS]
