"""When a process that has failed is started again, for the supervisor.

The delay is 1, 2, 4, 8, 16 and then 30 s, by the failures of the last ten minutes. More than three
failures within that time end the run where the process is essential. Any other process is started
again for as long as the run lasts.

>>> page = Restarts(is_essential=False)
>>> [(page.next_ns(t_ns=0) or 0) / 1e9 for _ in range(6)]
[1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
>>> decoder = Restarts(is_essential=True)
>>> [decoder.next_ns(t_ns=0) is None for _ in range(4)]
[False, False, False, True]
"""

from collections import deque

_NS_PER_S = 1_000_000_000
WINDOW_S = 600
"""Failures that lie further back do not count."""
MOST_IN_WINDOW = 3
"""Restarts of an essential process within the window."""
LONGEST_S = 30


class Restarts:
    """The failures of one process."""

    def __init__(self, *, is_essential: bool) -> None:
        self._is_essential = is_essential
        self._failures_ns: deque[int] = deque()

    def next_ns(self, *, t_ns: int) -> int | None:
        """Time of the next start after a failure at `t_ns`; None where the run ends instead."""
        while self._failures_ns and t_ns - self._failures_ns[0] > WINDOW_S * _NS_PER_S:
            self._failures_ns.popleft()
        n_before = len(self._failures_ns)
        self._failures_ns.append(t_ns)
        if self._is_essential and n_before >= MOST_IN_WINDOW:
            return None
        # the exponent is bounded, as the power would grow without end
        return t_ns + min(1 << min(n_before, 10), LONGEST_S) * _NS_PER_S
