"""The fault matrix: what is done to which process of a run, and what must be reported of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

Event = tuple[str, str]
"""Process and code of an event."""


class Fault(StrEnum):
    """What is done while the run is live."""

    NONE = "none"
    KILL = "kill"
    STOP = "stop"
    HANG = "hang"
    HANG_AT_START = "hang_at_start"
    DISK_FULL = "disk_full"
    SLOW_DISK = "slow_disk"
    FORWARDED = "forwarded"
    RIG = "rig"
    CPU_HOG = "cpu_hog"


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault, and what follows from it."""

    name: str
    fault: Fault
    process: str
    """The process that it happens to, or whose messages it happens to."""
    done: str
    """What is done, as a phrase for the table."""
    seconds: float = 0.0
    """Duration of a stop."""
    detail: str = ""
    """Fault of the rig program, or of the forwarder."""
    stream: str = ""
    """Stream that the forwarder touches."""
    subscriber: str = ""
    """Process that must state what it missed of it."""
    exit_code: int = 0
    events: Mapping[Event, Mapping[str, float] | None] = field(default_factory=dict)
    """Events that must be reported, with the sums of their counts; None where these depend on the
    moment."""
    permitted: frozenset[Event] = frozenset()
    """Events that may be reported besides, depending on the moment."""
    lost_scans: int = 0
    """Scans that the rig skipped."""
    left_out: int = 0
    """Scans that the bridge must leave out."""
    set_aside: int = 0
    """Those of them whose own number is missing in the log, which is no loss of the microscope."""
    records_all: bool = True
    """Whether every scan that the rig sent must be in the log."""
    accounts_for_all: bool = True
    """Whether every scan that the rig sent must be in the log or counted as lost."""
    decodes_all: bool = False
    """Whether every scan of the log must have been decoded."""
    short: bool = False
    """Whether `make test` has it too."""


RESTARTED = "process_restarted"
MODULES = {
    "recorder": "rtdecode.pipeline.recorder",
    "stimulus": "stimulus",
    "bridge": "acquisition_bridge",
    "decoder": "rtdecode.pipeline.decoder",
    "evaluate": "rtdecode.pipeline.evaluate",
    "view": "rtdecode.pipeline.view",
}
STOP_S = (5.0, 20.0)
_FED_BY_DECODER_ALONE = ("stimulus", "evaluate", "view")
_STATES_ITS_PAUSE = ("bridge", "stimulus")


def _once(process: str) -> dict[Event, Mapping[str, float] | None]:
    """Events of a restart; bridge and stimulus state how long nothing came as well."""
    own = {(process, f"{process}_restarted"): None} if process in _STATES_ITS_PAUSE else {}
    return {(process, RESTARTED): {"restarts": 1}, **own}


def _process_cells(process: str) -> list[Cell]:
    """Kill, stops and hang of one process that is started again."""
    holds_scans = process == "bridge"
    restarted = Cell(
        f"kill_{process}",
        Fault.KILL,
        process,
        "killed (SIGKILL)",
        events=_once(process),
        permitted=frozenset(
            {(process, "held_messages_lost"), *([("bridge", "scans_lost")] if holds_scans else [])}
        ),
        records_all=not holds_scans,
        decodes_all=process in _FED_BY_DECODER_ALONE,
        short=process == "decoder",
    )
    later = replace(restarted, short=False)
    stopped = [
        replace(
            later,
            name=f"stop_{seconds:.0f}_s_{process}",
            fault=Fault.STOP,
            done=f"stopped for {seconds:.0f} s (SIGSTOP)",
            seconds=seconds,
        )
        for seconds in STOP_S
    ]
    # a process that sends no heartbeat for 15 s is killed and started again, and no other
    stalls = {_STALLED_SCREEN: None, _MISSED_FLIP: None} if process == "stimulus" else {}
    waited = {"events": stalls, "permitted": frozenset(), "records_all": True, "decodes_all": True}
    hung = replace(later, name=f"hang_{process}", fault=Fault.HANG, done="hangs for good")
    return [restarted, replace(stopped[0], **waited), stopped[1], hung]


_STALLED = ("recorder", "recorder_stalled")
_RESUMED = ("recorder", "recorder_resumed")
_STALLED_SCREEN = ("stimulus", "screen_stalled")
_MISSED_FLIP = ("stimulus", "flip_missed")
_SATURATED = ("supervisor", "processor_saturated")
_SHED = frozenset({("decoder", "rate_shed"), ("decoder", "overloaded")})
OF_A_BUSY_MACHINE = _SHED | {_STALLED, _RESUMED, _STALLED_SCREEN, _MISSED_FLIP, _SATURATED}
"""Events that a busy machine may cause in any cell."""
_RECORDER_ENDS = Cell(
    "kill_recorder",
    Fault.KILL,
    "recorder",
    "killed (SIGKILL)",
    exit_code=1,
    records_all=False,
    accounts_for_all=False,
    short=True,
)
_RECORDER_STALLS = Cell(
    "slow_disk",
    Fault.SLOW_DISK,
    "recorder",
    "stopped for 2 s of every 3 s, five times, as by a slow disk",
    decodes_all=True,
)
_RECORDER = [
    _RECORDER_ENDS,
    *(
        replace(
            _RECORDER_STALLS,
            name=f"stop_{seconds:.0f}_s_recorder",
            fault=Fault.STOP,
            done=f"stopped for {seconds:.0f} s (SIGSTOP)",
            seconds=seconds,
            events={_STALLED: {}, _RESUMED: None},
        )
        for seconds in STOP_S
    ),
    replace(
        _RECORDER_ENDS,
        name="hang_recorder",
        fault=Fault.HANG,
        done="hangs for good",
        exit_code=3,
        short=False,
    ),
    replace(
        _RECORDER_ENDS,
        name="disk_full",
        fault=Fault.DISK_FULL,
        done="another program fills the disk",
        events={("recorder", "disk_full"): None},
        permitted=frozenset({("recorder", "disk_low"), ("recorder", "disk_short")}),
        short=False,
    ),
    _RECORDER_STALLS,
]


_ON_THE_WAY = {
    "loss": "1 % of the messages lost",
    "duplicates": "1 % of the messages sent twice",
    "reordered": "1 % of the messages after their successor",
}


def _forwarded(process: str, stream: str, detail: str, *, to: str) -> Cell:
    subscriber = to.partition(" ")[0]
    return Cell(
        f"{detail}_{process}_to_{subscriber}",
        Fault.FORWARDED,
        process,
        f"{_ON_THE_WAY[detail]} on the way of {stream} to {to}",
        detail=detail,
        stream=stream,
        subscriber=subscriber,
        # a scan that comes after its successor is too late for the decoder
        decodes_all=detail == "duplicates" or subscriber != "decoder",
    )


_FORWARDED = [
    *(_forwarded("bridge", "bridge/scan", one, to="decoder") for one in _ON_THE_WAY),
    *(
        _forwarded("decoder", "emit/reconstruction", one, to="evaluate and view")
        for one in _ON_THE_WAY
    ),
    _forwarded("stimulus", "stimulus/displayed_frame", "loss", to="evaluate and view"),
]


# its number is missing until it comes, and stays counted as lost
_LOSS_OF_OLD: Mapping[str, Mapping[Event, Mapping[str, float]]] = {
    "scan_old": {("bridge", "scans_lost"): {"scans": 1}}
}


def _rig(name: str, done: str, event: str, counts: Mapping[str, float], **more: int) -> Cell:
    return Cell(
        name,
        Fault.RIG,
        "bridge",
        done,
        detail=name,
        events={("bridge", event): counts, **_LOSS_OF_OLD.get(name, {})},
        decodes_all=True,
        short=name == "scans_lost",
        **more,  # type: ignore[arg-type]
    )


_RIG = [
    _rig("scans_lost", "the rig skips 60 numbers", "scans_lost", {"scans": 60}, lost_scans=60),
    _rig("scan_twice", "the rig sends a scan twice", "scans_repeated", {"scans": 1}, left_out=1),
    _rig(
        "scan_old",
        "the rig sends a scan after its successor",
        "scans_old",
        {"scans": 1},
        left_out=1,
        lost_scans=1,
    ),
    _rig(
        "number_glitch",
        "one scan has the number 1,000,000,000",
        "number_implausible",
        {"scans": 1},
        left_out=1,
        set_aside=1,
    ),
    _rig(
        "numbers_restart",
        "the rig's numbers begin anew at 0",
        "numbers_restarted",
        {"restarts": 1},
    ),
    _rig(
        "stamp_ahead", "one stamp lies 10 s ahead of the rig's clock", "stamps_implausible",
        {"stamps": 1},
    ),
    _rig("stamp_behind", "one stamp lies 10 s behind", "stamps_implausible", {"stamps": 1}),
    _rig(
        "stamp_year",
        "one stamp lies a year ahead of the host's clock",
        "stamps_implausible",
        {"stamps": 1},
    ),
    _rig("clock_restart", "the rig's clock begins anew at 0", "clock_restarted", {"restarts": 1}),
    _rig("clock_jump", "the rig's clock is set 10 s ahead", "clock_restarted", {"restarts": 1}),
    _rig("no_message", "the rig sends bytes that are no message", "message_refused",
         {"messages": 1}),
]  # fmt: skip

CELLS = (
    Cell("no_fault", Fault.NONE, "none", "nothing", decodes_all=True),
    *_RECORDER,
    *(cell for name in MODULES if name != "recorder" for cell in _process_cells(name)),
    Cell(
        "hang_at_start_decoder",
        Fault.HANG_AT_START,
        "decoder",
        "killed (SIGKILL), and hangs before its first heartbeat when it is started again",
        events={("decoder", RESTARTED): {"restarts": 2}},
    ),
    *_FORWARDED,
    *_RIG,
    Cell(
        "cpu_hog",
        Fault.CPU_HOG,
        "none",
        "another program computes for 20 s, with two processes for each processor",
        seconds=20.0,
        events={_SATURATED: None},
        decodes_all=True,
    ),
)
"""All cells, in the order of the table."""
