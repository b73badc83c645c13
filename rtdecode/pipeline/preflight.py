"""Checks of a run before its start, for `rtdecode check` and `rtdecode run`.

Duties: find every mistake that a start would meet (files and their content, numbers of neurons,
addresses, disk space), and report all at once. It starts nothing, writes nothing, and opens neither
pipes nor devices, which could block.
"""

import errno
import os
import re
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import Rois
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.pipeline.topology import Row, included, with_processes
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.calcium import CalciumConfig, Detector
from rtdecode.schema.config.run import Role
from rtdecode.schema.errors import (
    AddressInUseError,
    AddressUnusableError,
    BadInputError,
    CalibrationError,
    FrameRateError,
    MissingFileError,
    RoisMissingError,
    ScreenSizeError,
    SeveralMistakesError,
    TwinMissingError,
)
from rtdecode.session.layout import require_place

P = ParamSpec("P")
T = TypeVar("T")
_GROWING = (sources.RawTailSource, sources.TiffTailSource, sources.ScanboxMmapSource)
_OVER_TCP = (sources.ScanImageTcpSource, sources.PrairieRawSource)
_TCP = re.compile(r"tcp://(?P<host>\*|\[[^\]]+\]|[^:\[\]]+):(?P<port>\d+|\*)")
_IPC = re.compile(r"ipc://.{1,107}")
_HIGHEST_PORT = 65535
_ANY = "a file or a folder"


def checked(config: RunConfig, *, folder: Path | None = None) -> RunConfig:
    """`config` with its processes by name, after all checks that are possible before a start.

    Parameters
    ----------
    folder
        Session folder, or folder of new sessions; by default `record.folder`.

    Raises
    ------
    BadInputError
        The mistake itself where there is one, SeveralMistakesError where there are more.
    """
    checks = _Checks()
    rows = checks.tried(included, config) or ()
    roles = {row.role for row in rows} or set(config.processes or ())
    for named in _named_paths(config, roles):
        checks.path(named)
    if Role.DECODER in roles:
        _check_decoder(checks, config)
    if Role.EVALUATE in roles and config.evaluate.screen_mask not in checks.missing:
        checks.tried(scoring_mask, config)
    for option, address in _endpoints(config):
        checks.tried(_require_form, address, option)
    for option, host, port in _listened(config, rows):
        checks.tried(_require_free, (host, port), option)
    place = config.record.folder if folder is None else folder
    checks.tried(require_place, place, needed_mb=config.record.min_free_mb)
    checks.report()
    return with_processes(config)


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

    def path(self, named: "_NamedPath") -> None:
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


@dataclass(frozen=True, slots=True)
class _NamedPath:
    """A file or folder that the config names."""

    option: str
    path: Path
    remedy: str
    kinds: str = "a file"
    may_appear: bool = False
    """True for a file that the microscope has yet to write into an existing folder."""

    def mistake(self) -> MissingFileError | None:
        """The error to report where there is no such file or folder."""
        if self.may_appear and not self.path.exists() and self.path.parent.is_dir():
            return None
        try:
            mode = self.path.stat().st_mode
        except (OSError, ValueError):
            mode = 0
        is_file = stat.S_ISREG(mode) and "file" in self.kinds
        if is_file or (stat.S_ISDIR(mode) and "folder" in self.kinds):
            return None
        return MissingFileError(
            what=self.option, path=self.path, remedy=self.remedy, expected=self.kinds
        )


def _named_paths(config: RunConfig, roles: set[Role]) -> Iterator[_NamedPath]:
    """All paths that the processes `roles` would open."""
    if Role.BRIDGE in roles:
        yield from _source_paths(config.acquisition.source)
    if Role.STIMULUS in roles and config.stimulus.clips is not None:
        remedy = "give a video or a folder of videos, or leave it out for the embedded clips"
        yield _NamedPath("stimulus.clips", config.stimulus.clips, remedy, _ANY)
    if Role.DECODER in roles:
        for one in _planes(config.calcium):
            yield from _calcium_paths(one)
        if config.decode is not None and config.decode.twin is not None:
            remedy = "give a folder that `rtdecode fit twin` or `rtdecode import-twin` wrote"
            yield _NamedPath("decode.twin", config.decode.twin, remedy, "a folder")
    if Role.EVALUATE in roles and config.evaluate.screen_mask is not None:
        remedy = "make one with `rtdecode fit mask`, or leave it out to score the whole screen"
        yield _NamedPath("evaluate.screen_mask", config.evaluate.screen_mask, remedy)


def _source_paths(source: sources.Source) -> Iterator[_NamedPath]:
    path: Path | None = getattr(source, "path", None)
    if path is not None:
        growing = isinstance(source, _GROWING)
        remedy = "give the file that the microscope writes, or the recording to stream"
        yield _NamedPath("acquisition.source.path", path, remedy, _ANY, may_appear=growing)
    if isinstance(source, sources.RawTailSource) and source.experiment is not None:
        remedy = "give the Experiment.xml of ThorImage, or size and rate instead"
        yield _NamedPath("acquisition.source.experiment", source.experiment, remedy)


def _planes(calcium: CalciumConfig) -> list[CalciumConfig]:
    several = calcium.several_planes
    return [calcium.of_plane(one) for one in calcium.decoded_planes] if several else [calcium]


def _calcium_paths(calcium: CalciumConfig) -> Iterator[_NamedPath]:
    if calcium.rois is not None and not calcium.rois_from_source:
        yield _NamedPath("calcium.rois", calcium.rois, "give the ROIs of this field of view", _ANY)
    for name in ("calibration", "rescale_to"):
        path: Path | None = getattr(calcium, name)
        if path is not None:
            yield _NamedPath(f"calcium.{name}", path, "give calibration.npz of a session")


def _check_decoder(checks: _Checks, config: RunConfig) -> None:
    """Content of ROIs, calibration and twin, and whether they have the same neurons."""
    counts = [_neurons(checks, config, one) for one in _planes(config.calcium)]
    known = [count for count in counts if count is not None]
    if config.decode is not None:
        neurons = sum(known) if len(known) == len(counts) else None
        _check_twin(checks, config, config.decode.twin, neurons=neurons)


def _neurons(checks: _Checks, config: RunConfig, calcium: CalciumConfig) -> int | None:
    """Number of neurons of one plane; None while it is unknown."""
    target = _calibration(checks, calcium.rescale_to)
    calibration = _calibration(checks, calcium.calibration)
    if calcium.rois_from_source or isinstance(config.acquisition.source, sources.LslRoisSource):
        return None if calibration is None else calibration.count
    if calcium.rois is None and calcium.detector is Detector.NONE:
        checks.found(RoisMissingError())
    if calcium.rois is None or calcium.rois in checks.missing:
        return None
    shape, table = None if calibration is None else calibration.shape, calcium.rois_table
    rois = checks.tried(read_pixel_lists, calcium.rois, shape=shape, table=table)
    if rois is None:
        return None
    if calibration is not None and isinstance(rois, Rois):
        checks.tried(calibration.check, rois)
    if target is not None and target.count != rois.count:
        checks.found(CalibrationError(expected=f"{rois.count} neurons", got=f"{target.count}"))
    return rois.count


def _calibration(checks: _Checks, path: Path | None) -> Calibration | None:
    if path is None or path in checks.missing:
        return None
    return checks.tried(Calibration.load, path)


def _check_twin(
    checks: _Checks, config: RunConfig, folder: Path | None, *, neurons: int | None
) -> None:
    if folder is None:
        checks.found(TwinMissingError())
        return
    if folder in checks.missing:
        return
    # torch takes seconds to import, and a run without decoder has no twin to check
    from rtdecode.decode.fitted_twin import load_fitted_twin
    from rtdecode.twins.folder import read_spec

    spec = checks.tried(read_spec, folder)
    if spec is None:
        return
    checks.tried(load_fitted_twin, folder, neurons=neurons)
    twin, run_hz, twin_hz = str(folder), config.frame_rate_hz, spec.frame_rate_hz
    if twin_hz != run_hz:
        checks.found(FrameRateError(run_hz=run_hz, twin_hz=twin_hz, twin=twin))
    shown = (config.stimulus.rows_px, config.stimulus.cols_px)
    trained = (spec.rows_px, spec.cols_px)
    if trained != shown:
        checks.found(ScreenSizeError(run_px=shown, twin_px=trained, twin=twin))


def _endpoints(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Option and address of each endpoint that the config gives."""
    for name, address in config.network.model_dump().items():
        if address:
            yield f"network.{name}", address
    if isinstance(config.acquisition.source, sources.ZmqNativeSource):
        yield "acquisition.source.address", config.acquisition.source.address


def _require_form(address: str, option: str) -> None:
    found = _TCP.fullmatch(address)
    if not found and not _IPC.fullmatch(address):
        got = "expected tcp://HOST:PORT or ipc://PATH"
        raise AddressUnusableError(address=address, option=option, got=got)
    if found and found["port"] != "*" and int(found["port"]) > _HIGHEST_PORT:
        got = f"a port is at most {_HIGHEST_PORT}"
        raise AddressUnusableError(address=address, option=option, got=got)


def _listened(config: RunConfig, rows: tuple[Row, ...]) -> Iterator[tuple[str, str, int]]:
    """Option, host and port of each TCP address at which a process of this run listens."""
    roles = {row.role for row in rows}
    own = {source.name for row in rows for source in row.publishes if source.needs.met(config)}
    options = {f"network.{name}" for name in own | {"control", "recorder"}}
    if Role.BRIDGE in roles:
        options.add("acquisition.source.address")
    for option, address in _endpoints(config):
        found = _TCP.fullmatch(address)
        if found and option in options and found["port"] != "*":
            yield option, found["host"].strip("[]"), int(found["port"])
    if Role.VIEW in roles:
        yield "view.port", config.view.host, config.view.port
    source = config.acquisition.source
    if Role.BRIDGE in roles and isinstance(source, _OVER_TCP) and source.side == "listen":
        yield "acquisition.source.port", source.host, source.port


def _require_free(at: tuple[str, int], option: str) -> None:
    """Raise an error where nothing can listen at `at`, without listening there."""
    host, port = ("0.0.0.0" if at[0] == "*" else at[0]), at[1]  # noqa: S104 - as ZeroMQ reads it
    if not 0 < port <= _HIGHEST_PORT or host in {name for _, name in socket.if_nameindex()}:
        return
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen()
        except OSError as error:
            address = f"{host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise AddressInUseError(address=address, option=option) from error
            got = error.strerror or os.strerror(error.errno or 0)
            raise AddressUnusableError(address=address, option=option, got=got) from error
