"""A running percentile that costs one insertion a neuron every half second."""

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled

_BLOCKS = 60


class Baseline:
    """Percentile of each neuron's counts over the last window, cheap and causal.

    Parameters
    ----------
    count
        Neurons.
    window_scans
        Scans that the percentile looks back on.
    percentile
        0 to 100.

    Notes
    -----
    The window is cut into at most 60 blocks. A block's mean is inserted into a sorted list when
    the block is full, and the oldest is taken out; block ends are spread over the neurons, so
    every scan costs the same. The means of blocks carry less noise than single scans, so a low
    percentile lies less below the true baseline. Bleaching is slow and the baseline follows it.
    """

    def __init__(self, count: int, *, window_scans: int, percentile: float) -> None:
        blocks = max(1, min(_BLOCKS, window_scans))
        self._block_scans = max(1, round(window_scans / blocks))
        self._part = percentile / 100
        self._ranked = np.zeros((count, blocks), np.float32)
        self._arrived = np.zeros((count, blocks), np.float32)
        self._filled = np.zeros(count, np.int64)
        self._next = np.zeros(count, np.int64)
        self._sum = np.zeros(count, np.float32)
        # First blocks of different lengths, so that not all neurons' blocks end in one scan.
        self._until = 1 + (np.arange(count) % self._block_scans).astype(np.int64)
        self._scans = np.zeros(count, np.int64)
        self._value = np.zeros(count, np.float32)

    def seed(self, counts: NDArray[np.float32]) -> None:
        """Start from a known baseline, (neuron,) counts, for a quarter of the window."""
        share = max(1, self._ranked.shape[1] // 4)
        self._ranked[:, :share] = counts[:, None]
        self._arrived[:, :share] = counts[:, None]
        self._filled[:] = share
        self._next[:] = share % self._ranked.shape[1]
        self._value[:] = counts

    def update(
        self, counts: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(neuron,) baseline in counts after this scan; a view that the next call changes."""
        _insert_blocks(
            counts,
            measured,
            self._block_scans,
            np.float32(self._part),
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
    part: np.float32,
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
        at = part * np.float32(size)
        low = int(at)
        high = min(low + 1, size)
        value[i] = ranked[i, low] + (at - np.float32(low)) * (ranked[i, high] - ranked[i, low])
