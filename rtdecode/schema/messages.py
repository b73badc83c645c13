"""Messages between processes: frozen dataclasses whose field names carry their units.

Duties: define every kind of message, its fields, units and permitted arrays, from which codec and
`docs/wire.md` derive the wire format. It must not import sockets, clocks, the codec or any stage.

Every `t_*_ns` is in nanoseconds of CLOCK_MONOTONIC on the decoder's host (HostNs). A *scan* is one
imaging frame, a *frame* is one frame of the movie. A field with a default is optional on the wire.
"""

from dataclasses import dataclass, field
from typing import ClassVar, get_args

from rtdecode.schema.arrays import (
    BehaviourF32,
    FrameF32,
    FrameU8,
    NeuronBool,
    NeuronF32,
    PairF32,
    PixelsCounts,
)
from rtdecode.schema.control import Loop
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.hosts import HostMessage
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.schema.recorded_activity import RecordedActivity


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Opens a session on one source; published again for each new subscriber."""

    kind: ClassVar[str] = "start"
    session: str
    config_yaml: str
    git_revision: str
    twin_hash: str
    versions: dict[str, str] = field(default_factory=dict)
    last_seq_before: dict[str, int] = field(default_factory=dict)
    """Last number of each kind before a restart, so that messages of before are found missing."""
    utc_ns: int = 0
    """Wall clock of the supervisor's host at `utc_at_ns`, since 1970-01-01 UTC; 0 if not stated."""
    utc_at_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Closes a session on one source."""

    kind: ClassVar[str] = "end"
    session: str
    reason: str
    last_seq: dict[str, int] = field(default_factory=dict)
    """Last number of each kind that the source sent, so that a missing tail is detected."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One imaging frame as the microscope delivered it."""

    kind: ClassVar[str] = "scan"
    pixels_counts: PixelsCounts
    number: int
    """Scan number of the source, from 0; a jump means scans that the microscope lost."""
    plane: int
    t_start_ns: int
    t_end_ns: int
    rig_number: int = -1
    """The rig's own number of the scan, which may start anew; -1 where the rig has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """One sample of running speed and pupil, at its own sampling rate."""

    kind: ClassVar[str] = "behaviour"
    t_sample_ns: int
    running_cm_s: float
    pupil_diameter_px: float
    pupil_center_px: PairF32


@dataclass(frozen=True, slots=True, eq=False)
class Fluorescence:
    """Fluorescence of every ROI in one scan, before neuropil correction."""

    kind: ClassVar[str] = "fluorescence"
    f_raw: NeuronF32
    """ROI means before neuropil correction, demixed where rtdecode reads the scans, in the
    microscope's counts; or values in the unit of the rig program that sent them."""
    f_neuropil: NeuronF32
    """Mean of the neuropil ring around each ROI, as `f_raw`; zeros where none is measured."""
    number: int
    t_scan_ns: int
    """Middle of the scan."""
    shift_px: PairF32
    """(row, col) by which registration moved the scan onto the reference image."""
    plane: int = 0
    rig_number: int = -1
    rois_hash: str = ""
    """Content hash of the ROIs, which identifies the neurons and their order; empty if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Activity of all neurons in one frame of the frame grid, in twin units."""

    kind: ClassVar[str] = "responses"
    activity: NeuronF32
    valid: NeuronBool
    """False where a neuron has no measurement in this frame; its activity is then undefined."""
    frame: int
    t_frame_start_ns: int
    """Start of the frame on the frame grid."""
    t_scan_ns: int
    """Middle of the newest scan that was used."""
    t_scan_end_ns: int
    t_received_ns: int
    t_ready_ns: int
    rois_hash: str = ""
    """As in Fluorescence; of all planes together where several are decoded."""
    causality: str = "causal"
    """causal, as published or predicted; as published: preprocessed with later scans."""
    trial: int = -1
    """Number of the trial of a recorded data set, before which the decoder is reset; -1: none."""


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """One movie frame in grey levels, `lag_frames` behind the newest responses; < 0: a forecast."""

    kind: ClassVar[str] = "reconstruction"
    luminance: FrameF32
    uncertainty: FrameF32
    """(row, col) posterior standard deviation in grey levels; zeros where none is computed."""
    frame: int
    t_frame_mid_ns: int
    """Middle of the frame on the frame grid, for which the displayed frame is the ground truth."""
    t_scan_ns: int
    t_scan_end_ns: int
    t_received_ns: int
    t_responses_ns: int
    t_ready_ns: int
    lag_frames: int
    steps: int
    objective: float
    warm: bool
    """False until the estimation window is full."""
    late: bool
    neurons_left_out: int = 0
    """Neurons without influence: stuck at a value, or with implausible activity."""
    frame_left_out: bool = False
    """Whether the activity of this frame had almost no weight, as in a scan with an artefact."""
    frames_shed: int = 0
    """Frames just before this one that were left out because the decoder was overloaded."""


@dataclass(frozen=True, slots=True, eq=False)
class DisplayedFrame:
    """One movie frame at its flip on the stimulus screen: the ground truth."""

    kind: ClassVar[str] = "displayed_frame"
    clip: str
    index: int
    luminance: FrameU8
    t_flip_ns: int
    """When its light left the screen: flip time plus the monitor's measured delay."""
    flips: int
    """Number of refreshes for which the previous frame stayed on the screen."""
    number: int = -1
    """Number of the frame in the session, which the patch encodes; -1 if it is not stated."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Agreement of reconstructions with displayed frames over the last `window_s`."""

    kind: ClassVar[str] = "score"
    video_r: float
    frame_r: float
    ssim: float
    shift_ms: float
    window_s: float
    n_frames: int
    final: bool
    """True for the score of the whole run, which is sent once at its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """Consecutive messages of one stream that did not arrive; they are not interpolated."""

    kind: ClassVar[str] = "gap"
    stream: str
    first_missing: int
    n_missing: int
    detected_by: str
    """Name of the process that detected the gap."""


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """Heartbeat: state of a process and its counters since the start of the run."""

    kind: ClassVar[str] = "health"
    state: str
    """starting | ready | running | stopping | failed."""
    detail: str
    counters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something that happened in a process and that the summary of the session states."""

    kind: ClassVar[str] = "event"
    severity: str
    """info | warning | alarm."""
    process: str
    code: str
    """Identifier of `text`; events of one process and code are summed."""
    text: str
    counts: dict[str, float] = field(default_factory=dict)
    """What this event adds, by name, for example lost scans."""


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """Command to a process, for example `start` or `stop`."""

    kind: ClassVar[str] = "command"
    target: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """Decision of an earlier release; `action` has its place."""

    kind: ClassVar[str] = "trigger"
    name: str
    t_decided_ns: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Acknowledgement of the recorder that a START is in the file `log` of its host."""

    kind: ClassVar[str] = "recording"
    start_source: str
    session: str
    log: str


Measurement = Scan | Behaviour | Fluorescence | RecordedActivity | Responses
Picture = Reconstruction | DisplayedFrame | Score | ResponsePrediction
Notice = Gap | Health | Event | Command | Trigger | Recording
Unrecorded = FieldOfView | PlaneNeurons
Body = Start | End | Measurement | Picture | Notice | Unrecorded | Loop | HostMessage
BODIES: tuple[type[Body], ...] = get_args(Body)


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """A message body with its envelope: source, sequence number and time of sending."""

    source: str
    """The sending process; `source` and the body's kind together name a stream."""
    seq: int
    """Consecutive number in its stream, from 0."""
    t_ns: int
    clock: str
    """Name of the clock of `t_ns`; "host" is the decoder host's CLOCK_MONOTONIC."""
    body: Body

    @property
    def stream(self) -> str:
        """Name of the stream, for example `bridge/scan`."""
        return f"{self.source}/{self.body.kind}"


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A message with the time at which this process received it."""

    message: Stamped
    t_received_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowFrame:
    """Input of the decoder for one frame of the grid; never sent over a socket."""

    responses: Responses
    behaviour: BehaviourF32  # running in cm/s, pupil diameter in px, pupil centre x and y in px
