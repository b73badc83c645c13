"""The running percentile that estimates baseline fluorescence, for the activity estimator."""

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled

_BLOCKS = 60


class Baseline:
    """Running percentile of each neuron's fluorescence over the preceding window, causal.

    Parameters
    ----------
    count
        Number of neurons.
    window_scans
        Length of the window in scans.
    percentile
        Percentile, 0 to 100.

    Notes
    -----
    The window is divided into at most 60 blocks, half a second each for a window of 30 s. With the
    sorted block means m[0] ≤ … ≤ m[n-1] and a = percentile / 100 · (n - 1), the baseline is
    m[⌊a⌋] + (a - ⌊a⌋) (m[⌊a⌋+1] - m[⌊a⌋]). A completed block is inserted into the sorted list and
    the oldest is removed: O(blocks) for each neuron and block. Blocks of different neurons end in
    different scans, so every scan takes the same time. Block means have less noise than single
    scans, so a low percentile of them is less biased downwards. Bleaching is slower than the
    window, so the baseline follows it.

    >>> baseline = Baseline(1, window_scans=4, percentile=50)
    >>> measured = np.ones(1, bool)
    >>> for f in (1, 3, 2, 9):
    ...     value = baseline.update(np.full(1, f, np.float32), measured)
    >>> value.tolist()
    [2.5]
    """

    def __init__(self, count: int, *, window_scans: int, percentile: float) -> None:
        blocks = max(1, min(_BLOCKS, window_scans))
        self._block_scans = max(1, round(window_scans / blocks))
        self._quantile = percentile / 100
        self._ranked = np.zeros((count, blocks), np.float32)
        self._arrived = np.zeros((count, blocks), np.float32)
        self._filled = np.zeros(count, np.int64)
        self._next = np.zeros(count, np.int64)
        self._sum = np.zeros(count, np.float32)
        # first blocks of different lengths spread the ends of blocks over the scans
        self._until = 1 + (np.arange(count) % self._block_scans).astype(np.int64)
        self._scans = np.zeros(count, np.int64)
        self._value = np.zeros(count, np.float32)

    def seed(self, counts: NDArray[np.float32]) -> None:
        """Start from a known baseline, (neuron,) counts, which fills a quarter of the window."""
        quarter = max(1, self._ranked.shape[1] // 4)
        self._ranked[:, :quarter] = counts[:, None]
        self._arrived[:, :quarter] = counts[:, None]
        self._filled[:] = quarter
        self._next[:] = quarter % self._ranked.shape[1]
        self._value[:] = counts

    def update(
        self, counts: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(neuron,) baseline in counts after this scan; the next call overwrites the array."""
        _insert_blocks(
            counts,
            measured,
            self._block_scans,
            np.float32(self._quantile),
            self._ranked,
            self._arrived,
            self._filled,
            self._next,
            self._sum,
            self._scans,
            self._until,
            self._value,
        )
        return self._value


@compiled
def _insert_blocks(  # noqa: C901, PLR0917 - one loop, compiled; it takes no keywords
    counts: NDArray[np.float32],
    measured: NDArray[np.bool_],
    block_scans: int,
    quantile: np.float32,
    ranked: NDArray[np.float32],
    arrived: NDArray[np.float32],
    filled: NDArray[np.int64],
    next_place: NDArray[np.int64],
    summed: NDArray[np.float32],
    scans: NDArray[np.int64],
    until: NDArray[np.int64],
    value: NDArray[np.float32],
) -> None:
    blocks = ranked.shape[1]
    for i in range(len(counts)):
        if not measured[i]:
            continue
        summed[i] += counts[i]
        scans[i] += 1
        if scans[i] < until[i]:
            if filled[i] == 0:
                value[i] = summed[i] / np.float32(scans[i])
            continue
        mean = summed[i] / np.float32(scans[i])
        summed[i], scans[i], until[i] = np.float32(0), 0, block_scans
        size = filled[i]
        if size == blocks:
            oldest = arrived[i, next_place[i]]
            place = 0
            while place < size - 1 and ranked[i, place] != oldest:
                place += 1
            for k in range(place, size - 1):
                ranked[i, k] = ranked[i, k + 1]
            size -= 1
        place = size
        while place > 0 and ranked[i, place - 1] > mean:
            ranked[i, place] = ranked[i, place - 1]
            place -= 1
        ranked[i, place] = mean
        arrived[i, next_place[i]] = mean
        next_place[i] = (next_place[i] + 1) % blocks
        filled[i] = size + 1
        # rank of the quantile among n = size + 1 block means: a = q (n - 1)
        at = quantile * np.float32(size)
        low = int(at)
        high = min(low + 1, size)
        value[i] = ranked[i, low] + (at - np.float32(low)) * (ranked[i, high] - ranked[i, low])
