"""Settings of the microscope: which source the acquisition bridge reads, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtdecode.schema.config.section import (
    AfterFailure,
    Count,
    Fraction,
    Index,
    Port,
    Positive,
    Section,
)

CountType = Literal["uint16", "int16"]


class SimulatedSource(Section):
    """A simulated two-photon microscope on a simulated mouse that sees the real stimulus."""

    kind: Literal["simulated"] = "simulated"
    """A simulated rig, for tests and for the demo."""
    mouse_seed: int = 1
    """Seed of the mouse: its neurons and its tissue."""
    run_seed: int = 0
    """Seed of one session: spikes, behaviour, motion and photons. One mouse can have several."""
    neurons: Count = 1200
    """Number of neurons."""
    rate_hz: Positive = 2.0
    """Mean firing rate in Hz over the population."""
    rows_px: Annotated[int, Field(ge=64)] = 256
    """Rows of a scan."""
    cols_px: Annotated[int, Field(ge=64)] = 256
    """Columns of a scan."""
    scan_rate_hz: Annotated[float, Field(gt=0, le=60)] = 15.0
    """Imaging rate in Hz."""
    photons: Positive = 25.0
    """Mean number of photons in a pixel of a cell at rest, for each scan."""
    spike_dff: Positive = 0.2
    """Mean amplitude of the transient of one spike, dF/F."""
    rise_tau_s: Positive = 0.03
    """Rise time constant of the indicator in s."""
    decay_tau_s: Positive = 0.4
    """Decay time constant of the indicator in s."""
    neuropil_fraction: Fraction = 0.3
    """Brightness of the neuropil as a fraction of that of the cells."""
    motion_px: Annotated[float, Field(ge=0, le=8)] = 1.0
    """SD of the brain motion in px."""
    bleaching_tau_s: Positive = 1800.0
    """Time constant of photobleaching in s."""
    behaviour_rate_hz: Annotated[float, Field(gt=0, le=120)] = 60.0
    """Sampling rate of running and pupil in Hz."""


class RawMovieSource(Section):
    """A recorded two-photon movie, streamed at its own rate or at a multiple of it."""

    kind: Literal["raw_movie"] = "raw_movie"
    """A finished movie."""
    path: Path | None = None
    """TIFF file (one page for each scan; ScanImage files too), HDF5 file, file of bare 16-bit
    scans, or folder of PrairieView's TIFFs with its xml; null: `--movie FILE`."""
    scan_rate_hz: Positive = 30.0
    """Imaging rate of the recording in Hz, all planes together."""
    channel: Count | None = None
    """Channel that is streamed, counted from 1; only for ScanImage and PrairieView; null: the first
    saved one."""
    dataset: str | None = None
    """Name of the data set (scan, row, column) in an HDF5 file; null: the only one with three
    axes."""
    dtype: CountType | None = None
    """Type of bare scans; null: int16 for a data.bin of suite2p, else uint16."""
    speed: Positive = 1.0
    """Playback speed relative to the recording."""
    rows_px: Count | None = None
    """Rows of a scan; only for a file without header."""
    cols_px: Count | None = None
    """Columns of a scan; only for a file without header."""


class ScanImageTcpSource(Section):
    """ScanImage with a TCP streaming module."""

    kind: Literal["scanimage_tcp"] = "scanimage_tcp"
    """ScanImage over TCP."""
    host: str = "127.0.0.1"
    """Address of the computer with ScanImage, or the address to listen on."""
    port: Port = 55004
    """TCP port."""
    side: Literal["connect", "listen"] = "connect"
    """connect: the bridge connects to ScanImage; listen: ScanImage connects to the bridge."""
    scan_rate_hz: Positive = 30.0
    """Imaging rate in Hz, all planes together."""


class ScanboxMmapSource(Section):
    """The memory-mapped file of Scanbox, on the rig's computer or on a network share of it."""

    kind: Literal["scanbox_mmap"] = "scanbox_mmap"
    """Scanbox's memory-mapped file."""
    path: Path
    """The file."""
    scan_rate_hz: Positive = 15.5
    """Imaging rate in Hz, all planes together."""


class RawTailSource(Section):
    """A growing file of bare uint16 scans, as ThorImage writes it."""

    kind: Literal["raw_tail"] = "raw_tail"
    """A file of bare scans that the rig is still writing."""
    path: Path
    """The file."""
    experiment: Path | None = None
    """Experiment.xml of ThorImage, which states size and rate; null takes the settings below."""
    rows_px: Count | None = None
    """Rows of a scan."""
    cols_px: Count | None = None
    """Columns of a scan."""
    scan_rate_hz: Positive | None = None
    """Imaging rate in Hz, all planes together."""
    planes: Count = 1
    """Number of imaging planes."""
    flyback_scans: Index = 0
    """Number of scans after the planes of a volume that are discarded."""
    channels: Count = 1
    """Number of channels in the file."""
    channel: Index = 0
    """Channel that is streamed, counted from 0."""
    dtype: CountType = "uint16"
    """Type of the values."""
    idle_s: Positive | None = None
    """Time in s without growth after which the file is considered finished; null: never."""


class PrairieRawSource(Section):
    """The raw sample stream of PrairieView, forwarded by a program on the rig's computer."""

    kind: Literal["prairie_raw"] = "prairie_raw"
    """PrairieView's raw data stream."""
    host: str = "127.0.0.1"
    """Address of the rig's computer, or the address to listen on."""
    port: Port = 1237
    """TCP port of the forwarded stream."""
    side: Literal["connect", "listen"] = "connect"
    """connect: the bridge connects to the rig; listen: the rig connects to the bridge."""
    rows_px: Count
    """Rows of a scan."""
    cols_px: Count
    """Columns of a scan."""
    samples_per_pixel: Count = 1
    """Number of samples that are averaged for a pixel."""
    channels: Count = 1
    """Number of channels in the stream."""
    channel: Index = 0
    """Channel that is streamed, counted from 0."""
    resonant: bool = False
    """True for a resonant scanner, whose even lines run backwards."""
    offset_counts: Index = 8192
    """Value of a sample without light, in counts; it is subtracted."""
    scan_rate_hz: Positive = 30.0
    """Imaging rate in Hz, all planes together."""
    control_port: Port | None = None
    """PrairieView's command port (1236), over which the stream is started and stopped; null: it is
    started by hand."""
    buffered_frames: Count = 50
    """Number of frames that PrairieView buffers."""


class TiffTailSource(Section):
    """TIFF files of ScanImage, finished or still being written, one or several.

    Scans that the file already contains are streamed at their own rate times `speed`.
    """

    kind: Literal["tiff_tail"] = "tiff_tail"
    """Growing or finished TIFF files of ScanImage."""
    path: Path
    """The first file."""
    channel: Count | None = None
    """Channel that is streamed, counted from 1 as in ScanImage; null: the first saved one."""
    scan_rate_hz: Positive | None = None
    """Imaging rate in Hz; null: as the file's header states."""
    speed: Positive = 1.0
    """Playback speed of existing scans relative to the recording."""
    idle_s: Positive | None = None
    """Time in s without growth after which the file is considered finished; null: never."""


class ZmqNativeSource(Section):
    """Messages of docs/wire.md that a program in MATLAB, C++ or LabVIEW pushes to an address."""

    kind: Literal["zmq_native"] = "zmq_native"
    """Messages over ZeroMQ."""
    address: str = "tcp://127.0.0.1:5710"
    """Endpoint that the bridge listens on."""
    scan_rate_hz: Positive = 30.0
    """Imaging rate in Hz, all planes together."""


class LslRoisSource(Section):
    """ROI values over LSL, one channel for each neuron, as ScanImage's integration ROIs give."""

    kind: Literal["lsl_rois"] = "lsl_rois"
    """ROI values over LSL."""
    stream: str
    """Name of the LSL stream."""
    scan_rate_hz: Positive = 30.0
    """Rate of the values in Hz."""
    wait_s: Positive = 10.0
    """Time in s to wait for the stream to appear."""


class LslBehaviour(Section):
    """Behaviour over LSL, in addition to any source of scans.

    Channels are counted from 0; the value of a channel that is null is 0.
    """

    stream: str
    """Name of the LSL stream."""
    running_channel: Index | None = 0
    """Channel of the running speed, cm/s."""
    pupil_diameter_channel: Index | None = None
    """Channel of the pupil diameter, px."""
    pupil_x_channel: Index | None = None
    """Channel of the horizontal pupil position, px."""
    pupil_y_channel: Index | None = None
    """Channel of the vertical pupil position, px."""
    wait_s: Positive = 10.0
    """Time in s to wait for the stream to appear."""


class RecordedTrialsSource(Section):
    """Trials of a recorded data set, one after the other: activity, displayed frames, behaviour.

    `rtdecode replay DATA` makes such a config. Nothing is scanned or displayed: the process of the
    bridge sends what the data hold, also the displayed frames, and the decoder is reset before each
    trial.
    """

    kind: Literal["recorded_trials"] = "recorded_trials"
    """Trials of a data set, replayed as a live session."""
    path: Path
    """Folder in the layout of Sensorium 2023, or NWB file."""
    tier: str = "test"
    """Tier of the trials."""
    trials: tuple[Index, ...] | None = None
    """Numbers of the trials, of any tier, in this order; null takes all trials of `tier`."""
    input: Literal["responses", "traces"] = "responses"
    """Activity that is sent: the responses of the data set, or those of the online calcium chain
    from its raw fluorescence."""
    speed: Positive = 1.0
    """Speed relative to the recording: the clock of the session runs that much faster, so that all
    its times and limits in s are in time of the recording."""

    @property
    def scan_rate_hz(self) -> None:
        """Not known: the activity is on the frame grid already."""
        return


FileSource = RawMovieSource | RawTailSource | TiffTailSource
LiveSource = (
    ScanImageTcpSource | ScanboxMmapSource | PrairieRawSource | ZmqNativeSource | LslRoisSource
)
Source = Annotated[
    SimulatedSource | FileSource | LiveSource | RecordedTrialsSource, Field(discriminator="kind")
]


class AcquisitionConfig(Section):
    """The source of scans, and of behaviour where the source of scans sends none."""

    source: Source = SimulatedSource()
    behaviour: LslBehaviour | None = None
    end_after_s: Positive | None = None
    """Time in s without a scan, after the first one, after which the run ends; null never does."""
    after_failure: AfterFailure = AfterFailure.RESTART
    """Whether the bridge is started again after a failure, or the failure ends the run."""
