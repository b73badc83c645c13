"""Writes traces, displayed clips and behaviour of another program as a session of rtdecode.

The traces pass through the online calcium chain of a live run, so that activity is causal and in
the units that a live run has. The result is read by everything that reads a session.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.roi_chain import RoiChain
from rtdecode.datasets.stimulus_log import DisplayedImage
from rtdecode.datasets.suite2p_traces import RoiTraces
from rtdecode.datasets.timed_table import increasing_times, numbers, read_table
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import AcquisitionConfig, ZmqNativeSource
from rtdecode.schema.config.calcium import CALIBRATION_FILE, CalciumConfig
from rtdecode.schema.errors import TooShortError, UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    End,
    Event,
    Fluorescence,
    Received,
    Stamped,
    Start,
)
from rtdecode.session.environment import environment_here
from rtdecode.session.layout import SessionLayout, SessionLock, named_session
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock

FRAME_RATE_HZ = 30.0
_WHAT = "behaviour file"
_COLUMNS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")
_NS_PER_S = 1_000_000_000
_MARGIN_S = 1.0
_NO_SHIFT = np.zeros(2, np.float32)
_SOURCES = ("bridge", "stimulus", "decoder")


@dataclass(frozen=True, slots=True, eq=False)
class ImportedRecording:
    """One recording, with all times in s on one clock."""

    traces: RoiTraces
    images: Callable[[], Iterable[DisplayedImage]]
    """Gives the displayed images in order of time."""
    behaviour: Sequence[tuple[float, Behaviour]] = ()
    """Times in s, and samples whose own time is not set yet."""


@dataclass(frozen=True, slots=True)
class ImportedCounts:
    """What was written."""

    scans: int
    neurons: int
    frames: int
    """Displayed images."""
    seconds: float


def read_behaviour(path: Path) -> list[tuple[float, Behaviour]]:
    """Samples in a table with the column `t_s` and at least one of running and pupil.

    The columns are running_cm_s, pupil_diameter_px, pupil_x_px and pupil_y_px; one that is missing
    is 0.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, or it has other content; the message names the line.
    """
    table = read_table(path, what=_WHAT, needed=("t_s",))
    if not any(name in table for name in _COLUMNS):
        raise UnreadableFileError(
            what=_WHAT, path=path, expected=f"one of the columns {', '.join(_COLUMNS)}", got="none"
        )
    t_s = increasing_times(table["t_s"], path=path, what=_WHAT)
    nothing = np.zeros(len(t_s))
    columns = [
        numbers(table[name], column=name, path=path, what=_WHAT) if name in table else nothing
        for name in _COLUMNS
    ]
    return [
        (float(time_s), Behaviour(0, float(run), float(wide), np.array([x, y], np.float32)))
        for time_s, run, wide, x, y in zip(t_s, *columns, strict=True)
    ]


def import_session(
    recording: ImportedRecording,
    out: Path,
    *,
    calcium: CalciumConfig,
    report: Callable[[float], None],
) -> ImportedCounts:
    """Write `recording` as a session into the new folder `out`.

    Parameters
    ----------
    calcium
        Settings of the calcium chain. The first `calibration_s` seconds of the traces calibrate it,
        and activity is valid from the first scan on.
    report
        Called with the fraction of the traces that is done.

    Raises
    ------
    TooShortError
        If the traces are shorter than the calibration; nothing is written then.
    SessionExistsError, SecondInstanceError, UnreadableFileError
        If `out` cannot be a new session folder.
    """
    config = RunConfig(
        frame_rate_hz=FRAME_RATE_HZ,
        acquisition=AcquisitionConfig(
            source=ZmqNativeSource(scan_rate_hz=recording.traces.scan_rate_hz)
        ),
        calcium=calcium.model_copy(update={"rois_from_source": True}),
        decode=None,
    )
    calibration = _calibration(recording.traces, config)
    into = named_session(out)
    write_config(config, into.config)
    environment_here().save(into.environment)
    calibration.save(into.folder / CALIBRATION_FILE)
    with SessionLock(into):
        written = _Written(into, config)
        try:
            return written.all_of(recording, calibration, report)
        finally:
            written.recorder.close()


def _calibration(traces: RoiTraces, config: RunConfig) -> Calibration:
    """The calibration of a run of the first scans."""
    chain = _chain(config, None, RecordedClock())
    for number in range(len(traces.t_s)):
        t_ns = round(float(traces.t_s[number] - traces.t_s[0]) * _NS_PER_S)
        body = _fluorescence(traces, number, t_ns)
        for _ in chain.step([Received(Stamped("bridge", number, t_ns, "host", body), t_ns)]):
            pass
        if chain.calibration is not None:
            return chain.calibration
    raise TooShortError(
        what="the recording",
        frames=len(traces.t_s),
        needed=round(config.calcium.calibration_s * traces.scan_rate_hz) + 1,
    )


def _chain(config: RunConfig, calibration: Calibration | None, clock: RecordedClock) -> RoiChain:
    return RoiChain(
        config.calcium,
        grid=FrameGrid(config.frame_rate_hz),
        scan_rate_hz=None,
        calibration=calibration,
        target=None,
        clock=clock,
    )


def _fluorescence(traces: RoiTraces, number: int, t_ns: int) -> Fluorescence:
    return Fluorescence(traces.f_raw[number], traces.f_neuropil[number], number, t_ns, _NO_SHIFT)


@dataclass(slots=True)
class _Written:
    """The log while it is written, with the clock of the recording."""

    session: SessionLayout
    config: RunConfig
    clock: RecordedClock = field(default_factory=RecordedClock)
    seq: Counter[str] = field(default_factory=Counter)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.session.folder,
            flush_s=self.config.record.flush_s,
            split_mb=self.config.record.split_mb,
            clock=self.clock,
        )

    def all_of(
        self,
        recording: ImportedRecording,
        calibration: Calibration,
        report: Callable[[float], None],
    ) -> ImportedCounts:
        """Write all messages in order of time."""
        traces, frames = recording.traces, 0
        chain = _chain(self.config, calibration, self.clock)
        origin_s = _origin_s(recording)
        for source in _SOURCES:
            self.send(source, Start(self.session.folder.name, "", "", ""), 0)
        for time_s, body in heapq.merge(
            _scans(traces), _images(recording), recording.behaviour, key=lambda item: item[0]
        ):
            t_ns = round((time_s - origin_s) * _NS_PER_S)
            message = self.send(*_at(body, t_ns), t_ns)
            frames += isinstance(body, DisplayedFrame)
            if isinstance(body, Fluorescence):
                for made in chain.step([Received(message, t_ns)]):
                    self.send("decoder", made, t_ns)
                report((body.number + 1) / len(traces.t_s))
        for source in _SOURCES:
            self.send(source, self._end(source), self.clock.now_ns())
        seconds = float(traces.t_s[-1] - traces.t_s[0])
        return ImportedCounts(len(traces.t_s), traces.f_raw.shape[1], frames, seconds)

    def send(self, source: str, body: Body | Event, t_ns: int) -> Stamped:
        """Write the next message of `source`."""
        stream = f"{source}/{body.kind}"
        message = Stamped(source, self.seq[stream], t_ns, "host", body)
        self.seq[stream] += 1
        self.clock.sleep_until(t_ns)
        self.recorder.write(pack(message), message, t_ns)
        return message

    def _end(self, source: str) -> End:
        sent = {
            stream.partition("/")[2]: count - 1
            for stream, count in self.seq.items()
            if stream.startswith(f"{source}/")
        }
        return End(self.session.folder.name, "imported", sent)


def _origin_s(recording: ImportedRecording) -> float:
    """Time of the recording at which the session begins: before anything that was measured."""
    firsts = [float(recording.traces.t_s[0])]
    firsts += [time_s for time_s, _ in recording.behaviour[:1]]
    firsts += [image.t_s for image in _first(recording.images())]
    return min(firsts) - _MARGIN_S


def _first(images: Iterable[DisplayedImage]) -> Iterator[DisplayedImage]:
    for image in images:
        yield image
        return


def _scans(traces: RoiTraces) -> Iterator[tuple[float, Body]]:
    for number, time_s in enumerate(traces.t_s.tolist()):
        yield time_s, _fluorescence(traces, number, 0)


def _images(recording: ImportedRecording) -> Iterator[tuple[float, Body]]:
    for number, image in enumerate(recording.images()):
        yield (
            image.t_s,
            DisplayedFrame(image.clip, image.index, image.luminance, 0, 1, number=number),
        )


def _at(body: Body, t_ns: int) -> tuple[str, Body]:
    """The source of `body`, and `body` with the time `t_ns` of the session."""
    match body:
        case Fluorescence():
            return "bridge", replace(body, t_scan_ns=t_ns)
        case DisplayedFrame():
            return "stimulus", replace(body, t_flip_ns=t_ns)
        case Behaviour():
            return "bridge", replace(body, t_sample_ns=t_ns)
    raise TypeError(type(body).__name__)
