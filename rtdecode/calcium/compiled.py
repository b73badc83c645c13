"""The one way in which this stage compiles a loop over neurons or pixels."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """Compile `loop` with numba for one core, kept on disk, and keep its type for the checker.

    No fast-math: missing measurements are told apart by comparisons, and sums stay the same
    on every machine.
    """
    return cast(Loop, numba.njit(cache=True, nogil=True)(loop))
