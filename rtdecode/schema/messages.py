"""The values that travel between processes: frozen, with their unit in their name.

Every `t_*_ns` is HostNs, nanoseconds of the decoder host's CLOCK_MONOTONIC; other hosts map
their stamps before they send. *Scan* is one imaging frame, *frame* one movie frame.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from rtdecode.schema.arrays import (
    BehaviourF32,
    FrameF32,
    FrameU8,
    NeuronBool,
    NeuronF32,
    PairF32,
    PixelsCounts,
)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Opens a session on one source; sent again to everyone who joins late."""

    kind: ClassVar[str] = "start"
    session: str
    config_yaml: str
    git_revision: str
    twin_hash: str
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Closes a session on one source.

    `last_seq` tells each stream's last number, so that a lost tail shows.
    """

    kind: ClassVar[str] = "end"
    session: str
    reason: str
    last_seq: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One imaging frame as the microscope gave it."""

    kind: ClassVar[str] = "scan"
    pixels_counts: PixelsCounts
    number: int
    """The source's own scan number, from 0; a jump is data that the microscope lost."""
    plane: int
    t_start_ns: int
    t_end_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """One sample of the animal's state, at its own rate."""

    kind: ClassVar[str] = "behaviour"
    t_sample_ns: int
    running_cm_s: float
    pupil_diameter_px: float
    pupil_center_px: PairF32


@dataclass(frozen=True, slots=True, eq=False)
class Fluorescence:
    """What the masks gave in one registered scan, before any further step."""

    kind: ClassVar[str] = "fluorescence"
    f_counts: NeuronF32
    neuropil_counts: NeuronF32
    number: int
    t_scan_ns: int
    """Middle of the scan."""
    shift_px: PairF32
    """(row, col) by which the scan was moved back onto the reference."""
    plane: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Activity of all neurons at one frame of the 30 Hz grid, in twin units."""

    kind: ClassVar[str] = "responses"
    activity: NeuronF32
    valid: NeuronBool
    """False where a neuron has no measurement; such a neuron is missing, not silent."""
    frame: int
    t_frame_ns: int
    t_scan_ns: int
    """Middle of the newest scan that was used."""
    t_scan_end_ns: int
    t_received_ns: int
    t_ready_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """One frame of the screen as the decoder sees it, `lag_frames` behind the newest responses."""

    kind: ClassVar[str] = "reconstruction"
    luminance: FrameF32
    """(row, col) grey levels 0..255."""
    uncertainty: FrameF32
    """(row, col) standard deviation in grey levels; zeros where the decoder gives none."""
    frame: int
    t_frame_ns: int
    """When this frame was on the screen."""
    t_scan_ns: int
    t_scan_end_ns: int
    t_received_ns: int
    t_responses_ns: int
    t_ready_ns: int
    lag_frames: int
    steps: int
    objective: float
    warm: bool
    """False while the window still fills."""
    late: bool


@dataclass(frozen=True, slots=True, eq=False)
class DisplayedFrame:
    """One movie frame that was really flipped onto the screen: the truth."""

    kind: ClassVar[str] = "displayed_frame"
    clip: str
    index: int
    luminance: FrameU8
    t_flip_ns: int
    """When its light left the screen: flip time plus the monitor's measured delay."""
    flips: int
    """For how many refreshes the frame before this one stayed on the screen."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How well the reconstruction follows the truth, over the last `window_s`."""

    kind: ClassVar[str] = "score"
    video_r: float
    frame_r: float
    ssim: float
    shift_ms: float
    window_s: float
    n_frames: int
    final: bool
    """True for the one score over the whole run that closes a session."""


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """Messages of one stream that never came; what follows is not made up."""

    kind: ClassVar[str] = "gap"
    stream: str
    first_missing: int
    n_missing: int
    seen_by: str


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """A heartbeat: what a process is doing and its counters since the start."""

    kind: ClassVar[str] = "health"
    state: str
    """starting | ready | running | stopping | failed."""
    detail: str
    counters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """An order to a process, for example `stop` or `freeze`."""

    kind: ClassVar[str] = "command"
    target: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """A decision that goes back to the stimulus or the rig."""

    kind: ClassVar[str] = "trigger"
    name: str
    t_decided_ns: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class ClockProbe:
    """The four times of one clock exchange; see `acquire.clock_map`."""

    kind: ClassVar[str] = "clock_probe"
    t_asked_ns: int
    t_heard_ns: int
    t_answered_ns: int
    t_returned_ns: int


Body = (
    Start
    | End
    | Scan
    | Behaviour
    | Fluorescence
    | Responses
    | Reconstruction
    | DisplayedFrame
    | Score
    | Gap
    | Health
    | Command
    | Trigger
    | ClockProbe
)
BODIES: tuple[type[Body], ...] = (
    Start,
    End,
    Scan,
    Behaviour,
    Fluorescence,
    Responses,
    Reconstruction,
    DisplayedFrame,
    Score,
    Gap,
    Health,
    Command,
    Trigger,
    ClockProbe,
)


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """A body with what the wire adds: who sent it, its number in that stream, and when."""

    source: str
    """The sending process; `source` and the body's kind together name a stream."""
    seq: int
    """Counts from 0 in each stream without a hole."""
    t_ns: int
    """When it was sent."""
    clock: str
    """Name of the clock of `t_ns`; "host" is the decoder host's CLOCK_MONOTONIC."""
    body: Body

    @property
    def stream(self) -> str:
        """Name of the stream, for example `bridge/scan`."""
        return f"{self.source}/{self.body.kind}"


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A message as it came in at this process."""

    message: Stamped
    t_received_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowFrame:
    """All that the decoder is told about one frame of the grid; never sent over a socket."""

    responses: Responses
    behaviour: BehaviourF32
    """(channel,): running in cm/s, pupil diameter in px, pupil centre x and y in px."""
