"""A run of `rtdecode run`: its session folder, its processes under one supervisor, its end.

Duties: write the session folder, start the processes that `topology` lists, and
say how the run ended. It must not know what any process does.
"""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from rtdecode.pipeline.hosts import (
    included_on,
    is_recorded_elsewhere,
    joined_hosts,
    network_between_hosts,
)
from rtdecode.pipeline.kept_files import kept, private_network
from rtdecode.pipeline.session_begin import ended_before_begin, held, twin_facts
from rtdecode.pipeline.topology import OnEnd, included, with_processes
from rtdecode.runtime.backlog import share_mb
from rtdecode.runtime.children import ONE_THREAD, ProcessSpec
from rtdecode.runtime.clock import HostClock, session_clock, wall_clock
from rtdecode.runtime.config_comparison import compared, contents, versions_compared
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.runtime.control import TOKEN_VARIABLE, ControlServer
from rtdecode.runtime.joined_hosts import JoinedHosts, ThisRun
from rtdecode.runtime.keys import NetworkKeys, run_keys
from rtdecode.runtime.numbering import kept_numbering
from rtdecode.runtime.operator_link import connectable
from rtdecode.runtime.owner_file import Access
from rtdecode.runtime.processor_watch import ProcessorWatch
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.recorder_watch import RECORDER, RecorderWatch
from rtdecode.runtime.remote_process import UNSTATED, JoinedHost
from rtdecode.runtime.run_info import PAGE_VARIABLE, RunInfo, git_revision, versions_here
from rtdecode.runtime.run_requests import RunRequests
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.stop import temporary_folder
from rtdecode.runtime.supervisor import Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.network import NetworkConfig, is_near
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn
from rtdecode.schema.errors import DataLostError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Health
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.environment import environment_here
from rtdecode.session.layout import SessionLayout, SessionLock, require_space
from rtdecode.session.session_file import write_session_file
from rtdecode.view.access import PageAddresses

_SUPERVISOR = "supervisor"


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
        an error or on a host that no longer states it, but the log lacks their END.
        """
        lost = DataLostError.exit_code
        return [
            name
            for name, code in self.codes.items()
            if code == lost
            or (name == RECORDER and code != 0)
            or (name in without_end and code in (0, UNSTATED))
        ]


@contextmanager
def prepared(
    config: RunConfig,
    session: SessionLayout,
    *,
    on_health: Callable[[str, Health], None],
    stop: Event | None = None,
) -> Iterator[tuple[Supervisor, Path, Access]]:
    """A supervisor for the processes of `session`, the config file that they read, and the access.

    That file has the endpoints of this run. The config of the session has only those that the
    user gave, so that it can be run again. Processes that the supervisor has started end with the
    block; another program may set `stop`. Raises DiskFullError, SecondInstanceError,
    AddressInUseError.
    """
    require_space(session.folder, needed_mb=config.record.min_free_mb)
    with (
        SessionLock(session),
        private_network(network_between_hosts(config)) as network,
        temporary_folder("rtdecode-config-") as private,
        Messaging(_keys(config, network)) as messaging,
    ):
        run_file = private / session.config.name
        clock, begins = HostClock(), wall_clock(session_time := session_clock(config))
        _write_configs(config, session, network=network, run_file=run_file, begins=begins)
        token, page_secret = secrets.token_hex(16), secrets.token_hex(16)
        operators, others = _operators_endpoint(network, private), _other_hosts(config)
        server = ControlServer(
            messaging,
            clock=session_time,
            endpoint=network.control,
            token=token,
            also_at={operators} - {network.control},
        )
        addresses = _page_addresses(config, session, secret=page_secret, on_health=on_health)
        recording = _watch(session, run_file, messaging=messaging, clock=clock, begins=begins)
        this_run = _this_run(config, session, token=token, page_secret=page_secret)
        hosts = JoinedHosts(server, clock, this_run=this_run, hosts=others, on_health=on_health)
        requests = RunRequests(
            messaging, endpoint=network.requests, stop=stop or Event(), record=recording.offer
        )
        supervisor = Supervisor(
            server,
            clock,
            session.folder / "logs",
            on_health=addresses.update,
            env={**os.environ, **ONE_THREAD, TOKEN_VARIABLE: token, PAGE_VARIABLE: page_secret},
            offer_event=recording.offer,
            recording=recording,
            hosts=hosts,
            processors=ProcessorWatch(clock),
            requests=requests,
        )
        with hosts, requests.access.written(session.requests):
            try:
                yield supervisor, run_file, Access(operators, token)
            finally:
                supervisor.end()
                addresses.remove()


def _write_configs(
    config: RunConfig,
    session: SessionLayout,
    *,
    network: NetworkConfig,
    run_file: Path,
    begins: WallClock,
) -> None:
    """Write what the session keeps of its beginning, and the config that processes read."""
    write_config(kept(config, session.folder, host=config.network.main_host), session.config)
    # the processes' config does not lie in the session folder, to which its paths are relative
    absolute = read_config(session.config)
    write_config(absolute.model_copy(update={"network": network}), run_file)
    environment_here().save(session.environment)
    write_session_file(session, config, wall_clock=begins, twin=twin_facts(config))


def _keys(config: RunConfig, network: NetworkConfig) -> NetworkKeys | None:
    """The keys of this host for `network`, which the processes of the run open."""
    return run_keys(config.model_copy(update={"network": network}), host=network.main_host)


def _operators_endpoint(network: NetworkConfig, private: Path) -> str:
    """Where programs of this user reach the supervisor, without a key."""
    is_private = is_near(network.control) or os.name == "nt"
    return connectable(network.control) if is_private else f"ipc://{private / 'control'}"


def _this_run(
    config: RunConfig, session: SessionLayout, *, token: str, page_secret: str
) -> ThisRun:
    """What the hosts that join must share."""
    return ThisRun(
        config.network.main_host,
        session.folder.name,
        token,
        versions_compared(),
        compared(config) | contents(config),
        page_secret,
    )


def _page_addresses(
    config: RunConfig,
    session: SessionLayout,
    *,
    secret: str,
    on_health: Callable[[str, Health], None],
) -> PageAddresses:
    host, main = config.network.host_of(Role.VIEW), config.network.main_host
    joined = "" if host == main else host
    return PageAddresses(session.page, secret=secret, on_health=on_health, joined_host=joined)


def _other_hosts(config: RunConfig) -> list[JoinedHost]:
    return [
        JoinedHost(
            name,
            config.network.hosts[name].address,
            tuple(row.role.value for row in included_on(config, name)),
        )
        for name in joined_hosts(config)
    ]


def _watch(
    session: SessionLayout,
    run_file: Path,
    *,
    messaging: Messaging,
    clock: Clock,
    begins: WallClock,
) -> RecorderWatch:
    """The supervisor's view of the recorder of `session`, with the config in `run_file`."""
    config = read_config(run_file)
    total_mb = config.record.backlog_mb
    text = run_file.read_text(encoding="utf-8")
    run_info = RunInfo(session.folder.name, git_revision(), text, versions_here())
    publisher = Publisher(
        messaging,
        _SUPERVISOR,
        clock=session_clock(config),
        publish=config.network.supervisor,
        record=config.network.recorder,
        queue=config.record.queue_messages,
        backlog_mb=share_mb(_SUPERVISOR, total_mb=total_mb),
        numbering=kept_numbering(config, run_info, source=_SUPERVISOR),
    )
    return RecorderWatch(
        publisher,
        start=replace(run_info.start(), utc_ns=begins.utc_ns, utc_at_ns=begins.t_ns),
        log_file=None if is_recorded_elsewhere(config) else session.log,
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
    with prepared(config, session, on_health=on_health, stop=stop) as prepared_run:
        supervisor, run_file, access = prepared_run
        if not supervisor.start(_specs(config, session, run_file), stop=stop):
            return RunOutcome(session.folder, "stopped before it began", began=False)
        # from here on the controller answers
        with access.written(session.control) if config.control else nullcontext():
            if ended := ended_before_begin(config, session.folder, supervisor, stop):
                codes = supervisor.end()
                return RunOutcome(
                    session.folder, ended, began=config.start is StartOn.ON_FIRST_SCAN, codes=codes
                )
            ends_ns = None
            if config.seconds is not None:
                ends_ns = supervisor.clock.now_ns() + round(config.seconds * 1e9)
            reason = supervisor.watch(stop, until_ns=ends_ns)
        codes = supervisor.end()
    return RunOutcome(session.folder, reason, began=True, codes=codes)


def _specs(config: RunConfig, session: SessionLayout, run_file: Path) -> list[ProcessSpec]:
    arguments = [str(run_file), "--session", session.folder.name]
    arguments += ["--revision", git_revision(), "--supervised"]
    network, waiting = config.network, held(config)
    return [
        ProcessSpec(
            row.role.value,
            [sys.executable, "-m", row.module, *arguments],
            restarts=row.restarts(config),
            is_essential=row.is_essential,
            ends_run=row.on_end is OnEnd.ENDS_RUN,
            is_held=row.role in waiting,
            keeps_memory=row.keeps_memory,
            host="" if (host := network.host_of(row.role)) == network.main_host else host,
        )
        for row in included(config)
    ]
