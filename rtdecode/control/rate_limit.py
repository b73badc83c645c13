"""The rate limit of the closed loop: a token bucket on session time.

>>> bucket = TokenBucket(rate_hz=2.0)
>>> [bucket.take(t_ns) for t_ns in (0, 0, 0, 500_000_000)]
[True, True, False, True]
"""

from rtdecode.schema.messages import Event

_NS_PER_S = 1e9
WITHHELD = "actions_withheld"
"""Code of the event that counts actions beyond the rate limit."""


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


class WithheldCount:
    """Counts what the rate limit withheld, and states it in one event a second."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz, self._count = rate_hz, 0
        self._due_ns = 0

    def add(self) -> None:
        """Count one withheld action."""
        self._count += 1

    def events(self, t_ns: int) -> tuple[Event, ...]:
        """The event that is due at `t_ns`, if actions were withheld since the one before."""
        if not self._count or t_ns < self._due_ns:
            return ()
        text = (
            f"actions were withheld, because the policy asked for more than "
            f"control.max_actions_per_s, which is {self._rate_hz:g}"
        )
        counts = {"withheld": float(self._count)}
        self._count, self._due_ns = 0, t_ns + round(_NS_PER_S)
        return (Event("warning", "controller", WITHHELD, text, counts),)
