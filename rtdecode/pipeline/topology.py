"""The processes of a run: one table from which commands, processes and documentation are made.

Duties: for each process its module, the sources that it publishes and subscribes to, the configs
that include it, and what its end means for the run. It must not know how a process works, nor
open a socket: `run` starts what the table lists, and each process asks it for its sources.

    >>> from rtdecode.pipeline.topology import included, subscriptions
    >>> from rtdecode.schema.config import RunConfig
    >>> from rtdecode.schema.config.roles import Role
    >>> [row.role.value for row in included(RunConfig(decode=None))]
    ['recorder', 'stimulus', 'bridge', 'decoder', 'view']
    >>> subscriptions(Role.VIEW, RunConfig(decode=None)).expected
    ('stimulus', 'decoder', 'bridge', 'events')

A source is one publisher. Its name is also that of its endpoint, `network.NAME` in the config, and
of its streams in the log, `NAME/KIND`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RecordedTrialsSource, SimulatedSource
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.section import AfterFailure
from rtdecode.schema.errors import NothingToScoreError, SettingMissingError


class Needs(StrEnum):
    """What the config must have for a process, a source or a subscription to exist."""

    NOTHING = "always"
    DECODER = "unless `decode: null`"
    CONTROL = "with `control`"
    CONTROLLED_DECODER = "with `control`, unless `decode: null`"
    SIMULATED_RIG = "with the simulated microscope"

    def met(self, config: RunConfig) -> bool:
        """Whether `config` has it."""
        has_decoder, has_control = config.decode is not None, config.control is not None
        return {
            Needs.NOTHING: True,
            Needs.DECODER: has_decoder,
            Needs.CONTROL: has_control,
            Needs.CONTROLLED_DECODER: has_decoder and has_control,
            Needs.SIMULATED_RIG: isinstance(config.acquisition.source, SimulatedSource),
        }[self]


class OnEnd(StrEnum):
    """What the end of a process means for the run."""

    FAILS_RUN = "any end before the run's is a failure of the run"
    ENDS_RUN = (
        "a clean end ends the run; started again after a failure, unless `after_failure: end_run`"
    )
    RESTARTED = "started again"


@dataclass(frozen=True, slots=True)
class Source:
    """One publisher of a process."""

    name: str
    kinds: str
    """What its messages carry."""
    needs: Needs = Needs.NOTHING


@dataclass(frozen=True, slots=True)
class Row:
    """One process."""

    role: Role
    module: str
    """Run as `python -m MODULE CONFIG`."""
    publishes: tuple[Source, ...]
    subscribes: tuple[tuple[str, Needs], ...]
    """Names of sources, each with the configs in which it is subscribed to."""
    on_end: OnEnd
    needs: Needs = Needs.NOTHING
    is_essential: bool = True
    """Whether the run fails once the process has failed more than three times in ten minutes. Any
    other process is started again, with growing delays, for as long as the run lasts."""
    keeps_memory: bool = False
    """Whether freed memory stays with it, because it needs the same again in the next step."""

    def restarts(self, config: RunConfig) -> bool:
        """Whether it is started again after a failure."""
        ends_run = {
            Role.STIMULUS: config.stimulus.after_failure,
            Role.BRIDGE: config.acquisition.after_failure,
        }
        if self.module == TRIAL_RIG.module:
            return False
        return self.on_end is not OnEnd.FAILS_RUN and (
            ends_run.get(self.role) is not AfterFailure.END_RUN
        )


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The sources that a process subscribes to in one run."""

    endpoints: tuple[str, ...]
    """Endpoints to connect to. A source on another machine may appear at any time."""
    expected: tuple[str, ...]
    """Sources that the same run starts, and that must be received before the process is ready."""


SUPERVISOR = Source("supervisor", "events of restarts and of a recorder that stalls")
"""The source of `rtdecode run` itself, which is no process of the table."""

TOPOLOGY = (
    Row(
        Role.RECORDER,
        "rtdecode.pipeline.recorder",
        publishes=(Source("events", "events and gaps of all processes, once they are recorded"),),
        subscribes=(),
        on_end=OnEnd.FAILS_RUN,
    ),
    Row(
        Role.CONTROLLER,
        "rtdecode.pipeline.controller",
        publishes=(Source("controller", "what the policy observed, actions, deliveries, events"),),
        subscribes=(
            ("ready", Needs.DECODER),
            ("evaluate", Needs.DECODER),
            ("bridge", Needs.NOTHING),
            ("stimulus", Needs.NOTHING),
            ("events", Needs.NOTHING),
        ),
        on_end=OnEnd.RESTARTED,
        needs=Needs.CONTROL,
        is_essential=False,
    ),
    Row(
        Role.STIMULUS,
        "stimulus",
        publishes=(Source("stimulus", "displayed frames, results of commands, trials"),),
        subscribes=(),
        on_end=OnEnd.ENDS_RUN,
    ),
    Row(
        Role.BRIDGE,
        "acquisition_bridge",
        publishes=(Source("bridge", "scans or ROI values, behaviour"),),
        subscribes=(("stimulus", Needs.SIMULATED_RIG),),
        on_end=OnEnd.ENDS_RUN,
    ),
    Row(
        Role.DECODER,
        "rtdecode.pipeline.decoder",
        publishes=(
            Source("decoder", "fluorescence, responses, gaps; unrecorded, ROIs and field of view"),
            Source("emit", "reconstructions", Needs.DECODER),
            Source("ready", "reconstructions before pacing, unrecorded", Needs.CONTROLLED_DECODER),
        ),
        subscribes=(("bridge", Needs.NOTHING),),
        on_end=OnEnd.RESTARTED,
        keeps_memory=True,
    ),
    Row(
        Role.EVALUATE,
        "rtdecode.pipeline.evaluate",
        publishes=(Source("evaluate", "scores, twin checks, gaps"),),
        subscribes=(
            ("stimulus", Needs.NOTHING),
            ("bridge", Needs.NOTHING),
            ("decoder", Needs.NOTHING),
            ("emit", Needs.NOTHING),
        ),
        on_end=OnEnd.RESTARTED,
        needs=Needs.DECODER,
        is_essential=False,
    ),
    Row(
        Role.VIEW,
        "rtdecode.pipeline.view",
        publishes=(),
        subscribes=(
            ("stimulus", Needs.NOTHING),
            ("decoder", Needs.NOTHING),
            ("emit", Needs.DECODER),
            ("evaluate", Needs.DECODER),
            ("bridge", Needs.NOTHING),
            ("events", Needs.NOTHING),
            (SUPERVISOR.name, Needs.NOTHING),
            ("controller", Needs.CONTROL),
        ),
        on_end=OnEnd.RESTARTED,
        is_essential=False,
    ),
)
"""All processes of a run with a rig, in the order in which they are started and ended.

The recorder ends last.

The controller ends first, so that nothing acts on a run that ends. It is ready after its sources.
"""


TRIAL_RIG = Row(
    Role.BRIDGE,
    "rtdecode.pipeline.trial_rig",
    publishes=(
        Source("bridge", "activity that a data set holds, behaviour"),
        Source("stimulus", "frames that were displayed"),
    ),
    subscribes=(),
    on_end=OnEnd.ENDS_RUN,
)
"""The process in place of bridge and stimulus where trials of a data set are replayed.

It is not started again after a failure: its trials would begin anew.
"""


def rows(config: RunConfig) -> tuple[Row, ...]:
    """The processes that a run of `config` may have, in their order."""
    if not isinstance(config.acquisition.source, RecordedTrialsSource):
        return TOPOLOGY
    return tuple(
        TRIAL_RIG if row.role is Role.BRIDGE else row
        for row in TOPOLOGY
        if row.role is not Role.STIMULUS
    )


def included(config: RunConfig) -> tuple[Row, ...]:
    """The processes that `rtdecode run` starts for `config`.

    Raises NothingToScoreError where `config.processes` names evaluate and there is no decoder, and
    SettingMissingError where it names the controller and there is no section `control`.
    """
    if config.processes is None:
        return tuple(row for row in rows(config) if row.needs.met(config))
    if Role.EVALUATE in config.processes and config.decode is None:
        raise NothingToScoreError
    if Role.CONTROLLER in config.processes and config.control is None:
        raise SettingMissingError(setting="control", reason="processes names the controller")
    return tuple(row for row in rows(config) if row.role in config.processes)


def with_processes(config: RunConfig) -> RunConfig:
    """`config` with the processes that it includes by name, as a session keeps it."""
    roles = tuple(row.role for row in included(config))
    return config.model_copy(update={"processes": roles})


def subscriptions(role: Role, config: RunConfig) -> Subscriptions:
    """The sources that the process `role` subscribes to in a run of `config`."""
    (row,) = (row for row in rows(config) if row.role is role)
    started = {source.name for other in included(config) for source in _sources(other, config)}
    names = tuple(name for name, needs in row.subscribes if needs.met(config))
    return Subscriptions(
        endpoints=tuple(getattr(config.network, name) for name in names),
        expected=tuple(name for name in names if name in started),
    )


def _sources(row: Row, config: RunConfig) -> Iterator[Source]:
    return (source for source in row.publishes if source.needs.met(config))


def as_markdown() -> str:
    """The table of docs/architecture.md."""
    head = "| process | module | publishes | subscribes to | started | its end | essential |"
    lines = (
        f"| {row.role.value} | `{row.module}` | {_published(row)} | {_subscribed(row)} "
        f"| {row.needs.value} | {row.on_end.value} "
        f"| {'yes' if row.is_essential else 'no'} |"
        for row in TOPOLOGY
    )
    trial_rig = (
        f"| {TRIAL_RIG.role.value}, with `kind: recorded_trials` | `{TRIAL_RIG.module}` "
        f"| {_published(TRIAL_RIG)} | | in place of bridge and stimulus "
        f"| a clean end ends the run, a failure too | yes |"
    )
    supervisor = f"| | `rtdecode run` | `{SUPERVISOR.name}`: {SUPERVISOR.kinds} | | | | |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *lines, trial_rig, supervisor])


def _published(row: Row) -> str:
    parts = (f"`{one.name}`{_note(one.needs)}: {one.kinds}" for one in row.publishes)
    return "; ".join(parts)


def _subscribed(row: Row) -> str:
    if row.role is Role.RECORDER:
        return "receives every message of every process"
    return ", ".join(f"`{name}`{_note(needs)}" for name, needs in row.subscribes)


def _note(needs: Needs) -> str:
    return "" if needs is Needs.NOTHING else f" ({needs.value})"
