"""Which microscope is read, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtdecode.schema.config.section import Count, Fraction, Positive, Section


class SimulatedSource(Section):
    """A simulated two-photon microscope on a simulated mouse that watches the real stimulus.

    `mouse_seed` fixes the mouse (its neurons and tissue), `run_seed` the chances of one session
    (spikes, behaviour, motion, photons): one mouse can have several sessions.
    """

    kind: Literal["simulated"] = "simulated"
    mouse_seed: int = 1
    run_seed: int = 0
    neurons: Count = 1200
    rate_hz: Positive = 2.0
    rows_px: Annotated[int, Field(ge=64)] = 256
    cols_px: Annotated[int, Field(ge=64)] = 256
    scan_rate_hz: Annotated[float, Field(gt=0, le=60)] = 15.0
    photons: Positive = 25.0
    spike_dff: Positive = 0.2
    rise_tau_s: Positive = 0.03
    decay_tau_s: Positive = 0.4
    neuropil_fraction: Fraction = 0.3
    motion_px: Annotated[float, Field(ge=0, le=8)] = 1.0
    bleaching_tau_s: Positive = 1800.0
    behaviour_rate_hz: Annotated[float, Field(gt=0, le=120)] = 60.0


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
