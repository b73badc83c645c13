"""Which microscope is read, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtdecode.schema.config.section import Count, Fraction, Index, Positive, Section

Port = Annotated[int, Field(ge=0, le=65535)]


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


class ScanImageTcpSource(Section):
    """ScanImage through a TCP streaming module; `side` says who listens."""

    kind: Literal["scanimage_tcp"] = "scanimage_tcp"
    host: str = "127.0.0.1"
    port: Port = 55004
    side: Literal["connect", "listen"] = "connect"
    scan_rate_hz: Positive = 30.0


class ScanboxMmapSource(Section):
    """Scanbox's memory-mapped file, on the rig's computer or shared by it."""

    kind: Literal["scanbox_mmap"] = "scanbox_mmap"
    path: Path
    scan_rate_hz: Positive = 15.5


class RawTailSource(Section):
    """A file of bare uint16 scans that the rig is still writing.

    Size and rate come from ThorImage's Experiment.xml where `experiment` names it, else from here.
    """

    kind: Literal["raw_tail"] = "raw_tail"
    path: Path
    experiment: Path | None = None
    rows_px: Count | None = None
    cols_px: Count | None = None
    scan_rate_hz: Positive | None = None
    planes: Count = 1
    flyback_scans: Index = 0
    channels: Count = 1
    channel: Index = 0
    idle_s: Positive | None = None
    """The file is taken as finished when it has not grown for so long; None: never."""


class PrairieRawSource(Section):
    """The raw sample stream of PrairieView, forwarded by a helper on the rig's computer."""

    kind: Literal["prairie_raw"] = "prairie_raw"
    host: str = "127.0.0.1"
    port: Port = 1237
    side: Literal["connect", "listen"] = "connect"
    rows_px: Count
    cols_px: Count
    samples_per_pixel: Count = 1
    channels: Count = 1
    channel: Index = 0
    resonant: bool = False
    offset_counts: Index = 8192
    scan_rate_hz: Positive = 30.0
    control_port: Port | None = None
    """PrairieView's own port, 1236, to switch the stream on and off; None: somebody else does."""
    buffered_frames: Count = 50


class TiffTailSource(Section):
    """TIFFs of ScanImage, finished or still being written, one or several files.

    `channel` counts as ScanImage does, from 1; None is the first that was saved. What is in the
    file already is streamed at its own rate times `speed`.
    """

    kind: Literal["tiff_tail"] = "tiff_tail"
    path: Path
    channel: Count | None = None
    scan_rate_hz: Positive | None = None
    speed: Positive = 1.0
    idle_s: Positive | None = None


class ZmqNativeSource(Section):
    """Our own messages, from MATLAB, C++ or LabVIEW: they push scans to this address."""

    kind: Literal["zmq_native"] = "zmq_native"
    address: str = "tcp://127.0.0.1:5710"
    scan_rate_hz: Positive = 30.0


class LslRoisSource(Section):
    """ROI values over LSL, one channel a neuron: what ScanImage's integration ROIs give."""

    kind: Literal["lsl_rois"] = "lsl_rois"
    stream: str
    scan_rate_hz: Positive = 30.0
    wait_s: Positive = 10.0


class LslBehaviour(Section):
    """Behaviour over LSL, beside any source of scans; channels count from 0, None gives 0."""

    stream: str
    running_channel: Index | None = 0
    pupil_diameter_channel: Index | None = None
    pupil_x_channel: Index | None = None
    pupil_y_channel: Index | None = None
    wait_s: Positive = 10.0


FileSource = RawMovieSource | RawTailSource | TiffTailSource
LiveSource = (
    ScanImageTcpSource | ScanboxMmapSource | PrairieRawSource | ZmqNativeSource | LslRoisSource
)
Source = Annotated[SimulatedSource | FileSource | LiveSource, Field(discriminator="kind")]


class AcquisitionConfig(Section):
    """The microscope's side."""

    source: Source = SimulatedSource()
    behaviour: LslBehaviour | None = None
