"""A host that joins runs of `rtdecode run` on another computer, and runs its processes here.

Duties: state which host of the config this computer is, ask to join, prepare a folder for the
session, and start the processes that are assigned, by the command lines of `topology`. It imports
nothing that a computer of a rig does not have.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rtdecode.pipeline.addresses import listened, require_free
from rtdecode.pipeline.host_starter import Starter
from rtdecode.pipeline.hosts import included_on, joined_hosts, network_between_hosts
from rtdecode.pipeline.kept_files import kept, private_network
from rtdecode.pipeline.named_paths import named_paths
from rtdecode.pipeline.topology import with_processes
from rtdecode.runtime.children import ONE_THREAD, NotStarted
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_comparison import compared, contents, versions_compared
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.runtime.control import TOKEN_VARIABLE
from rtdecode.runtime.hosted import HostedProcesses, HostLink, Start, follow_run
from rtdecode.runtime.keys import run_keys
from rtdecode.runtime.numbering import numbers_given
from rtdecode.runtime.processor_watch import ProcessorWatch
from rtdecode.runtime.run_info import PAGE_VARIABLE, git_revision
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.stop import temporary_folder
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import (
    AddressInUseError,
    BadInputError,
    HostRolesError,
    HostUnknownError,
    RtdecodeError,
    SessionExistsError,
    SessionNameError,
    SeveralMistakesError,
)
from rtdecode.schema.hosts import Admission, Assignment, Join
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_SESSION = re.compile(r"[\w+-][\w.+-]{0,99}")
_OF_OWNER = 0o700
_REFUSED_S = 5.0
"""Time in s between two attempts of a host that was refused and waits for the next run."""


def this_host(config: RunConfig, *, host: str, roles: Sequence[Role], keys: str = "") -> str:
    """Name of the host of `config` that this computer is.

    Parameters
    ----------
    host
        Its name, as the user gave it; empty where they did not.
    roles
        The processes that the user named, which must be all of one host; none for all of this one.
    keys
        Name of the key of this computer; empty where it has none.

    Raises HostUnknownError, HostRolesError.
    """
    known = joined_hosts(config)
    by_role = {config.network.host_of(role) for role in roles} - {config.network.main_host}
    name = host or (by_role.pop() if len(by_role) == 1 else "") or keys
    if name not in known:
        got = f"no host '{name}' joins" if name else "no host is named, by --host, --role or a key"
        raise HostUnknownError(got=got, hosts=known)
    expected = [row.role.value for row in included_on(config, name)]
    given = sorted(role.value for role in roles)
    if given and given != sorted(expected):
        raise HostRolesError(host=name, given=given, expected=expected)
    return name


@dataclass(frozen=True, slots=True)
class JoinedRun:
    """A run that was over for this host, and the exit code that it has."""

    reason: str
    code: int
    recorded: Path | None = None
    """The folder of its session, where its recorder was here."""


class HostJoin:
    """`rtdecode join` of one host.

    Parameters
    ----------
    config
        The config of the run, with the paths of this computer.
    host
        Name of this host.
    say
        Prints a sentence for the user.
    """

    def __init__(self, config: RunConfig, host: str, *, say: Callable[[str], None]) -> None:
        self._config, self._host, self._say = with_processes(config), host, say
        self._rows = included_on(config, host)
        self._roles = {row.role for row in self._rows}
        self._network = network_between_hosts(config)
        self._clock: Clock = HostClock()

    def one_run(self, *, stop: Event) -> JoinedRun | None:
        """Join the next run and take part until it is over; None where `stop` was set.

        Raises JoinRefusedError, MainHostSilentError, SessionNameError.
        """
        config = self._config.model_copy(update={"network": self._network})
        with Messaging(run_keys(config, host=self._host)) as messaging:
            link = HostLink(
                messaging, self._host, endpoint=self._network.control, clock=self._clock
            )
            admission = link.admitted(self._join(link.instance), stop=stop, say=self._say)
            if admission is None:
                return None
            self._say(f"joined the run of session {admission.session}")
            folder = self._folder(admission)
            over = self._followed(link, admission, folder, stop)
        if over is None:
            self._say("left the run; the processes of this host have ended")
            return None
        recorded = folder if Role.RECORDER in self._roles else None
        return JoinedRun(over.over, over.code, recorded)

    def _followed(
        self, link: HostLink, admission: Admission, folder: Path, stop: Event
    ) -> Assignment | None:
        """Take part in the run of `admission`, which learns what cannot be prepared here."""
        roles = frozenset(role.value for role in self._roles)
        with ExitStack() as stack:
            start: Start
            try:
                start = stack.enter_context(self._prepared(admission, folder))
            except RtdecodeError as error:
                failed = NotStarted(error)

                def start(_name: str, _number: int, _detail: str) -> NotStarted:
                    return failed

            hosted = HostedProcesses(start, roles)
            over = follow_run(
                link,
                hosted,
                stop=stop,
                clock=self._clock,
                processors=ProcessorWatch(self._clock, where=self._host),
            )
        if over is not None:
            # a session that is over is not continued from the numbers of its senders
            numbers_given(folder)
        return over

    def check(self) -> None:
        """Look for the files of the processes here, and for addresses at which they can listen.

        `rtdecode check --host NAME` looks into the files too, for which it needs more packages.
        Raises the mistake, or SeveralMistakesError.
        """
        found: list[BadInputError] = []
        named = named_paths(self._config, self._roles)
        found += [missing for one in named if (missing := one.mistake()) is not None]
        config = self._config.model_copy(update={"network": self._network})
        for option, host, port in listened(config, self._rows):
            try:
                require_free((host, port), option)
            except AddressInUseError:
                # an earlier `rtdecode join` of this host may be ending
                log.info("%s %s:%d is in use", option, host, port)
            except BadInputError as error:
                found.append(error)
        if len(found) > 1:
            raise SeveralMistakesError(mistakes=[str(mistake) for mistake in found])
        for mistake in found:
            raise mistake

    def all_runs(
        self, *, stop: Event, ended: Callable[[JoinedRun], None] = lambda _run: None
    ) -> None:
        """Join one run after the other until `stop` is set; what ends one of them is said.

        `ended` is called after each.
        """
        said = ""
        while not stop.is_set():
            try:
                over = self.one_run(stop=stop)
                said = ""
                if over is not None:
                    self._say(f"{over.reason}; waiting for the next run")
                    ended(over)
            except RtdecodeError as error:
                if str(error) != said:
                    said = str(error)
                    self._say(f"{error}; waiting for the next run")
                stop.wait(_REFUSED_S)

    def _join(self, instance: str) -> Join:
        files = [named.path for named in named_paths(self._config, self._roles)]
        settings = compared(self._config) | contents(self._config, files)
        return Join(self._host, instance, versions_compared(), settings)

    def _folder(self, admission: Admission) -> Path:
        """The folder of the session here. Raises SessionNameError."""
        if not _SESSION.fullmatch(admission.session):
            raise SessionNameError(got=admission.session)
        return self._config.record.folder.resolve() / admission.session

    @contextmanager
    def _prepared(self, admission: Admission, folder: Path) -> Iterator[Starter]:
        """What starts processes in the session of `admission`, with its folder and config here.

        Raises SessionExistsError, FileWriteError, and what a protocol or policy raises.
        """
        if Role.RECORDER in self._roles and (folder / "log.mcap").exists():
            raise SessionExistsError(folder=folder)
        with write_errors_named(folder):
            folder.mkdir(mode=_OF_OWNER, parents=True, exist_ok=True)
            (folder / "logs").mkdir(exist_ok=True)
        with (
            private_network(self._network) as network,
            temporary_folder("rtdecode-config-") as private,
        ):
            kept_file, run_file = folder / "config.yaml", private / "config.yaml"
            write_config(kept(self._config, folder, host=self._host), kept_file)
            if Role.RECORDER in self._roles:
                # a computer that does not record lacks what this needs
                from rtdecode.session.environment import environment_here

                environment_here().save(folder / "environment.json")
            # the processes' config does not lie in the session folder, to which paths are relative
            absolute = read_config(kept_file)
            write_config(absolute.model_copy(update={"network": network}), run_file)
            argv = [str(run_file), "--session", admission.session, "--supervised"]
            argv += ["--revision", git_revision()]
            env = {**os.environ, **ONE_THREAD, TOKEN_VARIABLE: admission.token}
            env[PAGE_VARIABLE] = admission.page_secret
            yield Starter(self._rows, argv, env=env, logs=folder / "logs", config=absolute)
