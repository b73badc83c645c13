"""Faults that a replay injects on purpose: lost messages and jitter of their arrival.

Duties: remove messages with activity at random, delay arrivals at random, and count what was done.
The recorded session is never changed: only what a replay reads from it passes through here.

>>> faults = InjectedFaults(drop=0.5, seed=1)
>>> faults.is_active, faults.dropped
(True, {})
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count

import numpy as np

from rtdecode.schema.messages import Event, Fluorescence, Received, Scan
from rtdecode.schema.recorded_activity import RecordedActivity

CODE = "faults_injected"
_TEXT = "faults were injected into this replay on purpose (rtdecode replay --drop, --jitter)"
_DROPPED = (Scan, Fluorescence, RecordedActivity)
_NS_PER_MS = 1e6


class InjectedFaults:
    """Loses and delays messages of a replay at random, and counts them.

    Parameters
    ----------
    drop
        Fraction of the messages with activity (scans, ROI values, recorded activity) that are lost
        between the bridge and all other processes, 0 to 1.
    jitter_ms
        Longest delay of an arrival in ms; delays are uniform from 0 on, and independent. Messages
        of one source keep their order, as over one connection.
    seed
        Of both.
    """

    def __init__(self, *, drop: float = 0.0, jitter_ms: float = 0.0, seed: int = 0) -> None:
        self.drop, self.jitter_ms = drop, jitter_ms
        self._rng = np.random.default_rng(seed)
        self._dropped: Counter[str] = Counter()
        self.last_seq: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """Highest number of each kind that a source sent, also of messages that were lost."""
        self.delayed, self._delay_ns, self._longest_ns = 0, 0, 0

    @property
    def is_active(self) -> bool:
        """Whether any fault is injected."""
        return bool(self.drop or self.jitter_ms)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Messages that were lost, by stream."""
        return dict(self._dropped)

    def step(self, messages: Iterator[Received]) -> Iterator[Received]:
        """`messages` without those that are lost, in the order of their delayed arrival."""
        kept = (item for item in messages if not self._is_lost(item))
        return self._delayed(kept) if self.jitter_ms else kept

    def event(self) -> Event:
        """What was injected, for the log of the replay."""
        counts = {f"lost {stream}": float(n) for stream, n in self._dropped.items()}
        if self.jitter_ms:
            counts["delayed"] = float(self.delayed)
        return Event("warning", "replay", CODE, _TEXT, counts)

    def sentences(self) -> list[str]:
        """State what was injected; nothing where that is nothing."""
        stated = []
        if self.drop:
            lost = ", ".join(f"{n:,} of {stream}" for stream, n in self._dropped.items())
            stated.append(f"Injected: {100 * self.drop:g} % lost: {lost or 'none'}.")
        if self.jitter_ms:
            mean_ms = self._delay_ns / max(1, self.delayed) / _NS_PER_MS
            stated.append(
                f"Injected: the arrival of {self.delayed:,} messages was delayed by "
                f"{mean_ms:.1f} ms on average, by {self._longest_ns / _NS_PER_MS:.1f} ms at most."
            )
        return stated

    def _is_lost(self, item: Received) -> bool:
        message = item.message
        self.last_seq[message.source][message.body.kind] = message.seq
        if not isinstance(message.body, _DROPPED) or self._rng.random() >= self.drop:
            return False
        self._dropped[message.stream] += 1
        return True

    def _delayed(self, messages: Iterator[Received]) -> Iterator[Received]:
        """Items in the order of their arrival; equal times keep the order of the recording."""
        waiting: list[tuple[int, int, Received]] = []
        arrived_ns: defaultdict[str, int] = defaultdict(int)
        order = count()
        for item in messages:
            source, sent_ns = item.message.source, item.t_received_ns
            while waiting and waiting[0][0] <= sent_ns:
                yield heapq.heappop(waiting)[2]
            delay_ns = round(self._rng.random() * self.jitter_ms * _NS_PER_MS)
            at_ns = arrived_ns[source] = max(arrived_ns[source], sent_ns + delay_ns)
            self._count_delay(at_ns - sent_ns)
            late = replace(item, t_received_ns=at_ns)
            heapq.heappush(waiting, (at_ns, next(order), late))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _count_delay(self, delay_ns: int) -> None:
        self.delayed += 1
        self._delay_ns += delay_ns
        self._longest_ns = max(self._longest_ns, delay_ns)
