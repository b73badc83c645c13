"""The clock maps of a session again, from the raw probes in its log.

A live map knows probes of the past alone. Here those before and after a time bound its offset, so
that the uncertainty is smaller. With it, times that another program of a host has written on that
host's CLOCK_MONOTONIC become times of the session.

    (bridge,) = recorded_clocks(session_at(folder).log, source="bridge")
    bridge.host_ns(stamp_ns), bridge.uncertainty_ns(stamp_ns)
"""

from bisect import bisect_left
from collections import deque
from pathlib import Path

from rtdecode.runtime.clock_map import Bounds, BoundsByTime, Estimate, bounds_of, estimate_of
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import Start
from rtdecode.session.reader import LogReader

_NEAR = 32
"""Bounds that are used before and after a time: one minute each."""


class RecordedClock:
    """The clock of one source from one of its starts, or of a reset of its clock, to the next.

    Parameters
    ----------
    bounds
        Bounds of its offset, by time; at least one.
    """

    def __init__(self, source: str, bounds: BoundsByTime) -> None:
        self.source, self._bounds = source, list(bounds.kept)

    def host_ns(self, local_ns: int) -> int:
        """Time of the session, on the main host's clock, at the source's `local_ns`."""
        return self.estimate(local_ns).host_ns(local_ns)

    def uncertainty_ns(self, local_ns: int) -> float:
        """Largest error of `host_ns` at `local_ns`."""
        return self.estimate(local_ns).uncertainty_ns(local_ns)

    def estimate(self, local_ns: int) -> Estimate:
        """The estimate at `local_ns`, from the probes of a minute before and after it."""
        near = self._near(local_ns)
        while (found := estimate_of(near, t_ns=local_ns)) is None:
            # bounds that contradict each other: those that are further away are left out
            is_first_further = local_ns - near[0].t_lower_ns > near[-1].t_lower_ns - local_ns
            _ = near.popleft() if is_first_further else near.pop()
        return found

    def _near(self, local_ns: int) -> deque[Bounds]:
        at = bisect_left(self._bounds, local_ns, key=lambda bounds: bounds.t_lower_ns)
        return deque(self._bounds[max(0, at - _NEAR) : at + _NEAR])


def recorded_clocks(log: Path, *, source: str) -> list[RecordedClock]:
    """The clocks of `source` in the order of its starts; none on the main host.

    Raises
    ------
    MissingFileError, UnreadableFileError
        As `LogReader`.
    """
    collected = [BoundsByTime()]
    streams = {f"{source}/{kind.kind}" for kind in (Start, ClockProbe)}
    for item in LogReader(log).messages(lambda stream: stream in streams):
        body = item.message.body
        new = bounds_of(body) if isinstance(body, ClockProbe) else None
        if isinstance(body, Start) or (new is not None and collected[-1].is_contradicted_by(new)):
            collected.append(BoundsByTime())
        if new is not None:
            collected[-1].add(new)
    return [RecordedClock(source, bounds) for bounds in collected if bounds.kept]
