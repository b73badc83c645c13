"""Checks of a run before its start, for `rtdecode check` and `rtdecode run`.

Duties: find every mistake that a start would meet (files and their content, numbers of neurons,
addresses, disk space), and report all at once. It starts nothing, writes nothing, and opens neither
pipes nor devices, which could block.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rtdecode.control.loading import made_policy, policy_class
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.pipeline.addresses import listened, require_form, require_free
from rtdecode.pipeline.decoder_checks import check_decoder
from rtdecode.pipeline.hosts import included_on, network_between_hosts
from rtdecode.pipeline.mistakes import Checks
from rtdecode.pipeline.named_paths import gamma_table_of, named_paths
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.timetable import checked_protocol
from rtdecode.pipeline.topology import Row, with_processes
from rtdecode.runtime.keys import run_keys
from rtdecode.runtime.output_devices import require_present
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.config.endpoints import endpoints
from rtdecode.schema.config.roles import Role
from rtdecode.schema.control import ActionName
from rtdecode.schema.errors import SettingMissingError, UnknownOutputError
from rtdecode.schema.gamma import gamma_table
from rtdecode.session.disk_watch import expected_mb_s
from rtdecode.session.layout import require_place
from rtdecode.view.certificate import server_context

_LEAST_ROOM_S = 60.0
"""Length in s of a recording for which the disk must have room."""
_SMALL_SIDE_PX = 64
"""Side of a small scan in px."""


def checked(config: RunConfig, *, folder: Path | None = None, host: str = "") -> RunConfig:
    """`config` with its processes by name, after all checks that are possible before a start.

    Only what the processes of one host need is looked for.

    Parameters
    ----------
    folder
        Session folder, or folder of new sessions; by default `record.folder`.
    host
        Name of the host; by default that of `rtdecode run`.

    Raises
    ------
    BadInputError
        The mistake itself where there is one, SeveralMistakesError where there are more.
    """
    checks = Checks()
    host = host or config.network.main_host
    rows = checks.tried(included_on, config, host) or ()
    roles = {row.role for row in rows} or set(
        () if config.network.hosts else config.processes or ()
    )
    for named in named_paths(config, roles):
        checks.path(named)
    _check_processes(checks, config, roles)
    _check_addresses(checks, config, rows, host)
    place = config.record.folder if folder is None else folder
    checks.tried(require_place, place, needed_mb=least_free_mb(config))
    checks.report()
    return with_processes(config)


def _check_addresses(checks: Checks, config: RunConfig, rows: Sequence[Row], host: str) -> None:
    """Form of all addresses, and whether the processes `rows` of `host` can listen at theirs."""
    config = config.model_copy(update={"network": network_between_hosts(config)})
    for option, address in endpoints(config):
        checks.tried(require_form, address, option)
    checks.tried(run_keys, config, host=host)
    is_main = host == config.network.main_host
    for option, name, port in listened(config, rows, is_main=is_main):
        checks.tried(require_free, (name, port), option)


def least_free_mb(config: RunConfig) -> float:
    """Free space in MB without which a run is refused: `record.min_free_mb` and a minute of data.

    A planned run that is shorter needs only the space for its own length. Scans of unknown size are
    taken as small ones, because a refusal must not rest on an assumption.
    """
    seconds = min(_LEAST_ROOM_S, config.seconds or _LEAST_ROOM_S)
    return max(config.record.min_free_mb, expected_mb_s(config, side_px=_SMALL_SIDE_PX) * seconds)


def _check_processes(checks: Checks, config: RunConfig, roles: set[Role]) -> None:
    """What the processes `roles` would find in the files that they open, and would wait for."""
    if Role.BRIDGE in roles:
        checks.tried(_require_screen, config)
    if Role.STIMULUS in roles:
        _check_stimulus(checks, config)
    if Role.DECODER in roles:
        check_decoder(checks, config)
    if Role.EVALUATE in roles and config.evaluate.screen_mask not in checks.missing:
        checks.tried(scoring_mask, config)
    if Role.CONTROLLER in roles and config.control is not None:
        _check_control(checks, config, config.control)
    if Role.VIEW in roles:
        checks.tried(server_context, config.view, now=datetime.now(UTC))


def _require_screen(config: RunConfig) -> None:
    """Refuse a simulated microscope without the displayed frames that it would wait for."""
    is_shown = config.processes is None or Role.STIMULUS in config.processes
    simulated = isinstance(config.acquisition.source, sources.SimulatedSource)
    if simulated and not is_shown and not config.network.stimulus:
        reason = "the simulated mouse is shown its displayed frames; other microscopes do without"
        raise SettingMissingError(setting="stimulus in processes", reason=reason)


def _check_stimulus(checks: Checks, config: RunConfig) -> None:
    """Content of the table of the monitor's luminances, and of the protocol."""
    table = gamma_table_of(config)
    if table is not None and table not in checks.missing:
        checks.tried(gamma_table, table)
    if config.stimulus.protocol not in checks.missing:
        checks.tried(checked_protocol, config)


def _check_control(checks: Checks, config: RunConfig, control: ControlConfig) -> None:
    """Whether outputs are there and the policy can be made, with clips and mask of the run."""
    for output in control.outputs:
        checks.tried(require_present, output)
    checks.tried(_require_output, control)
    setting = checks.tried(policy_setting, config)
    if setting is None:
        checks.tried(policy_class, control.policy)
    else:
        checks.tried(made_policy, control.policy, setting)


def _require_output(control: ControlConfig) -> None:
    """Refuse a policy of rtdecode that fires an output which the config does not have."""
    policy = control.policy
    fires = policy.options.get("action") == ActionName.TRIGGER
    option = "target" if policy.name == "open_loop" and fires else "output"
    output = policy.options.get(option)
    known = [one.name for one in control.outputs]
    # what the options of a policy in a file of the user mean is not known
    if policy.file is None and output and isinstance(output, str) and output not in known:
        raise UnknownOutputError(policy=policy.name, option=option, output=output, known=known)
