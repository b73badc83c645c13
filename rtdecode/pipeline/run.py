"""A run of `rtdecode run`: its session folder, its processes under one supervisor, its end.

Duties: check the config, write the session folder, start the processes that `topology` lists, and
say how the run ended. It must not know what any process does.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rtdecode.pipeline.topology import OnEnd, included, with_processes
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import write_config
from rtdecode.runtime.sockets import ControlServer, Messaging
from rtdecode.runtime.supervisor import ProcessSpec, Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import NetworkConfig
from rtdecode.schema.errors import FrameRateError
from rtdecode.schema.messages import Health
from rtdecode.session.environment import environment_here, git_revision
from rtdecode.session.layout import SessionLayout, SessionLock, require_space


@contextmanager
def private_network(configured: NetworkConfig) -> Iterator[NetworkConfig]:
    """`configured` with a Unix socket in a private folder for every endpoint that it leaves empty.

    Such sockets need no port, cannot collide with another run, and other users cannot open them.
    The folder's name is short, because the path of a socket has 107 characters at most.
    """
    with tempfile.TemporaryDirectory(prefix="rtdecode-", dir="/tmp") as folder:
        yield NetworkConfig(
            **{
                name: address or f"ipc://{Path(folder) / name}"
                for name, address in configured.model_dump().items()
            }
        )


_TWIN_DESCRIPTION = "twin.json"
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # By default glibc returns freed memory to the system after every step and requests it again,
    # which makes torch on the CPU several times slower.
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "268435456",
}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    reason: str
    began: bool
    """False where it was stopped before all processes were ready, so that nothing is recorded."""


def checked(config: RunConfig) -> RunConfig:
    """`config` with its processes by name; everything that can be checked before a start.

    Raises
    ------
    NothingToScoreError
        If the config names evaluate, and `decode: null`.
    FrameRateError
        If the twin was trained at another frame rate than the run has.
    """
    whole = with_processes(config)
    if config.decode is not None and config.decode.twin is not None:
        twin_hz = _trained_hz(config.decode.twin)
        if twin_hz is not None and twin_hz != config.frame_rate_hz:
            folder = str(config.decode.twin)
            raise FrameRateError(run_hz=config.frame_rate_hz, twin_hz=twin_hz, twin=folder)
    return whole


def _trained_hz(twin: Path) -> float | None:
    """Frame rate of the twin in the folder `twin`; None where its description cannot be read.

    Only the JSON is read, since the supervisor does without torch. The decoder's process reports
    an unreadable twin. Earlier descriptions state no rate; all of those twins have the default.
    """
    try:
        described = json.loads((twin / _TWIN_DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    default = RunConfig.model_fields["frame_rate_hz"].default
    rate = described.get("frame_rate_hz", default) if isinstance(described, dict) else None
    return float(rate) if isinstance(rate, int | float) else None


@contextmanager
def prepared(
    config: RunConfig, session: SessionLayout, *, on_health: Callable[[str, Health], None]
) -> Iterator[Supervisor]:
    """A supervisor for the processes of `session`, with config and endpoints written for them.

    Processes that it has started end with the block. Raises DiskFullError, SecondInstanceError.
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
    """Run until `stop`, `config.seconds`, or the end of the source, and record everything.

    Raises
    ------
    NothingToScoreError, FrameRateError, DiskFullError, SecondInstanceError
        Before anything is started.
    NotReadyError, ProcessFailedError
        With the last lines of the log of the process that failed.
    """
    config = checked(config)
    # The processes may have another working directory than the caller.
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
    arguments = [str(session.config), "--session", session.folder.name]
    arguments += ["--revision", git_revision(), "--supervised"]
    return [
        ProcessSpec(
            row.role.value,
            [sys.executable, "-m", row.module, *arguments],
            restarts=row.on_end is OnEnd.RESTARTED,
            ends_run=row.on_end is OnEnd.ENDS_RUN,
        )
        for row in included(config)
    ]


def _resolved(config: RunConfig, session: SessionLayout, network: NetworkConfig) -> RunConfig:
    record = config.record.model_copy(update={"folder": session.folder.parent})
    return config.model_copy(update={"network": network, "record": record})
