"""A run of `rtdecode run`: its session folder, its processes under one supervisor, its end.

Duties: write the session folder, start the processes that `topology` lists, and
say how the run ended. It must not know what any process does.
"""

import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from rtdecode.pipeline.hosts import network_between_hosts
from rtdecode.pipeline.topology import OnEnd, included, with_processes
from rtdecode.runtime.backlog import share_mb
from rtdecode.runtime.children import ProcessSpec
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.runtime.control import TOKEN_VARIABLE, ControlServer
from rtdecode.runtime.disk import write_errors_named
from rtdecode.runtime.numbering import kept_numbering
from rtdecode.runtime.operator_link import ControlAccess, connectable
from rtdecode.runtime.protocol_file import read_protocol, write_protocol
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.recorder_watch import RECORDER, RecorderWatch
from rtdecode.runtime.run_info import RunInfo, versions_here
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.stop import temporary_folder
from rtdecode.runtime.supervisor import Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import DataLostError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Health
from rtdecode.schema.protocol_limits import Limits
from rtdecode.session.environment import environment_here, git_revision
from rtdecode.session.layout import SessionLayout, SessionLock, require_space


@contextmanager
def private_network(configured: NetworkConfig) -> Iterator[NetworkConfig]:
    """`configured` with a Unix socket in a private folder for every endpoint that it leaves empty.

    An endpoint in the private folder of an earlier run, which configs of earlier sessions hold,
    counts as empty.

    Such sockets need no port, cannot collide with another run, and other users cannot open them.
    The folder's name is short, because the path of a socket has 107 characters at most.
    """
    with temporary_folder("rtdecode-") as folder:
        yield configured.with_endpoints(
            {
                name: f"ipc://{folder / name}"
                for name, address in configured.endpoints().items()
                if _is_private(address)
            }
        )


def _is_private(address: str) -> bool:
    return not address or re.fullmatch(r"ipc:///tmp/rtdecode-[^/]+/\w+", address) is not None


_SUPERVISOR = "supervisor"
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
    codes: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Exit codes of the processes that ran until its end."""

    def unrecorded(self, without_end: Sequence[str]) -> list[str]:
        """Processes whose last messages are not in a log that lacks the END of `without_end`.

        The recorder did not end by itself, or did not take what they held, or they ended without
        an error, but the log lacks their END.
        """
        lost = DataLostError.exit_code
        return [
            name
            for name, code in self.codes.items()
            if code == lost
            or (name == RECORDER and code != 0)
            or (name in without_end and code == 0)
        ]


@contextmanager
def prepared(
    config: RunConfig, session: SessionLayout, *, on_health: Callable[[str, Health], None]
) -> Iterator[tuple[Supervisor, Path, ControlAccess]]:
    """A supervisor for the processes of `session`, the config file that they read, and the access.

    That file has the endpoints of this run. The config of the session has only those that the
    user gave, so that it can be run again. Processes that the supervisor has started end with the
    block. Raises DiskFullError, SecondInstanceError, AddressInUseError.
    """
    require_space(session.folder, needed_mb=config.record.min_free_mb)
    with (
        SessionLock(session),
        private_network(network_between_hosts(config)) as network,
        temporary_folder("rtdecode-config-") as private,
        Messaging() as messaging,
    ):
        resolved = _with_kept_protocol(_resolved(config, session), session)
        run_file = private / session.config.name
        write_config(resolved, session.config)
        # the processes' config does not lie in the session folder, to which its paths are relative
        absolute = read_config(session.config)
        write_config(absolute.model_copy(update={"network": network}), run_file)
        environment_here().save(session.environment)
        clock = HostClock()
        token = secrets.token_hex(16)
        server = ControlServer(messaging, clock=clock, endpoint=network.control, token=token)
        recording = _watch(session, run_file, messaging=messaging, clock=clock)
        supervisor = Supervisor(
            server,
            clock,
            session.folder / "logs",
            on_health=on_health,
            env={**os.environ, **_ONE_THREAD, TOKEN_VARIABLE: token},
            offer_event=recording.offer,
            recording=recording,
        )
        try:
            yield supervisor, run_file, ControlAccess(connectable(network.control), token)
        finally:
            supervisor.end()


def _with_kept_protocol(config: RunConfig, session: SessionLayout) -> RunConfig:
    """`config` with the copy of its protocol in the session folder, relative to that folder.

    All processes then have the same trials, also after a restart and for a protocol in Python, and
    the session can be run again without the original.
    """
    path = config.stimulus.protocol
    if path is None or Role.STIMULUS not in (config.processes or ()):
        return config
    limits = Limits.of(config.stimulus, frame_rate_hz=config.frame_rate_hz)
    write_protocol(read_protocol(path, limits), session.protocol)
    stimulus = config.stimulus.model_copy(update={"protocol": Path(session.protocol.name)})
    return config.model_copy(update={"stimulus": stimulus})


def _watch(
    session: SessionLayout, run_file: Path, *, messaging: Messaging, clock: Clock
) -> RecorderWatch:
    """The supervisor's view of the recorder of `session`, with the config in `run_file`."""
    config = read_config(run_file)
    total_mb = config.record.backlog_mb
    text = run_file.read_text(encoding="utf-8")
    run_info = RunInfo(session.folder.name, git_revision(), text, versions_here())
    publisher = Publisher(
        messaging,
        _SUPERVISOR,
        clock=clock,
        publish=config.network.supervisor,
        record=config.network.recorder,
        queue=config.record.queue_messages,
        backlog_mb=share_mb(_SUPERVISOR, total_mb=total_mb),
        numbering=kept_numbering(config, run_info, source=_SUPERVISOR),
    )
    return RecorderWatch(
        publisher,
        start=run_info.start(),
        log_file=session.log,
        backlog_mb=total_mb,
        clock=clock,
    )


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
    NothingToScoreError, DiskFullError, SecondInstanceError, AddressInUseError
        Before anything is started. `preflight.checked` finds more, and all at once.
    NotReadyError, ProcessFailedError
        With the last lines of the log of the process that failed.
    """
    config = with_processes(config)
    # The processes may have another working directory than the caller.
    session = SessionLayout(session.folder.resolve())
    with prepared(config, session, on_health=on_health) as (supervisor, run_file, access):
        if not supervisor.start(_specs(config, session, run_file), stop=stop):
            return RunOutcome(session.folder, "stopped before it began", began=False)
        ends_ns = None
        if config.seconds is not None:
            ends_ns = supervisor.clock.now_ns() + round(config.seconds * 1e9)
        # from here on the controller answers
        with access.written(session.control) if config.control else nullcontext():
            reason = supervisor.watch(stop, until_ns=ends_ns)
        codes = supervisor.end()
    return RunOutcome(session.folder, reason, began=True, codes=codes)


def _specs(config: RunConfig, session: SessionLayout, run_file: Path) -> list[ProcessSpec]:
    arguments = [str(run_file), "--session", session.folder.name]
    arguments += ["--revision", git_revision(), "--supervised"]
    return [
        ProcessSpec(
            row.role.value,
            [sys.executable, "-m", row.module, *arguments],
            restarts=row.restarts(config),
            is_essential=row.is_essential,
            ends_run=row.on_end is OnEnd.ENDS_RUN,
        )
        for row in included(config)
    ]


def _resolved(config: RunConfig, session: SessionLayout) -> RunConfig:
    """`config` as the session keeps it; addresses of an earlier run are left out."""
    record = config.record.model_copy(update={"folder": session.folder.parent})
    network = config.network
    earlier = {name: "" for name, address in network.endpoints().items() if _is_private(address)}
    update = {"network": network.with_endpoints(earlier), "record": record}
    return _with_policy(config.model_copy(update=update), _policy_copy(config, session))


def _policy_copy(config: RunConfig, session: SessionLayout) -> Path | None:
    """Where the session keeps the user's policy, relative to its config; None without one."""
    if config.control is None or config.control.policy.file is None:
        return None
    if config.control.policy.file.resolve() != session.policy.resolve():
        with write_errors_named(session.policy):
            session.policy.write_bytes(config.control.policy.file.read_bytes())
    return Path(session.policy.name)


def _with_policy(config: RunConfig, file: Path | None) -> RunConfig:
    """`config` with `file` as the file of its policy; itself where that is None."""
    if config.control is None or file is None:
        return config
    policy = config.control.policy.model_copy(update={"file": file})
    control = config.control.model_copy(update={"policy": policy})
    return config.model_copy(update={"control": control})
