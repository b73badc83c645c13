"""What a report collects while the summary reads the log: frames, scores of clips, behaviour.

The log is read once, and memory is bounded: frames are kept evenly over the session, and means of
behaviour in bins that become longer.

    collected = Collected(frame_rate_hz=30.0)
    summary = summarise(session, collected=collected)
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.running import FrameScore
from rtdecode.report.clip_table import ClipTable
from rtdecode.schema.control import Trial
from rtdecode.schema.messages import Behaviour, Fluorescence, Received

F64 = NDArray[np.float64]
Item = TypeVar("Item")
_MOST_PAIRS, _MOST_BINS = 400, 2_000
MOST_TRIALS, _MOST_SHIFTS, _MOST_PLANES = 100_000, 4_000, 100
CHANNELS = ("running speed (cm/s)", "pupil diameter (px)")


class EvenlyKept(Generic[Item]):
    """Numbered items of a session, at most `most` of them, evenly over it.

    >>> kept = EvenlyKept[str](most=2)
    >>> for number, letter in enumerate("abcde"):
    ...     kept.add(number, letter)
    >>> kept.kept
    {0: 'a', 4: 'e'}
    """

    def __init__(self, *, most: int) -> None:
        self._most, self.every = most, 1
        self.kept: dict[int, Item] = {}

    def add(self, number: int, item: Item) -> None:
        """Keep `item` if its number is due; beyond `most`, every second one is left out."""
        if number % self.every == 0:
            self.kept[number] = item
        if len(self.kept) > self._most:
            self.every *= 2
            self.kept = {n: one for n, one in self.kept.items() if n % self.every == 0}


class BinnedBehaviour:
    """Mean running speed and pupil diameter in at most 2,000 bins of equal length."""

    def __init__(self) -> None:
        self._bin_ns = 100_000_000
        self._sums: dict[int, F64] = {}
        self.samples = 0

    def add(self, sample: Behaviour) -> None:
        """Add a sample; values that are not finite are left out."""
        self.samples += 1
        values = np.array([sample.running_cm_s, sample.pupil_diameter_px])
        known = np.isfinite(values)
        row = np.concatenate([np.where(known, values, 0), known])
        number = sample.t_sample_ns // self._bin_ns
        self._sums[number] = self._sums.get(number, np.zeros(2 * len(CHANNELS))) + row
        if len(self._sums) > _MOST_BINS:
            self._merge()

    def _merge(self) -> None:
        """Make bins twice as long."""
        self._bin_ns *= 2
        merged: dict[int, F64] = {}
        for number, row in self._sums.items():
            merged[number // 2] = merged.get(number // 2, np.zeros(len(row))) + row
        self._sums = merged

    def means(self, *, zero_ns: int) -> tuple[F64, F64]:
        """(bin,) time in s after `zero_ns` of the middle of each bin, and (bin, 2) means."""
        numbers = sorted(self._sums)
        sums = np.array([self._sums[number] for number in numbers]).reshape(-1, 2 * len(CHANNELS))
        values, known = sums[:, : len(CHANNELS)], sums[:, len(CHANNELS) :]
        means = np.where(known > 0, values / np.maximum(known, 1), np.nan)
        t_ns = [number * self._bin_ns + self._bin_ns // 2 - zero_ns for number in numbers]
        return np.array(t_ns, np.float64) / 1e9, means


class Shifts:
    """Movement of one plane by registration, at most 4,000 scans evenly over the session."""

    def __init__(self) -> None:
        self.seen = 0
        """Scans whose fluorescence was recorded."""
        self._even = EvenlyKept[tuple[int, F64]](most=_MOST_SHIFTS)

    def add(self, scan: Fluorescence) -> None:
        """Keep the shift of `scan` if it is due."""
        self._even.add(self.seen, (scan.t_scan_ns, scan.shift_px.astype(np.float64)))
        self.seen += 1

    @property
    def every(self) -> int:
        """Scans of which one is kept."""
        return self._even.every

    @property
    def px(self) -> F64:
        """(scan, 2) shifts in px, (row, col)."""
        return np.array([px for _, px in self._even.kept.values()]).reshape(-1, 2)

    def t_s(self, zero_ns: int) -> F64:
        """(scan,) middle of each scan in s after `zero_ns`."""
        t_ns = [at_ns - zero_ns for at_ns, _ in self._even.kept.values()]
        return np.array(t_ns, np.float64) / 1e9


class Collected:
    """All that a report takes from the pass over the log."""

    kinds = (f"/{Behaviour.kind}", f"/{Trial.kind}", f"/{Fluorescence.kind}")
    """Ends of the names of the streams that it needs, beside those of the summary."""

    def __init__(self, *, frame_rate_hz: float) -> None:
        self.even = EvenlyKept[Pair](most=_MOST_PAIRS)
        """Pairs of displayed and decoded frames, by frame."""
        self.clips = ClipTable(frame_rate_hz=frame_rate_hz)
        self.behaviour = BinnedBehaviour()
        self._trials: list[Trial] = []
        self.trials_left_out = 0
        """Trials beyond the 100,000 that are kept."""
        self._shifts: dict[int, Shifts] = {}

    @property
    def trials(self) -> Sequence[Trial]:
        """Displayed trials of a protocol."""
        return self._trials

    def add(self, item: Received) -> None:
        """Take a message of one of `kinds`."""
        body = item.message.body
        if isinstance(body, Behaviour):
            self.behaviour.add(body)
        elif isinstance(body, Trial):
            self._add_trial(body)
        elif isinstance(body, Fluorescence) and len(self._shifts) < _MOST_PLANES:
            self._shifts.setdefault(body.plane, Shifts()).add(body)

    def _add_trial(self, trial: Trial) -> None:
        if len(self._trials) < MOST_TRIALS:
            self._trials.append(trial)
        else:
            self.trials_left_out += 1

    def shifts(self, plane: int) -> Shifts:
        """Movement of `plane`; empty where it was not decoded."""
        return self._shifts.get(plane, Shifts())

    def add_pair(self, pair: Pair, score: FrameScore | None) -> None:
        """Take a pair of frames, and what it adds to the score; None where it is not scored."""
        self.even.add(pair.frame, pair)
        if score is not None:
            self.clips.add(pair, score)
