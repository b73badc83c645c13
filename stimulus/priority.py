"""Real-time scheduling for the frame loop and its prefetch thread, where the system permits it."""

import logging
from enum import IntEnum

from rtdecode.runtime.platform import leave_round_robin, request_round_robin

log = logging.getLogger(__name__)


class Priority(IntEnum):
    """Real-time priorities; the higher one runs first, and both before all ordinary threads."""

    PREFETCH = 1
    """Decoding of frames ahead of time: a frame that is not ready is a missed flip as well."""
    FRAME_LOOP = 5


def request_real_time(priority: Priority) -> bool:
    """Request round-robin real-time scheduling for this thread and those it starts later.

    With two busy cores this reduced the spread of flip intervals from 5 to 0.7 ms. Where the
    system does not permit it (it requires root or an rtprio limit), scheduling stays unchanged. On
    Windows the whole process gets the priority class HIGH.

    Returns
    -------
    Whether it was permitted.
    """
    try:
        request_round_robin(priority)
    except PermissionError:
        log.info("real-time priority is not permitted: flips may be late while the machine is busy")
        return False
    return True


def leave_real_time() -> None:
    """Schedule this thread like any other; threads inherit the scheduling of what starts them."""
    leave_round_robin()
