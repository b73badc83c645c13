"""Time, operations and bytes of each part of a solver step, by the equations in its source.

A step is run as it is. Each call of torch, and of a compiled loop, is timed where it happens, and
belongs to the numbered equations that the comment above it in the source names: `(10)` of
`CompactDrive.forward`, for example. Operations follow from the shapes of its arrays: 2 m n k for a
matrix product, and for a loop those that its source spells out for one element. Bytes are those of
all arrays of a call, each once: the least that has to be moved if nothing stays in a cache.
"""

import inspect
import linecache
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from rtdecode.decode import horizon, likelihood
from rtdecode.twins.compact import drive, filter_pass

EXP = 18
"""Operations of `exp_below_zero`: 3 to bound and scale, 10 of the series, 5 squarings."""
ELU = EXP + 3


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a step: the function and equations that it belongs to, and its cost."""

    place: str
    equations: str
    operations: float
    bytes: float
    ns: int
    sizes: tuple[int, ...] = ()
    """Batches, rows, columns and inner dimension, if it is a matrix product."""


@dataclass(frozen=True, slots=True)
class Part:
    """All calls of a step that belong to the same equations, median time over steps."""

    place: str
    equations: str
    operations: float
    in_products: float
    """Operations in matrix products, of all `operations`."""
    bytes: float
    us: float


def _sites(maps: Any) -> int:
    return int(np.prod(maps.shape[:3]))


def _pairs(frames: int) -> float:
    """Pairs of a frame and one before it, or itself."""
    return frames * (frames + 1) / 2


def _solved(products: Any) -> float:
    frames, factors = products.shape[:2]
    return float(frames * (factors**3 / 3 + 2 * factors**2))


OPERATIONS: Mapping[str, Callable[..., float]] = {
    # twin, forward
    "filters_last": lambda bank, _sites: 0,
    "rectify_and_square": lambda z, *_: _sites(z) * (z.shape[3] // 2 * (ELU + 4) + z.shape[3] * 2),
    "normalise_and_pool": lambda v, *_: v.size * 1.0 + _sites(v) + v.size,
    "rectify": lambda values: ELU * values.size,
    "bilinear_readout": lambda maps, _drive, corners, *_: 9.0 * len(corners) * maps[0].size,
    "visual_drive": lambda drive, *_: (EXP + 2) * drive.size,
    # twin, backward
    "visual_drive_vjp": lambda drive, *_: (EXP + 1) * drive.size,
    "bilinear_readout_vjp": lambda _, maps, corners, *_rest: 8.0 * len(corners) * maps[0].size,
    "rectify_vjp": lambda _rectified, grad: 3 * grad.size,
    "normalise_and_pool_vjp": lambda v, *_: 5.0 * v.size,
    "rectify_and_square_vjp": lambda z, *_: z.size / 2 * (4 + 8),
    "filters_last_vjp": lambda sites, _: 0,
    # likelihood
    "scaled_residuals": lambda predicted, *_: 8 * predicted.size,
    "noise_scales": lambda z, _rank, thinning, *_: 4 * len(z) * -(-z.shape[1] // thinning),
    "robust_weights": lambda z, *_: 7 * z.size,
    "solved": lambda products, _: _solved(products),
    "whitened_scores": lambda z, *_: 6 * z.size,
    # prior and momentum
    "extrapolated": lambda u, *_: 2 * u.size,
    "moved": lambda u, *_: 10 * u.size,
    "responded": lambda _response, u, *_: 2 * _pairs(len(u)) * u.shape[1],
    "responded_vjp": lambda _response, _grad, u: 2 * _pairs(len(u)) * u.shape[1],
}
"""Operations of each compiled loop, from its arguments; a comparison or a root counts as one.

Selecting a quantile is counted as three comparisons of each value."""

PATCHED = (drive, filter_pass, likelihood, horizon)
"""Modules that call the loops."""
_FACTORS = {
    **dict.fromkeys(("mm", "bmm", "matmul", "__matmul__"), slice(0, 2)),
    **dict.fromkeys(("addmm", "addmm_"), slice(1, 3)),
}
"""Functions of torch that are a matrix product, and which of their arguments are its factors."""
_COPIES = {"copy_", "zero_", "contiguous", "clone", "cat", "empty", "empty_like", "new_empty"}
"""Functions of torch that compute nothing but fill or reserve memory."""
_VIEWS = {
    "view", "flatten", "transpose", "expand", "reshape", "numpy", "detach", "size", "stride",
    "dim", "is_contiguous", "new_tensor", "__get__", "__len__", "__getitem__", "__float__",
}  # fmt: skip
"""Functions of torch that give another view of an array, and neither compute nor copy."""
NUMBERED = ("CompactDrive.forward", "CompactDrive.vjp", "FilterPass.forward", "FilterPass.vjp")
"""Functions whose comments name the equations of the lines below them."""
PLACES = (
    *NUMBERED,
    "CompactPrediction.linearised",
    "CompactPrediction._adjoint",
    "quasi_score_on_host",
    "EstimatedFrames.extrapolated",
    "EstimatedFrames.responded",
    "EstimatedFrames.adjoint",
    "EstimatedFrames.moved",
    "Solver.improve",
)
"""Functions to which the time of a step belongs; what they call belongs to the innermost one."""
_EQUATIONS = re.compile(r"^\s*#\s*(\(\d+'?\)(?:, \(\d+'?\))*)")


class Recorder(TorchFunctionMode):
    """Records each call of torch, and of the loops that it replaces, while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        begun_ns = time.perf_counter_ns()
        result = func(*args, **kwargs)
        ns = time.perf_counter_ns() - begun_ns
        name = getattr(func, "__name__", "")
        arrays = [one for one in (*args, *kwargs.values(), result) if torch.is_tensor(one)]
        factors = [args[place] for place in range(9)[_FACTORS[name]]] if name in _FACTORS else []
        operations = 0.0 if name in _VIEWS | _COPIES else float(_elements(result))
        sizes = _product_sizes(*factors) if factors else ()
        if sizes:
            operations = 2 * float(np.prod(sizes))
        moved = 0.0 if name in _VIEWS or _is_same(name, args, result) else _bytes(arrays)
        place, equations = _origin(inspect.currentframe())
        self.calls.append(Call(place, equations, operations, moved, ns, sizes))
        return result

    def loop(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, which records its calls."""

        def recorded(*args: Any) -> Any:
            # what it computes in place would change the counts
            operations = float(OPERATIONS[name](*args))
            begun_ns = time.perf_counter_ns()
            result = function(*args)
            ns = time.perf_counter_ns() - begun_ns
            moved = float(sum(one.nbytes for one in args if isinstance(one, np.ndarray)))
            place, equations = _origin(inspect.currentframe())
            self.calls.append(Call(place, equations, operations, moved, ns))
            return result

        return recorded


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the calls of all steps that are made in the block."""
    recorder = Recorder()
    with ExitStack() as stack:
        for module in PATCHED:
            for name in OPERATIONS:
                if (function := getattr(module, name, None)) is not None:
                    recorded = recorder.loop(name, function)
                    stack.enter_context(mock.patch.object(module, name, recorded))
        stack.enter_context(recorder)
        yield recorder


def parts(steps: Sequence[Sequence[Call]]) -> list[Part]:
    """The parts of a step in the order of its calls; time is the median over `steps`.

    Calls outside of `PLACES`, which compute nothing, are left out.
    """
    keys = list(dict.fromkeys((call.place, call.equations) for call in steps[0] if call.place))
    found = []
    for place, equations in keys:
        of_part = [
            [call for call in calls if (call.place, call.equations) == (place, equations)]
            for calls in steps
        ]
        first = of_part[0]
        us = float(np.median([sum(call.ns for call in calls) for calls in of_part])) / 1e3
        operations = sum(call.operations for call in first)
        products = sum(call.operations for call in first if call.sizes)
        moved = sum(call.bytes for call in first)
        found.append(Part(place, equations, operations, products, moved, us))
    return found


def _origin(frame: FrameType | None) -> tuple[str, str]:
    """The innermost of `PLACES` that `frame` was called from, and the equations of its line."""
    while frame is not None:
        name = frame.f_code.co_qualname
        if name in PLACES and "rtdecode" in frame.f_code.co_filename:
            return name, _equations(frame.f_code, frame.f_lineno) if name in NUMBERED else ""
        frame = frame.f_back
    return "", ""


@cache
def _equations(code: CodeType, line: int) -> str:
    """Numbers in the next comment above `line` that begins with some, within the function."""
    for number in range(line, code.co_firstlineno, -1):
        if found := _EQUATIONS.match(linecache.getline(code.co_filename, number)):
            return found[1]
    return ""


def _elements(result: Any) -> int:
    return result.numel() if torch.is_tensor(result) else 0


def _is_same(name: str, args: Sequence[Any], result: Any) -> bool:
    """Whether a function that may copy gave its argument back."""
    return name == "contiguous" and result.data_ptr() == args[0].data_ptr()


def _bytes(arrays: Sequence[torch.Tensor]) -> float:
    """Bytes of all arrays, each place in memory once; an axis that is expanded needs none."""
    found: dict[int, int] = {}
    for array in arrays:
        strided = zip(array.shape, array.stride(), strict=True)
        elements = math.prod(size for size, stride in strided if stride or size == 1)
        place = array.data_ptr()
        found[place] = max(found.get(place, 0), elements * array.element_size())
    return float(sum(found.values()))


def _product_sizes(first: torch.Tensor, second: torch.Tensor) -> tuple[int, ...]:
    """Batches, rows, columns and inner dimension of the product of two matrices or stacks."""
    *batches, rows, inner = first.shape
    return math.prod(batches), rows, second.shape[-1], inner
