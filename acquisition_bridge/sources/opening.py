"""Opens the source that a config describes, for the bridge process.

A finished recording is opened by its content: a file of ScanImage or a series of PrairieView is
read with its channels, planes and times, whether its kind is given as raw_movie or tiff_tail.
"""

import logging
from pathlib import Path

from acquisition_bridge.sources.continued import ContinuedFile, ContinuedSource, LastScan
from acquisition_bridge.sources.contract import ScanSource
from acquisition_bridge.sources.lsl import LslInlet, LslRois, WithBehaviour
from acquisition_bridge.sources.prairie import prairie_raw
from acquisition_bridge.sources.prairie_series import PrairieSeries, channel_of, prairie_xml
from acquisition_bridge.sources.raw_movie import RawMovieSource, is_tiff
from acquisition_bridge.sources.raw_tail import raw_tail
from acquisition_bridge.sources.scanbox_mmap import scanbox_mmap
from acquisition_bridge.sources.scanimage_tcp import scanimage_tcp
from acquisition_bridge.sources.tiff_file import TiffFile
from acquisition_bridge.sources.tiff_tail import TiffTailSource
from acquisition_bridge.sources.zmq_native import ZmqNativeSource
from rtdecode.runtime.extras import SIMULATION, missing_extra_named
from rtdecode.runtime.keys import rig_keys
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as configured
from rtdecode.schema.errors import ScanRateError, SettingMissingError, UnreadableFileError
from rtdecode.schema.interfaces import Clock

log = logging.getLogger(__name__)
_FINISHED_S = 0.001
"""A finished file ends at its last page."""
_RATE_TOLERANCE = 0.05


def open_source(config: RunConfig, clock: Clock, *, last: LastScan | None = None) -> ScanSource:
    """Open the source of `config`; raises the errors of that source before anything is sent.

    Parameters
    ----------
    last
        The last scan that was passed on before a restart, which the source continues.
    """
    # a damaged file is refused in one sentence, which names it; tifffile logs each tag
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    behaviour = config.acquisition.behaviour
    if behaviour is None:
        return _continued(_scans(config, clock), config, last)
    inlet = LslInlet(behaviour.stream, wait_s=behaviour.wait_s)
    scans = _continued(_scans(config, clock), config, last)
    return WithBehaviour(scans, inlet, behaviour, clock=clock)


def _continued(scans: ScanSource, config: RunConfig, last: LastScan | None) -> ScanSource:
    if last is None:
        return scans
    if not isinstance(config.acquisition.source, configured.FileSource):
        return ContinuedSource(scans, last)
    if isinstance(scans, RawMovieSource | TiffTailSource):
        scans.resume_after(last.own_number)
    return ContinuedFile(scans, last)


def _scans(config: RunConfig, clock: Clock) -> ScanSource:
    source = config.acquisition.source
    if isinstance(source, configured.RecordedTrialsSource):
        reason = "only `rtdecode run` and `rtdecode replay` send recorded_trials"
        raise SettingMissingError(setting="acquisition.source to a microscope", reason=reason)
    if isinstance(source, configured.SimulatedSource):
        return _simulated(source, config, clock)
    if isinstance(source, configured.FileSource):
        return _from_file(source, clock)
    return _from_rig(source, config, clock)


def _simulated(source: configured.SimulatedSource, config: RunConfig, clock: Clock) -> ScanSource:
    # needs numba and scipy, which a computer with a microscope does without
    with missing_extra_named(SIMULATION):
        from acquisition_bridge.sources.simulated.source import SimulatedSource

    screen_px = (config.stimulus.rows_px, config.stimulus.cols_px)
    return SimulatedSource(source, screen_px=screen_px, clock=clock)


def _from_file(source: configured.FileSource, clock: Clock) -> ScanSource:
    made: ScanSource
    match source:
        case configured.RawMovieSource():
            made = _recorded(source, clock)
        case configured.RawTailSource():
            made = raw_tail(source, clock)
        case configured.TiffTailSource():
            made = _tiff_tail(source, clock)
    return made


def _recorded(source: configured.RawMovieSource, clock: Clock) -> ScanSource:
    """A finished recording, by the reader of its format."""
    path = source.path
    if path is None:
        return RawMovieSource(source, clock=clock)
    if (xml := prairie_xml(path)) is not None:
        return _prairie(xml, source, clock, rate_hz=source.scan_rate_hz)
    if path.is_dir():
        raise UnreadableFileError(
            what="movie",
            path=path,
            expected="a file, or a folder with PrairieView's TIFF files and their xml",
            got="a folder without such an xml: name the first file of the recording",
        )
    stated_hz = _scanimage_rate_hz(path, source.scan_rate_hz) if is_tiff(path) else None
    if stated_hz is None:
        return RawMovieSource(source, clock=clock)
    log.info("%s is a file of ScanImage; its channels, planes and times are used", path)
    return TiffTailSource(
        configured.TiffTailSource(
            path=path, channel=source.channel, speed=source.speed, idle_s=_FINISHED_S
        ),
        clock=clock,
    )


def _tiff_tail(source: configured.TiffTailSource, clock: Clock) -> ScanSource:
    """Files of ScanImage; a finished series of PrairieView is read with its xml."""
    xml = prairie_xml(source.path)
    if xml is None:
        return TiffTailSource(source, clock=clock)
    movie = configured.RawMovieSource(path=source.path, channel=source.channel, speed=source.speed)
    return _prairie(xml, movie, clock, rate_hz=source.scan_rate_hz)


def _prairie(
    xml: Path, source: configured.RawMovieSource, clock: Clock, *, rate_hz: float | None
) -> RawMovieSource:
    channel = source.channel or channel_of(source.path or xml)
    series = PrairieSeries(xml, channel=channel)
    if rate_hz is not None:
        series.check_rate(rate_hz)
    known_hz = series.scan_rate_hz or rate_hz or source.scan_rate_hz
    timed = source.model_copy(update={"scan_rate_hz": known_hz})
    return RawMovieSource(timed, clock=clock, movie=series)


def _scanimage_rate_hz(path: Path, configured_hz: float) -> float | None:
    """Scan rate in Hz of a complete ScanImage file; None for other TIFFs.

    Raises
    ------
    ScanRateError
        If the configured rate differs from the one in the header and from the time stamps.
    """
    file = TiffFile(path)
    try:
        rates = file.scanimage_rates_hz()
    finally:
        file.close()
    if rates is None:
        return None
    if rates and all(abs(configured_hz / one - 1) > _RATE_TOLERANCE for one in rates):
        raise ScanRateError(
            path=path,
            what="the ScanImage file",
            stated_hz=rates[-1],
            configured_hz=configured_hz,
        )
    return configured_hz


def _from_rig(source: configured.LiveSource, config: RunConfig, clock: Clock) -> ScanSource:
    made: ScanSource
    match source:
        case configured.ScanImageTcpSource():
            made = scanimage_tcp(source, clock)
        case configured.ScanboxMmapSource():
            made = scanbox_mmap(source, clock)
        case configured.PrairieRawSource():
            made = prairie_raw(source, clock)
        case configured.ZmqNativeSource():
            made = ZmqNativeSource(source, clock=clock, keys=rig_keys(config))
        case configured.LslRoisSource():
            made = LslRois(source, LslInlet(source.stream, wait_s=source.wait_s), clock=clock)
    return made
