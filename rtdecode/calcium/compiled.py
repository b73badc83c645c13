"""Compilation of loops over neurons and pixels, with one set of options for the calcium stage."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """Compile `loop` with numba for one core and cache it on disk; its type is preserved.

    Fast-math stays off: it would permit the compiler to ignore NaN in comparisons and to reorder
    sums, so that results would depend on the machine. Division by zero gives infinity, as in NumPy:
    its check would prevent the compiler from using vector instructions.
    """
    return cast(Loop, numba.njit(cache=True, nogil=True, error_model="numpy")(loop))
