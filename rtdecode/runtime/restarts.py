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

import math
from collections import deque
from collections.abc import Iterator

from rtdecode.schema.messages import Event

_NS_PER_S = 1_000_000_000
WINDOW_S = 600
"""Failures that lie further back do not count."""
MOST_IN_WINDOW = 3
"""Restarts of an essential process within the window."""
LONGEST_S = 30
HELD_LOST = "held_messages_lost"
"""Code of the events of a process that failed while it held messages for the recorder."""
RUN_FAILED = "run_failed"
"""Code of the event of a failure that ends the run."""


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


def restart_events(name: str, *, held_mb: float) -> Iterator[Event]:
    """Events of a failure of the process `name` after which it is started again.

    An alarm comes first where it held `held_mb` for the recorder at its last heartbeat: what a
    killed process holds is not in the log, and its successor numbers its messages from 0.
    """
    if held_mb:
        text = (
            "the process failed while it held messages for the recorder; those that the recorder "
            "had not taken are not in the log"
        )
        yield Event("alarm", name, HELD_LOST, text, {"held_kb": math.ceil(1000 * held_mb)})
    text = (
        "the process failed and was started again; it processed nothing meanwhile, and its last "
        "messages may not be in the log"
    )
    yield Event("warning", name, "process_restarted", text, {"restarts": 1})


def run_failed_event(name: str, *, code: int, why: str) -> Event:
    """Event of a failure of the process `name` that ends the run; `why` is its own sentence."""
    text = f"{name} ended with exit code {code}, which ends the run"
    return Event("alarm", "supervisor", RUN_FAILED, f"{text}: {why}" if why else text, {})
