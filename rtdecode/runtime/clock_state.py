"""What is stated of the clocks of hosts: counters of heartbeats, events, and their sentences.

Duties: `ClockState` states how far the clock of this host is from that of the decoder's host and
how exactly that is known, and reports when it is known too inexactly, when a clock was reset, and
when this host was suspended. `HostClocks` reads that from heartbeats, for page and summary.

>>> from rtdecode.schema.config.network import NetworkConfig
>>> hosts = {"decoder": {"address": "10.0.0.2"},
...          "microscope": {"address": "10.0.0.3", "processes": ["bridge"]}}
>>> clocks = HostClocks(NetworkConfig(hosts=hosts))
>>> counters = {OFFSET_MS: -2999.987, DRIFT_PPM: 181.0, DRIFT_UNCERTAINTY_PPM: 24.0}
>>> clocks.add("bridge", Health("running", "", {**counters, UNCERTAINTY_MS: 4.12}))
>>> [clock.text() for clock in clocks.figures()]
['microscope: clock −2.999987 s, 181 ± 24 ppm, ± 4.1 ms']
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

from rtdecode.runtime.clock import SuspendWatch
from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.mapped_clock import MappedClock
from rtdecode.schema.bounded import Recent
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Health

OFFSET_MS = "clock_offset_ms"
"""Counter of a heartbeat: how far this host's clock is ahead of the decoder host's."""
DRIFT_PPM = "clock_drift_ppm"
"""Counter of a heartbeat: how much faster this host's clock is."""
DRIFT_UNCERTAINTY_PPM = "clock_drift_uncertainty_ppm"
"""Counter of a heartbeat: largest error of the drift."""
UNCERTAINTY_MS = "clock_uncertainty_ms"
"""Counter of a heartbeat: largest error of the times since the heartbeat before."""
UNCERTAIN, CERTAIN, RESET = "clock_uncertain", "clock_certain", "clock_reset"
SUSPENDED = "host_suspended"
_COUNTERS = (OFFSET_MS, DRIFT_PPM, DRIFT_UNCERTAINTY_PPM, UNCERTAINTY_MS)
_MOST_HOSTS = 100
_NS_PER_MS, _NS_PER_S, _MS_PER_S = 1e6, 1e9, 1e3


def suspend_events(seconds: float, *, process: str) -> Iterator[Event]:
    """The event of a suspend of `seconds`; none for 0.0."""
    if seconds:
        text = "the host of this process was suspended, and nothing ran on it"
        yield Event("alarm", process, SUSPENDED, text, {"seconds": round(seconds, 3)})


class ClockState:
    """The state of the mapped clock of one process.

    Parameters
    ----------
    process
        Name of the process in its events.
    limit_ns
        Uncertainty beyond which times are too inexact: half a frame.
    """

    def __init__(
        self,
        process: str,
        clock: MappedClock,
        clock_map: ClockMap,
        *,
        local: Clock,
        limit_ns: float,
    ) -> None:
        self._process, self._clock, self._map, self._local = process, clock, clock_map, local
        self._limit_ns = limit_ns
        self._suspends = SuspendWatch(local)
        self._resets = 0
        self._uncertain_since_ns: int | None = None

    def counters(self) -> dict[str, float]:
        """Offset, drift and uncertainty now; none before the first estimate."""
        estimate = self._map.estimate
        if estimate is None:
            return {}
        local_ns = self._local.now_ns()
        return {
            OFFSET_MS: (local_ns - estimate.host_ns(local_ns)) / _NS_PER_MS,
            # host time = (1 + rate) local time, so the local clock gains 1 / (1 + rate) − 1
            DRIFT_PPM: (1 / (1 + estimate.rate) - 1) * 1e6,
            DRIFT_UNCERTAINTY_PPM: estimate.rate_width * 1e6,
            UNCERTAINTY_MS: self._clock.largest_uncertainty_ns() / _NS_PER_MS,
        }

    def events(self) -> Iterator[Event]:
        """What changed since the last call, which is expected once a second."""
        yield from suspend_events(self._suspends.seconds(), process=self._process)
        if self._map.estimate is None:
            return
        if more := self._map.n_resets - self._resets:
            self._resets += more
            text = "the clock of this host or of the decoder's was reset, and was mapped anew"
            yield Event("warning", self._process, RESET, text, {"resets": more})
        yield from self._uncertainty_events()

    def _uncertainty_events(self) -> Iterator[Event]:
        now_ns = self._local.now_ns()
        uncertainty_ns = self._clock.uncertainty_ns(now_ns)
        is_uncertain = uncertainty_ns > self._limit_ns
        since_ns = self._uncertain_since_ns
        if is_uncertain and since_ns is None:
            self._uncertain_since_ns = now_ns
            text = "times of this host are less certain than half a frame"
            yield Event("warning", self._process, UNCERTAIN, text)
        elif not is_uncertain and since_ns is not None:
            self._uncertain_since_ns = None
            counts = {"seconds": round((now_ns - since_ns) / _NS_PER_S, 1)}
            text = "times of this host were less certain than half a frame, and are certain again"
            yield Event("info", self._process, CERTAIN, text, counts)


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """The clock of one host at the last heartbeat, against that of the main host."""

    host: str
    """Name of the host; of the process where the config names no hosts."""
    offset_s: float
    """How far it is ahead."""
    drift_ppm: float
    """How much faster it is."""
    drift_uncertainty_ppm: float
    uncertainty_ms: float
    """Largest error of times of this host."""
    largest_uncertainty_ms: float
    """The same over the whole run."""

    def text(self) -> str:
        """Offset, drift and uncertainty, for a status."""
        offset = f"{self.offset_s:.6f}".replace("-", "−")
        return f"{self.host}: clock {offset} s, {self._drift()}, ± {self.uncertainty_ms:.1f} ms"

    def sentence(self) -> str:
        """The same as a sentence of a summary."""
        direction = "ahead of" if self.offset_s >= 0 else "behind"
        return (
            f"The clock of {self.host} was {abs(self.offset_s):.6f} s {direction} the main host's, "
            f"with a drift of {self._drift()}; times of this host are right within "
            f"{self.largest_uncertainty_ms:.1f} ms."
        )

    def _drift(self) -> str:
        sign = "−" if round(self.drift_ppm) < 0 else ""
        return f"{sign}{abs(self.drift_ppm):.0f} ± {self.drift_uncertainty_ppm:.0f} ppm"


class HostClocks:
    """The newest figures of each host."""

    def __init__(self, network: NetworkConfig) -> None:
        self._hosts = {
            role.value: name for name, host in network.hosts.items() for role in host.processes
        }
        self._figures: Recent[str, ClockFigures] = Recent(_MOST_HOSTS)

    def add(self, process: str, health: Health) -> None:
        """Take a heartbeat of `process` into account; most state no clock."""
        stated = [health.counters[name] for name in _COUNTERS if name in health.counters]
        if UNCERTAINTY_MS not in health.counters or not all(map(isfinite, stated)):
            return
        host = self._hosts.get(process, process)
        uncertainty_ms = health.counters[UNCERTAINTY_MS]
        new = ClockFigures(
            host=host,
            offset_s=health.counters.get(OFFSET_MS, 0.0) / _MS_PER_S,
            drift_ppm=health.counters.get(DRIFT_PPM, 0.0),
            drift_uncertainty_ppm=health.counters.get(DRIFT_UNCERTAINTY_PPM, 0.0),
            uncertainty_ms=uncertainty_ms,
            largest_uncertainty_ms=uncertainty_ms,
        )
        before = self._figures.get(host, new)
        largest_ms = max(before.largest_uncertainty_ms, uncertainty_ms)
        self._figures[host] = replace(new, largest_uncertainty_ms=largest_ms)

    def figures(self) -> list[ClockFigures]:
        """One for each host that states its clock, by name."""
        return [self._figures[host] for host in sorted(self._figures)]
