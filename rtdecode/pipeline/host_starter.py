"""Starts the processes of a joined host, by the command lines of `topology`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtdecode.pipeline.addresses import listened, require_free
from rtdecode.pipeline.hosts import network_between_hosts
from rtdecode.pipeline.topology import Row
from rtdecode.runtime.children import ChildProcess, ProcessSpec, spawned
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import AddressInUseError

_PORTS_S = 20.0
"""Time in s for which the ports of an earlier process of this host are waited for."""


class Starter:
    """Starts processes of this host, once their ports are free.

    Those of a `rtdecode join` that was killed end by themselves, which takes a moment.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        logs: Path,
        config: RunConfig,
    ) -> None:
        self._rows = {row.role.value: row for row in rows}
        self._argv, self._env, self._logs, self._config = argv, env, logs, config
        self._clock = HostClock()
        self._since_ns: dict[str, int] = {}

    def __call__(self, name: str, number: int, detail: str) -> ChildProcess | None:
        row, now_ns = self._rows[name], self._clock.now_ns()
        waited_ns = now_ns - self._since_ns.setdefault(f"{name} {number}", now_ns)
        if waited_ns < _PORTS_S * 1e9 and not self._is_free(row):
            return None
        argv = [sys.executable, "-m", row.module, *self._argv]
        spec = ProcessSpec(name, argv, keeps_memory=row.keeps_memory)
        log_file = self._logs / f"{name}.log"
        return spawned(spec, log_file=log_file, env=self._env, starts=number, detail=detail)

    def _is_free(self, row: Row) -> bool:
        network = network_between_hosts(self._config)
        config = self._config.model_copy(update={"network": network})
        try:
            for option, host, port in listened(config, [row]):
                require_free((host, port), option)
        except AddressInUseError:
            return False
        return True
