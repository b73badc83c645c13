"""Which source a config means."""

from acquisition_bridge.sources.contract import Source
from acquisition_bridge.sources.raw_movie import RawMovieSource
from acquisition_bridge.sources.simulated.source import SimulatedSource
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.interfaces import Clock


def open_source(config: RunConfig, clock: Clock) -> Source:
    """Open the source of `config`; raises what that source raises, before anything is sent."""
    source = config.acquisition.source
    if isinstance(source, RawMovieConfig):
        return RawMovieSource(source, clock=clock)
    screen_px = (config.stimulus.rows_px, config.stimulus.cols_px)
    return SimulatedSource(source, screen_px=screen_px, clock=clock)
