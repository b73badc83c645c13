"""Differences between two methods on the same clips, within a mouse and over mice.

Clips differ in contrast and motion by more than methods do, so that the intervals of two means
overlap where one method is better on every clip. A paired difference leaves the clips out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_DRAWS = 10_000
_SEED = 0
_PERCENTILES = (2.5, 97.5)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Mean over clips of `ours` - `theirs`, with its bootstrap 95 % interval over clips.

    Parameters
    ----------
    ours, theirs
        A metric of two methods on the same clips, in the same order. Clips for which one of them
        is not defined (NaN) are left out.
    """
    return _interval([_pairs(ours, theirs)], _mean_difference)


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Ratio of the means over clips of `ours` and `theirs`, as `paired_difference`."""
    return _interval([_pairs(ours, theirs)], _ratio_of_means)


def difference_over_mice(mice: Sequence[tuple[Sequence[float], Sequence[float]]]) -> dict[str, Any]:
    """Mean over mice of the paired difference of each.

    The interval is that of a bootstrap in two stages: mice are resampled, and the clips of each.

    Parameters
    ----------
    mice
        For each mouse the metric of two methods by clip.
    """
    return _interval([_pairs(*mouse) for mouse in mice], _mean_difference)


def ratio_over_mice(mice: Sequence[tuple[Sequence[float], Sequence[float]]]) -> dict[str, Any]:
    """Mean over mice of the ratio of means of each, as `difference_over_mice`."""
    return _interval([_pairs(*mouse) for mouse in mice], _ratio_of_means)


def _pairs(ours: Sequence[float], theirs: Sequence[float]) -> F64:
    """(clip, 2) the clips for which both are defined."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} clips of one method cannot be paired with {len(theirs)}")
    pairs = np.column_stack([ours, theirs]).astype(np.float64)
    return np.asarray(pairs[np.isfinite(pairs).all(1)])


def _mean_difference(pairs: F64) -> F64:
    """(...,) mean difference of (..., clip, 2)."""
    return np.asarray(pairs[..., 0].mean(-1) - pairs[..., 1].mean(-1))


def _ratio_of_means(pairs: F64) -> F64:
    return np.asarray(pairs[..., 0].mean(-1) / pairs[..., 1].mean(-1))


def _interval(mice: Sequence[F64], statistic: Callable[[F64], F64]) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    resampled = np.stack(
        [statistic(pairs[rng.integers(0, len(pairs), (_DRAWS, len(pairs)))]) for pairs in mice]
    )  # (mouse, draw)
    chosen = rng.integers(0, len(mice), resampled.shape)
    means = np.take_along_axis(resampled, chosen, axis=0).mean(0)
    mean = float(np.mean([statistic(pairs) for pairs in mice]))
    low, high = np.percentile(means, _PERCENTILES)
    return {"mean": mean, "ci95": [float(low), float(high)]}
