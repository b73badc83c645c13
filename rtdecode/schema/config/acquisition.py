"""Which microscope is read, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtdecode.schema.config.section import Count, Fraction, NotNegative, Positive, Section


class SimulatedSource(Section):
    """A simulated two-photon microscope on a simulated mouse that watches the real stimulus."""

    kind: Literal["simulated"] = "simulated"
    mouse_seed: int = 1
    neurons: Count = 1200
    rows_px: Count = 256
    cols_px: Count = 256
    scan_rate_hz: Positive = 15.0
    photons: Positive = 30.0
    neuropil_fraction: Fraction = 0.3
    motion_px: NotNegative = 1.0
    bleaching_tau_s: Positive = 1800.0
    behaviour_rate_hz: Positive = 60.0


class RawMovieSource(Section):
    """A recorded two-photon movie, streamed at its own rate or a multiple of it."""

    kind: Literal["raw_movie"] = "raw_movie"
    path: Path | None = None
    scan_rate_hz: Positive = 30.0
    speed: Positive = 1.0
    rows_px: Count | None = None
    cols_px: Count | None = None


Source = Annotated[SimulatedSource | RawMovieSource, Field(discriminator="kind")]


class AcquisitionConfig(Section):
    """The microscope's side."""

    source: Source = SimulatedSource()
