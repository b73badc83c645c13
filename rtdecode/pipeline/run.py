"""A run: its session folder, its processes, and how they end together."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rtdecode.pipeline.network import private_network
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import write_config
from rtdecode.runtime.sockets import ControlDesk, Wire
from rtdecode.runtime.supervisor import ProcessSpec, Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource
from rtdecode.schema.config.run import Role
from rtdecode.schema.config.session import NetworkConfig
from rtdecode.schema.messages import Health
from rtdecode.session.environment import environment_here, git_revision
from rtdecode.session.layout import SessionLayout, SessionLock, require_space

_MODULES = {
    Role.RECORDER: "rtdecode.pipeline.recorder",
    Role.STIMULUS: "stimulus",
    Role.BRIDGE: "acquisition_bridge",
    Role.DECODER: "rtdecode.pipeline.decoder",
    Role.EVALUATE: "rtdecode.pipeline.evaluate",
    Role.VIEW: "rtdecode.pipeline.view",
}
_RESTARTED = (Role.DECODER, Role.EVALUATE, Role.VIEW)
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


@contextmanager
def started(
    config: RunConfig, session: SessionLayout, *, on_health: Callable[[str, Health], None]
) -> Iterator[Supervisor]:
    """All processes of the run, ready and going; they end with the block.

    Raises DiskFullError, SecondInstanceError before anything is started; NotReadyError,
    ProcessFailedError with the last words of the process that failed.
    """
    require_space(session.folder, needed_mb=config.record.min_free_mb)
    with (
        SessionLock(session),
        private_network(config.network) as network,
        Wire() as wire,
    ):
        write_config(_resolved(config, session, network), session.config)
        environment_here().save(session.environment)
        clock = HostClock()
        desk = ControlDesk(wire, clock=clock, endpoint=network.control)
        supervisor = Supervisor(
            desk,
            clock,
            session.folder / "logs",
            on_health=on_health,
            env={**os.environ, **_ONE_THREAD},
        )
        supervisor.start(
            [_spec(role, config, session) for role in Role if role in config.processes]
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
    """Run until `stop`, `config.seconds`, or the end of the source; everything is recorded."""
    with started(config, session, on_health=on_health) as supervisor:
        clock = supervisor.clock
        ends_ns = None
        if config.seconds is not None:
            ends_ns = clock.now_ns() + round(config.seconds * 1e9)
        reason = supervisor.watch(stop, until_ns=ends_ns)
    return RunOutcome(session.folder, reason)


def _spec(role: Role, config: RunConfig, session: SessionLayout) -> ProcessSpec:
    argv = [
        *(sys.executable, "-m", _MODULES[role], str(session.config)),
        *("--session", session.folder.name, "--revision", git_revision(), "--supervised"),
    ]
    is_movie = isinstance(config.acquisition.source, RawMovieSource)
    # somebody at the screen may end the show, and a movie has an end
    ends_run = role is Role.STIMULUS or (role is Role.BRIDGE and is_movie)
    return ProcessSpec(
        role.value,
        argv,
        restarts=role in _RESTARTED,
        ends_run=ends_run,
    )


def _resolved(config: RunConfig, session: SessionLayout, network: NetworkConfig) -> RunConfig:
    record = config.record.model_copy(update={"folder": session.folder.parent})
    return config.model_copy(update={"network": network, "record": record})
