"""Checks of a run before its start, for `rtdecode check` and `rtdecode run`.

Duties: find every mistake that a start would meet (files and their content, numbers of neurons,
addresses, disk space), and report all at once. It starts nothing, writes nothing, and opens neither
pipes nor devices, which could block.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import Rois
from rtdecode.control.loading import made_policy, policy_class
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.pipeline.addresses import listened, require_form, require_free
from rtdecode.pipeline.hosts import included_on, network_between_hosts
from rtdecode.pipeline.named_paths import NamedPath, gamma_table_of, named_paths, planes
from rtdecode.pipeline.planes_stage import joined_hash
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.timetable import checked_protocol
from rtdecode.pipeline.topology import Row, with_processes
from rtdecode.runtime.keys import run_keys
from rtdecode.runtime.output_devices import require_present
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.calcium import CalciumConfig, Detector
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.endpoints import endpoints
from rtdecode.schema.config.roles import Role
from rtdecode.schema.control import ActionName
from rtdecode.schema.errors import (
    BadInputError,
    CalibrationError,
    FrameRateError,
    NeuronCountError,
    RoisMissingError,
    ScreenSizeError,
    SettingMissingError,
    SeveralMistakesError,
    TwinMissingError,
    UnknownOutputError,
)
from rtdecode.schema.gamma import gamma_table
from rtdecode.session.disk_watch import expected_mb_s
from rtdecode.session.layout import require_place
from rtdecode.twins.record import TwinSizes, require_rois, sizes_if_loaded
from rtdecode.view.certificate import server_context

_LEAST_ROOM_S = 60.0
"""Length in s of a recording for which the disk must have room."""
_SMALL_SIDE_PX = 64
"""Side of a small scan in px."""
P = ParamSpec("P")
T = TypeVar("T")


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
    checks = _Checks()
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


def _check_addresses(checks: "_Checks", config: RunConfig, rows: Sequence[Row], host: str) -> None:
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


class _Checks:
    """The mistakes found so far, and the paths among them, which need no further check."""

    def __init__(self) -> None:
        self._mistakes: list[BadInputError] = []
        self.missing: set[Path | None] = set()

    def tried(self, check: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """What `check` returns; None where it finds a mistake, which is kept."""
        try:
            return check(*given, **named)
        except BadInputError as mistake:
            self.found(mistake)
            return None

    def found(self, mistake: BadInputError) -> None:
        """Keep a mistake; one that two checks find is kept once."""
        if str(mistake) not in map(str, self._mistakes):
            self._mistakes.append(mistake)

    def path(self, named: NamedPath) -> None:
        """Check that there is such a file or folder."""
        if (mistake := named.mistake()) is not None:
            self.missing.add(named.path)
            self.found(mistake)

    def report(self) -> None:
        """Raise what was found."""
        if len(self._mistakes) > 1:
            raise SeveralMistakesError(mistakes=[str(mistake) for mistake in self._mistakes])
        for mistake in self._mistakes:
            raise mistake


def _check_processes(checks: _Checks, config: RunConfig, roles: set[Role]) -> None:
    """What the processes `roles` would find in the files that they open, and would wait for."""
    if Role.BRIDGE in roles:
        checks.tried(_require_screen, config)
    if Role.STIMULUS in roles:
        _check_stimulus(checks, config)
    if Role.DECODER in roles:
        _check_decoder(checks, config)
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


def _check_stimulus(checks: _Checks, config: RunConfig) -> None:
    """Content of the table of the monitor's luminances, and of the protocol."""
    table = gamma_table_of(config)
    if table is not None and table not in checks.missing:
        checks.tried(gamma_table, table)
    if config.stimulus.protocol not in checks.missing:
        checks.tried(checked_protocol, config)


def _check_decoder(checks: _Checks, config: RunConfig) -> None:
    """Content of ROIs, calibration and twin, and whether they have the same neurons."""
    found = [_neurons(checks, config, one) for one in planes(config.calcium)]
    counts = [count for count, _ in found if count is not None]
    if config.decode is not None:
        neurons = sum(counts) if len(counts) == len(found) else None
        hashes = [rois_hash for _, rois_hash in found]
        rois_hash = joined_hash(hashes) if config.calcium.several_planes else hashes[0]
        _check_twin(checks, config, config.decode, neurons=neurons, rois_hash=rois_hash)


def _check_control(checks: _Checks, config: RunConfig, control: ControlConfig) -> None:
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


def _neurons(checks: _Checks, config: RunConfig, calcium: CalciumConfig) -> tuple[int | None, str]:
    """Number of neurons of one plane, and the content hash of its ROIs; None and "" if unknown."""
    if isinstance(source := config.acquisition.source, sources.RecordedTrialsSource):
        return _neurons_of_data(checks, source), ""
    target = _calibration(checks, calcium.rescale_to)
    calibration = _calibration(checks, calcium.calibration)
    if calcium.rois_from_source or isinstance(config.acquisition.source, sources.LslRoisSource):
        return None if calibration is None else calibration.count, ""
    if calcium.rois is None and calcium.detector is Detector.NONE:
        checks.found(RoisMissingError())
    if calcium.rois is None or calcium.rois in checks.missing:
        return None, ""
    shape, table = None if calibration is None else calibration.shape, calcium.rois_table
    rois = checks.tried(read_pixel_lists, calcium.rois, shape=shape, table=table)
    if rois is None:
        return None, ""
    if calibration is not None and isinstance(rois, Rois):
        checks.tried(calibration.check, rois)
    if target is not None and target.count != rois.count:
        checks.found(CalibrationError(expected=f"{rois.count} neurons", got=f"{target.count}"))
    return rois.count, rois.hash if isinstance(rois, Rois) else ""


def _neurons_of_data(checks: _Checks, source: sources.RecordedTrialsSource) -> int | None:
    """Number of neurons of the data set whose trials are replayed; None where it is unreadable."""
    if source.path in checks.missing:
        return None
    # the readers of data need torch
    from rtdecode.pipeline.trial_stream import TrialStream

    stream = checks.tried(TrialStream, source)
    return None if stream is None else stream.data.neurons


def _calibration(checks: _Checks, path: Path | None) -> Calibration | None:
    if path is None or path in checks.missing:
        return None
    return checks.tried(Calibration.load, path)


def _check_twin(
    checks: _Checks,
    config: RunConfig,
    decode: DecodeConfig,
    *,
    neurons: int | None,
    rois_hash: str,
) -> None:
    folder = decode.twin
    if folder is None:
        checks.found(TwinMissingError())
        return
    if folder in checks.missing:
        return
    sizes = sizes_if_loaded(folder) or _sizes_by_loading(checks, folder)
    if sizes is None:
        return
    twin, run_hz, twin_hz = str(folder), config.frame_rate_hz, sizes.frame_rate_hz
    if neurons not in {None, sizes.neurons}:
        checks.found(NeuronCountError(streamed=neurons or 0, trained=sizes.neurons, twin=twin))
    checks.tried(require_rois, sizes.rois_hash, rois_hash, by=decode.rois_check, twin=twin)
    if twin_hz != run_hz:
        checks.found(FrameRateError(run_hz=run_hz, twin_hz=twin_hz, twin=twin))
    shown = (config.stimulus.rows_px, config.stimulus.cols_px)
    trained = (sizes.rows_px, sizes.cols_px)
    if trained != shown:
        checks.found(ScreenSizeError(run_px=shown, twin_px=trained, twin=twin))


def _sizes_by_loading(checks: _Checks, folder: Path) -> TwinSizes | None:
    """Sizes of a twin that is not stated to be loadable; what is wrong with it is found."""
    # torch takes seconds to import, which a run without decoder, or with a known twin, does without
    from rtdecode.decode.fitted_twin import load_fitted_twin
    from rtdecode.twins.folder import read_spec

    spec = checks.tried(read_spec, folder)
    if spec is None:
        return None
    checks.tried(load_fitted_twin, folder)
    return TwinSizes(
        spec.neurons, spec.rows_px, spec.cols_px, spec.frame_rate_hz, rois_hash=spec.rois_hash
    )
