"""Clocks of the hosts of a run, from the heartbeats of their processes; for page and summary.

>>> from rtdecode.schema.config.network import NetworkConfig
>>> hosts = {"decoder": {"address": "10.0.0.2"},
...          "microscope": {"address": "10.0.0.3", "processes": ["bridge"]}}
>>> clocks = HostClocks(NetworkConfig(hosts=hosts))
>>> counters = {OFFSET_MS: -2999.987, DRIFT_PPM: 181.0, DRIFT_UNCERTAINTY_PPM: 24.0}
>>> clocks.add("bridge", Health("running", "", {**counters, UNCERTAINTY_MS: 4.12}))
>>> [clock.text() for clock in clocks.figures()]
['microscope: clock −2.999987 s, 181 ± 24 ppm, ± 4.1 ms']
"""

from dataclasses import dataclass, replace

from rtdecode.runtime.clock_state import (
    DRIFT_PPM,
    DRIFT_UNCERTAINTY_PPM,
    OFFSET_MS,
    UNCERTAINTY_MS,
)
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.messages import Health

_MS_PER_S = 1000


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
        self._figures: dict[str, ClockFigures] = {}

    def add(self, process: str, health: Health) -> None:
        """Take a heartbeat of `process` into account; most state no clock."""
        if UNCERTAINTY_MS not in health.counters:
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
