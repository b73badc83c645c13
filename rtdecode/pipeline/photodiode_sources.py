"""Reads the trace of a photodiode: a file, an LSL stream, or samples in the log of a session.

samples.csv, .tsv, .txt   one column of levels (with a sampling rate), or a column `time_s` of a
                          clock of its own, or `host_ns` of CLOCK_MONOTONIC, and a second column
samples.npy               (sample,) levels, with a sampling rate
samples.wav               the first channel, with the rate of the file
lsl:NAME                  the first channel of an LSL stream, on the host's clock
behaviour:running         samples that the microscope's program sent, on the mapped host's clock
"""

import importlib
import wave
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.photodiode import Trace, TraceClock
from rtdecode.schema.array_files import (
    ContentError,
    array_of_npy,
    damage_named,
    require_regular,
)
from rtdecode.schema.errors import (
    ExtraMissingError,
    MissingOptionError,
    StreamAbsentError,
    StreamMissingError,
    TraceSourceError,
)
from rtdecode.schema.messages import Behaviour
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_NS_PER_S = 1e9
_WHAT, _REMEDY = "photodiode trace", "record the photodiode on the patch while a session runs"
_TEXT = (".csv", ".tsv", ".txt")
_FILES = (*_TEXT, ".npy", ".wav")
_MOST_BYTES = 2 * 1024**3
_CLOCKS = {"host_ns": (TraceClock.HOST, 1), "time_s": (TraceClock.OWN, 1_000_000_000)}
"""First column of a text file with two: its clock, and nanoseconds in its unit."""
LSL, BEHAVIOUR = "lsl:", "behaviour:"
_COLUMNS = {"running": "running_cm_s", "pupil_diameter": "pupil_diameter_px"}
_WAV_TYPES = {1: np.uint8, 2: np.int16, 4: np.int32}


def read_trace(path: Path, *, rate_hz: float | None) -> Trace:
    """The trace in a file.

    Parameters
    ----------
    rate_hz
        Sampling rate in Hz of a file without times.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, or it has other content.
    TraceSourceError, MissingOptionError
        If the file has another suffix, or neither times nor a sampling rate.
    """
    readers: dict[str, Callable[[Path, float | None], Trace]] = dict.fromkeys(_TEXT, _text)
    readers |= {".npy": _npy, ".wav": _wav}
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise TraceSourceError(got=str(path), files=_FILES)
    require_regular(path, what=_WHAT, remedy=_REMEDY)
    with damage_named(path, what=_WHAT, expected=_expected(suffix), remedy=_REMEDY):
        return readers[suffix](path, rate_hz)


def _expected(suffix: str) -> str:
    if suffix in _TEXT:
        return "a column of levels, or a column host_ns or time_s and one of levels"
    return f"a {suffix} file with at least two samples"


def _text(path: Path, rate_hz: float | None) -> Trace:
    if path.stat().st_size > _MOST_BYTES:
        raise ContentError("more than 2 GiB")
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    if not head.strip():
        raise ContentError("an empty first line")
    separator = next((one for one in ",;\t" if one in head), None)
    first, _, others = head.strip().lower().partition(separator or " ")
    named = not _is_number(first)
    if not others:
        level = np.loadtxt(path, skiprows=int(named), ndmin=1, encoding="utf-8-sig")
        return _sampled(level, rate_hz)
    if first not in _CLOCKS:
        raise ContentError(f"a first column named {first!r:.30}")
    clock, unit_ns = _CLOCKS[first]
    # a time in ns exceeds what a float holds exactly
    kinds = np.dtype([("t", np.int64 if unit_ns == 1 else np.float64), ("level", np.float64)])
    columns = np.loadtxt(path, kinds, delimiter=separator, skiprows=1, usecols=(0, 1), ndmin=1)
    t_ns = np.round(columns["t"] * unit_ns).astype(np.int64)
    return _timed(t_ns, columns["level"], clock)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _npy(path: Path, rate_hz: float | None) -> Trace:
    values = array_of_npy(path, what=_WHAT, expected="(sample,) levels", remedy=_REMEDY)
    if values.ndim != 1:
        raise ContentError(f"an array of shape {values.shape}")
    return _sampled(values, rate_hz)


def _wav(path: Path, _rate_hz: float | None) -> Trace:
    try:
        with wave.open(str(path)) as file:
            kind, channels = _WAV_TYPES.get(file.getsampwidth()), file.getnchannels()
            if kind is None:
                raise ContentError(f"samples of {file.getsampwidth()} bytes")
            samples = np.frombuffer(file.readframes(file.getnframes()), kind)
            return _sampled(samples.reshape(-1, channels)[:, 0], float(file.getframerate()))
    except wave.Error as error:
        raise ContentError("no PCM audio") from error


def _sampled(level: NDArray[Any], rate_hz: float | None) -> Trace:
    """A trace without times."""
    if rate_hz is None:
        raise MissingOptionError(option="--rate-hz", needed_for="a trace without times")
    t_ns = np.round(np.arange(len(level)) * (_NS_PER_S / rate_hz)).astype(np.int64)
    return _timed(t_ns, level, TraceClock.OWN)


def _timed(t_ns: NDArray[np.int64], level: NDArray[Any], clock: TraceClock) -> Trace:
    if len(t_ns) < 2:  # noqa: PLR2004 - the fewest that have a rate
        raise ContentError(f"{len(t_ns)} samples")
    levels = level.astype(np.float64)
    if not np.isfinite(levels).all():
        raise ContentError("levels that are not finite")
    if (np.diff(t_ns) <= 0).any():
        raise ContentError("times that do not increase")
    return Trace(t_ns, levels, clock)


def trace_of_session(session: SessionLayout, column: str) -> Trace:
    """The trace in a column of the microscope's samples: `running` or `pupil_diameter`.

    Raises
    ------
    TraceSourceError, StreamMissingError
        If there is no such column, or the log has no samples.
    """
    if column not in _COLUMNS:
        raise TraceSourceError(got=f"{BEHAVIOUR}{column}", files=_FILES)
    stream = LogReader(session.log).messages(lambda name: name.endswith(f"/{Behaviour.kind}"))
    bodies = [one.message.body for one in stream]
    samples = [body for body in bodies if isinstance(body, Behaviour)]
    if not samples:
        remedy = "let the microscope's program send the photodiode as behaviour (docs/rig.md)"
        raise StreamMissingError(log=session.log, what="samples of behaviour", remedy=remedy)
    t_ns = np.array([one.t_sample_ns for one in samples])
    level = np.array([getattr(one, _COLUMNS[column]) for one in samples])
    kept = np.r_[True, np.diff(np.maximum.accumulate(t_ns)) > 0]
    return Trace(t_ns[kept], level[kept], TraceClock.HOST)


class LslTrace:
    """Collects an LSL stream, whose corrected stamps are CLOCK_MONOTONIC, until it is stopped.

    Raises
    ------
    ExtraMissingError
        If mne-lsl is not installed.
    StreamAbsentError
        If no sender of `stream` is found within `wait_s` seconds.
    """

    def __init__(self, stream: str, *, wait_s: float = 10.0) -> None:
        try:
            lsl = importlib.import_module("mne_lsl.lsl")
        except ModuleNotFoundError as error:
            raise ExtraMissingError(package="mne-lsl", extra="lsl") from error
        found = lsl.resolve_streams(timeout=wait_s, name=stream)
        if not found:
            raise StreamAbsentError(stream=stream, waited_s=wait_s)
        self._inlet = lsl.StreamInlet(found[0], processing_flags=["clocksync"])
        self._inlet.open_stream(timeout=wait_s)
        self.count = 0
        """Number of samples so far."""
        self._level: list[NDArray[np.float64]] = []
        self._t_s: list[NDArray[np.float64]] = []

    def collect(self, stop: Event, *, poll_s: float = 0.05) -> None:
        """Collect samples until `stop` is set."""
        while not stop.wait(poll_s):
            values, stamps = self._inlet.pull_chunk(timeout=0.0)
            if len(stamps):
                # copies, because the inlet uses its buffers again
                self._level.append(np.array(values, np.float64).reshape(len(stamps), -1)[:, 0])
                self._t_s.append(np.array(stamps, np.float64))
                self.count += len(stamps)
        self._inlet.close_stream()

    def trace(self) -> Trace:
        """What was collected, in the order of its stamps."""
        t_ns = np.round(np.concatenate([*self._t_s, np.zeros(0)]) * _NS_PER_S).astype(np.int64)
        level = np.concatenate([*self._level, np.zeros(0)])
        kept = np.unique(t_ns, return_index=True)[1]
        return Trace(t_ns[kept], level[kept], TraceClock.HOST)
