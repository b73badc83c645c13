"""A run: its session folder, its processes, and how they end together."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import write_config
from rtdecode.runtime.sockets import ControlServer, Messaging
from rtdecode.runtime.supervisor import ProcessSpec, Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.run import Role
from rtdecode.schema.config.session import NetworkConfig
from rtdecode.schema.messages import Health
from rtdecode.session.environment import environment_here, git_revision
from rtdecode.session.layout import SessionLayout, SessionLock, require_space


@contextmanager
def private_network(configured: NetworkConfig) -> Iterator[NetworkConfig]:
    """`configured` with an address in a private folder for every endpoint it leaves empty.

    Unix sockets in a fresh folder need no port, cannot meet another run, and nobody else may
    enter. The folder is short, because a socket's path may have 107 characters at most.
    """
    with tempfile.TemporaryDirectory(prefix="rtdecode-", dir="/tmp") as folder:
        yield NetworkConfig(
            **{
                name: address or f"ipc://{Path(folder) / name}"
                for name, address in configured.model_dump().items()
            }
        )


_MODULES = {
    Role.RECORDER: "rtdecode.pipeline.recorder",
    Role.STIMULUS: "stimulus",
    Role.BRIDGE: "acquisition_bridge",
    Role.DECODER: "rtdecode.pipeline.decoder",
    Role.EVALUATE: "rtdecode.pipeline.evaluate",
    Role.VIEW: "rtdecode.pipeline.view",
}
_RESTARTED = (Role.DECODER, Role.EVALUATE, Role.VIEW)
_ENDS_RUN = (Role.STIMULUS, Role.BRIDGE)
"""Somebody at the screen may end the show, and a recorded movie has an end."""
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # glibc gives freed memory back and asks for it again at every step, which makes torch on the
    # CPU several times slower; with these it keeps it
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "268435456",
}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    reason: str
    began: bool
    """False where it was stopped before all processes were ready: nothing was recorded."""


@contextmanager
def prepared(
    config: RunConfig, session: SessionLayout, *, on_health: Callable[[str, Health], None]
) -> Iterator[Supervisor]:
    """A supervisor whose processes will find their config, each other, and room on the disk.

    What it has started ends with the block. Raises DiskFullError, SecondInstanceError.
    """
    require_space(session.folder, needed_mb=config.record.min_free_mb)
    with (
        SessionLock(session),
        private_network(config.network) as network,
        Messaging() as messaging,
    ):
        write_config(_resolved(config, session, network), session.config)
        environment_here().save(session.environment)
        clock = HostClock()
        server = ControlServer(messaging, clock=clock, endpoint=network.control)
        supervisor = Supervisor(
            server,
            clock,
            session.folder / "logs",
            on_health=on_health,
            env={**os.environ, **_ONE_THREAD},
        )
        try:
            yield supervisor
        finally:
            supervisor.end()


def run_session(
    config: RunConfig,
    session: SessionLayout,
    *,
    stop: Event,
    on_health: Callable[[str, Health], None] = lambda _name, _health: None,
) -> RunOutcome:
    """Run until `stop`, `config.seconds`, or the end of the source; everything is recorded.

    Raises
    ------
    DiskFullError, SecondInstanceError
        Before anything is started.
    NotReadyError, ProcessFailedError
        With the last words of the process that failed.
    """
    # the processes may have another working directory than whoever named the folder
    session = SessionLayout(session.folder.resolve())
    with prepared(config, session, on_health=on_health) as supervisor:
        if not supervisor.start(_specs(config, session), stop=stop):
            return RunOutcome(session.folder, "stopped before it began", began=False)
        ends_ns = None
        if config.seconds is not None:
            ends_ns = supervisor.clock.now_ns() + round(config.seconds * 1e9)
        reason = supervisor.watch(stop, until_ns=ends_ns)
    return RunOutcome(session.folder, reason, began=True)


def _specs(config: RunConfig, session: SessionLayout) -> list[ProcessSpec]:
    told = [str(session.config), "--session", session.folder.name]
    told += ["--revision", git_revision(), "--supervised"]
    return [
        ProcessSpec(
            role.value,
            [sys.executable, "-m", _MODULES[role], *told],
            restarts=role in _RESTARTED,
            ends_run=role in _ENDS_RUN,
        )
        for role in Role
        if role in config.processes
    ]


def _resolved(config: RunConfig, session: SessionLayout, network: NetworkConfig) -> RunConfig:
    record = config.record.model_copy(update={"folder": session.folder.parent})
    return config.model_copy(update={"network": network, "record": record})
