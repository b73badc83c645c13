"""Opens the source that a config describes, for the bridge process."""

from acquisition_bridge.sources.contract import ScanSource
from acquisition_bridge.sources.lsl import LslInlet, LslRois, WithBehaviour
from acquisition_bridge.sources.prairie import prairie_raw
from acquisition_bridge.sources.raw_movie import RawMovieSource
from acquisition_bridge.sources.raw_tail import raw_tail
from acquisition_bridge.sources.scanbox_mmap import scanbox_mmap
from acquisition_bridge.sources.scanimage_tcp import scanimage_tcp
from acquisition_bridge.sources.simulated.source import SimulatedSource
from acquisition_bridge.sources.tiff_tail import TiffTailSource
from acquisition_bridge.sources.zmq_native import ZmqNativeSource
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as configured
from rtdecode.schema.interfaces import Clock


def open_source(config: RunConfig, clock: Clock) -> ScanSource:
    """Open the source of `config`; raises the errors of that source before anything is sent."""
    behaviour = config.acquisition.behaviour
    if behaviour is None:
        return _scans(config, clock)
    inlet = LslInlet(behaviour.stream, wait_s=behaviour.wait_s)
    return WithBehaviour(_scans(config, clock), inlet, behaviour)


def _scans(config: RunConfig, clock: Clock) -> ScanSource:
    source = config.acquisition.source
    if isinstance(source, configured.SimulatedSource):
        screen_px = (config.stimulus.rows_px, config.stimulus.cols_px)
        return SimulatedSource(source, screen_px=screen_px, clock=clock)
    if isinstance(source, configured.FileSource):
        return _from_file(source, clock)
    return _from_rig(source, clock)


def _from_file(source: configured.FileSource, clock: Clock) -> ScanSource:
    made: ScanSource
    match source:
        case configured.RawMovieSource():
            made = RawMovieSource(source, clock=clock)
        case configured.RawTailSource():
            made = raw_tail(source, clock)
        case configured.TiffTailSource():
            made = TiffTailSource(source, clock=clock)
    return made


def _from_rig(source: configured.LiveSource, clock: Clock) -> ScanSource:
    made: ScanSource
    match source:
        case configured.ScanImageTcpSource():
            made = scanimage_tcp(source, clock)
        case configured.ScanboxMmapSource():
            made = scanbox_mmap(source, clock)
        case configured.PrairieRawSource():
            made = prairie_raw(source, clock)
        case configured.ZmqNativeSource():
            made = ZmqNativeSource(source, clock=clock)
        case configured.LslRoisSource():
            made = LslRois(source, LslInlet(source.stream, wait_s=source.wait_s), clock=clock)
    return made
