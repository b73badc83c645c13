"""The one clock of a host."""

import time

_SPIN_NS = 300_000
"""The kernel wakes a sleeper up to about 0.1 ms late; the rest of the way is polled."""


class HostClock:
    """CLOCK_MONOTONIC of this host, the same in all its processes."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, t_ns: int) -> None:
        while (left_ns := t_ns - time.monotonic_ns()) > 0:
            time.sleep(max(0, left_ns - _SPIN_NS) / 1e9)
