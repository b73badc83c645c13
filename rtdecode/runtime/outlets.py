"""The publishers of one process together: what they hold for the recorder, and its hand-over.

A process ends once the recorder has taken all that its publishers hold. It waits for as long as
the recorder takes some of it, and for a limited time where it takes nothing.
"""

import logging
import math
from collections.abc import Callable, Sequence

from rtdecode.runtime.backlog import BACKLOG_MB, NOT_RECORDED
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_POLL_S = 0.05


def drain(publishers: Sequence[Publisher]) -> None:
    """Send what the recorder takes now."""
    for publisher in publishers:
        publisher.drain()


def backlog_counters(publishers: Sequence[Publisher]) -> dict[str, float]:
    """Counters of the heartbeat: MB that are held, and messages that found no room."""
    held_mb = sum(publisher.backlog.mb for publisher in publishers)
    return {
        BACKLOG_MB: held_mb,
        NOT_RECORDED: sum(publisher.backlog.n_refused for publisher in publishers),
    }


def handed_over(
    publishers: Sequence[Publisher],
    *,
    clock: Clock,
    limit_s: Callable[[], float],
    on_turn: Callable[[], None],
) -> bool:
    """Wait while the recorder takes what is held at the end; False where it leaves messages.

    Parameters
    ----------
    limit_s
        Time in s for which it may take nothing.
    on_turn
        Called between two attempts, for heartbeats.
    """
    least, since_ns = math.inf, clock.now_ns()
    while left := sum(len(publisher.backlog) for publisher in publishers):
        now_ns = clock.now_ns()
        if left < least:
            least, since_ns = left, now_ns
        elif now_ns - since_ns > limit_s() * 1e9:
            break
        for publisher in publishers:
            publisher.drain(_POLL_S)
        on_turn()
    for publisher in publishers:
        if publisher.backlog:
            held = publisher.backlog.left()
            log.error("the recorder did not take the last messages, which are lost: %s", held)
    return not left
