"""Facts of a run from its config, for the page: name, length, processes, and place of its report.

>>> facts = RunFacts.of(RunConfig(decode=None, seconds=60), session="2026-11-30_09-00-00")
>>> facts.decodes, Role.EVALUATE in facts.processes, facts.place(Role.BRIDGE)
(False, True, 'bridge')
"""

from dataclasses import dataclass, field
from typing import Self

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.session.layout import SessionLayout


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run, as its config states it."""

    session: str = ""
    """Name of the session; empty for a page that was started by hand."""
    report: str = ""
    """Where the report is written at the end, with the host of the recorder if there are several.
    """
    seconds: float | None = None
    """Length of the run in s; None until it is stopped."""
    processes: frozenset[Role] = frozenset(Role)
    decodes: bool = True
    """False with `decode: null`: the run records, and there is no reconstruction."""
    flush_s: float = 1.0
    """Interval in s at which the log is flushed."""
    control: ControlConfig | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    neuropil_weight: float = 0.0
    """Weight of f_neuropil in the traces of fluorescence."""

    @classmethod
    def of(cls, config: RunConfig, *, session: str) -> Self:
        """The facts in `config` about `session`."""
        processes = frozenset(Role if config.processes is None else config.processes)
        report = SessionLayout(config.record.folder / session).report.absolute() / "index.html"
        host = config.network.host_of(Role.RECORDER)
        return cls(
            session=session,
            report=f"{report} on {host}" if host else str(report),
            seconds=config.seconds,
            processes=processes,
            decodes=config.decode is not None and Role.DECODER in processes,
            flush_s=config.record.flush_s,
            control=config.control,
            network=config.network,
            neuropil_weight=config.calcium.neuropil_weight,
        )

    def place(self, role: Role) -> str:
        """Name of a process, with its host where that is not the main one.

        >>> hosts = {"lab": {"address": "10.0.0.2"},
        ...          "screen": {"address": "10.0.0.3", "processes": ["stimulus"]}}
        >>> RunFacts(network=NetworkConfig(hosts=hosts)).place(Role.STIMULUS)
        'stimulus on screen'
        """
        host = self.network.host_of(role)
        return role.value if host in ("", self.network.main_host) else f"{role.value} on {host}"
