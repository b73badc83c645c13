"""The rate limit of the closed loop: a token bucket on session time.

>>> bucket = TokenBucket(rate_hz=2.0)
>>> [bucket.take(t_ns) for t_ns in (0, 0, 0, 500_000_000)]
[True, True, False, True]
"""

_NS_PER_S = 1e9


class TokenBucket:
    """Permits `rate_hz` actions a second on average.

    The bucket holds max(1, `rate_hz`) tokens and is full at first. An action takes one, and they
    come back at `rate_hz`. In any time T, at most max(1, `rate_hz`) + `rate_hz` T actions are
    permitted. Times must not decrease; the same times give the same answers.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz, self._capacity = rate_hz, max(1.0, rate_hz)
        self._tokens = self._capacity
        self._last_ns: int | None = None

    def take(self, t_ns: int) -> bool:
        """Whether an action at `t_ns` is permitted; it then counts."""
        passed_ns = 0 if self._last_ns is None else t_ns - self._last_ns
        self._last_ns = t_ns
        self._tokens = min(self._capacity, self._tokens + self._rate_hz * passed_ns / _NS_PER_S)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
