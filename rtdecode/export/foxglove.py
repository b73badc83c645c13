"""Writes a recorded session as an MCAP file for Foxglove and other viewers of its schemas.

Duties: give pictures as `foxglove.RawImage`, events and notes as `foxglove.Log` (both protobuf),
and scores, latencies, behaviour and clips as JSON with a schema, all in the order of their times.
Displayed and decoded frame, error and uncertainty of one moment have the same time. All times are
those of the wall clock, because a viewer shows them on one axis. It must not compute anything of
the data.

    write_foxglove(RecordedSession("sessions/2026-11-30_09-00-00"), Path("session.mcap"))
"""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.latency import stage_latencies_ms
from rtdecode.export.colours import error_rgb, grey_rgb, uncertainty_rgb
from rtdecode.export.foxglove_file import FoxgloveFile
from rtdecode.export.moments import Moments
from rtdecode.export.span import Span, blocks
from rtdecode.schema.errors import NoSuchStreamError
from rtdecode.schema.messages import Gap, Reconstruction
from rtdecode.session.notes import later_notes
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.session_file import recorded_wall_clock

_FIELD_HZ = 2.0
"""Scans a second that are written as field of view."""
_CONTRAST = (1.0, 99.7)
"""Percentiles of the first scan that are shown black and white."""
_UNKNOWN_START_NS = 3_600_000_000_000
"""Time of the first message where the wall clock is not known: 1970-01-01 01:00 UTC."""
_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_WHOLE = Span()


class Entry(NamedTuple):
    """One message of the file, which writes itself."""

    t_s: float
    """Its time in s since the first message of the session."""
    topic: str
    write: Callable[[FoxgloveFile, int], None]
    """Writes it at a time in ns of the wall clock."""


def write_foxglove(
    session: RecordedSession,
    out: Path,
    *,
    span: Span = _WHOLE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Write `session` into the new file `out`, and give sentences on what the file lacks.

    Parameters
    ----------
    span
        Part of the session.
    progress
        Called with the number of messages that were written, and of about all that will be.

    Raises
    ------
    ExtraMissingError
        If packages of Foxglove are not installed (extra `foxglove`).
    NoSuchStreamError
        If the session has neither displayed frames nor reconstructions.
    TimeSpanError
        If nothing was displayed or decoded in `span`.
    """
    if not {"displayed", "decoded"} & set(session.streams):
        what = "displayed and no decoded frames"
        raise NoSuchStreamError(session=session.folder, stream=what, has=session.streams)
    clock = recorded_wall_clock(session.layout)
    start_ns = _UNKNOWN_START_NS
    if clock is not None:
        start_ns = clock.utc_ns + session.zero_ns - clock.t_ns
    moments = Moments(session, span)
    sources = (
        _pictures(moments),
        *_fields(session, span),
        *(_values(span.of(session.stream(name)), topic) for name, topic in _streams_of(session)),
        _latencies(session, span),
        _clips(session, span),
        _log(session, span),
    )
    total = _about_all(session, moments, span)
    with FoxgloveFile(out) as file:
        for done, entry in enumerate(heapq.merge(*sources, key=lambda one: one.t_s), start=1):
            entry.write(file, start_ns + round(entry.t_s * _NS_PER_S))
            progress(done, max(done, total))
        file.state(session.name, dict(session.metadata))
    return _lacking(session, is_timed=clock is not None)


def _about_all(session: RecordedSession, moments: Moments, span: Span) -> int:
    """About the number of messages of the file."""
    # decoded frame, error, uncertainty and latency
    of_decoded = ("decoded",) * 4
    names = [one for one in (*of_decoded, "scores", "behaviour") if one in session.streams]
    return len(moments) + sum(len(span.of(session.stream(name))) for name in names)


def _lacking(session: RecordedSession, *, is_timed: bool) -> list[str]:
    lacks = ["It lacks activity and fluorescence of the neurons."]
    if not is_timed:
        lacks.append("The wall clock is not known: times count from 1970-01-01 01:00 UTC.")
    absent = [name for name in ("displayed", "decoded", "scores") if name not in session.streams]
    if absent:
        lacks.append(f"The session has no {', no '.join(absent)}.")
    return lacks


def _streams_of(session: RecordedSession) -> Iterator[tuple[str, str]]:
    """Streams that are written as numbers, and their topics."""
    topics = {"scores": "/score", "behaviour": "/behaviour"}
    return ((name, topic) for name, topic in topics.items() if name in session.streams)


def _picture(topic: str, pixels: NDArray[np.uint8], t_s: float) -> Entry:
    return Entry(t_s, topic, lambda file, t_ns: file.image(topic, pixels, t_ns))


def _number(topic: str, values: dict[str, Any], t_s: float) -> Entry:
    return Entry(t_s, topic, lambda file, t_ns: file.values(topic, values, t_ns))


def _sentence(t_s: float, severity: str, process: str, text: str) -> Entry:
    return Entry(t_s, "/log", lambda file, t_ns: file.log(severity, process, text, t_ns))


def _pictures(moments: Moments) -> Iterator[Entry]:
    """Pictures of each frame of the grid, at its middle."""
    for one in moments:
        displayed, decoded = one.displayed, one.decoded
        if displayed is not None:
            yield _picture("/displayed", displayed, one.t_s)
        if decoded is not None:
            yield _picture("/decoded", grey_rgb(decoded)[..., 0], one.t_s)
        if displayed is not None and decoded is not None and displayed.shape == decoded.shape:
            yield _picture("/error", error_rgb(displayed, decoded), one.t_s)
        if one.uncertainty is not None:
            yield _picture("/uncertainty", uncertainty_rgb(one.uncertainty), one.t_s)


def _fields(session: RecordedSession, span: Span) -> Iterator[Iterator[Entry]]:
    """The field of view of each plane, about twice a second."""
    if "scans" not in session.streams:
        return
    scans = span.of(session.scans)
    planes = np.unique(scans.coords["plane"][1]) if len(scans) else ()
    for plane in planes:
        topic = "/field_of_view" if len(planes) == 1 else f"/field_of_view/plane_{plane}"
        yield _field(scans.of_plane(int(plane)), topic)


def _field(scans: RecordedStream, topic: str) -> Iterator[Entry]:
    rate_hz = scans.rate_hz
    step = max(1, round(rate_hz / _FIELD_HZ)) if np.isfinite(rate_hz) else 1
    low = high = 0.0
    for block in blocks(scans[::step], size=8):
        if high <= low:
            low, high = np.percentile(block.values[0], _CONTRAST)
            high = max(high, low + 1)
        for counts, t_s in zip(block.values, block.t_s, strict=True):
            bytes_ = np.clip((counts - low) / (high - low), 0, 1) * 255
            yield _picture(topic, bytes_.astype(np.uint8), float(t_s))


def _values(stream: RecordedStream, topic: str) -> Iterator[Entry]:
    """Channels of a stream by name."""
    names = [str(name) for name in stream.coords["channel"][1]]
    for block in blocks(stream):
        for row, t_s in zip(block.values.tolist(), block.t_s.tolist(), strict=True):
            yield _number(topic, dict(zip(names, row, strict=True)), t_s)


def _latencies(session: RecordedSession, span: Span) -> Iterator[Entry]:
    """Latency of each stage in ms, at the frame that was decoded."""
    found = list[Entry]()
    for one in session.messages(Reconstruction.kind):
        body = one.message.body
        if isinstance(body, Reconstruction):
            t_s = (body.t_frame_mid_ns - session.zero_ns) / _NS_PER_S
            pacing_ms = (one.message.t_ns - body.t_ready_ns) / _NS_PER_MS
            spans = {**stage_latencies_ms(body), "pacing": pacing_ms}
            values = {f"{name}_ms": value for name, value in spans.items()}
            found += [_number("/latency", values, t_s)] if span.holds(t_s) else []
    yield from sorted(found, key=lambda entry: entry.t_s)


def _clips(session: RecordedSession, span: Span) -> Iterator[Entry]:
    """The clip at the begin of each presentation."""
    for one in session.presentations:
        if span.holds(one.t_start_s):
            yield _number("/clip", {"clip": one.clip, "frames": one.n_frames}, one.t_start_s)


def _log(session: RecordedSession, span: Span) -> Iterator[Entry]:
    """Events, notes and missing messages; notes after the end of the session stand at its end."""
    # notes that were given afterwards are no process's, and may be of another day
    events = [one for one in session.events if one.process and span.holds(one.t_s)]
    found = [_sentence(one.t_s, one.severity, one.process, one.text) for one in events]
    for one in session.messages(Gap.kind):
        gap, t_s = one.message.body, (one.message.t_ns - session.zero_ns) / _NS_PER_S
        if isinstance(gap, Gap) and span.holds(t_s):
            text = f"{gap.n_missing} messages of {gap.stream} are missing"
            found.append(_sentence(t_s, "warning", gap.detected_by, text))
    if span.is_whole:
        notes = later_notes(session.layout)
        found += [_sentence(session.seconds, "info", "note", one.sentence()) for one in notes]
    yield from sorted(found, key=lambda entry: entry.t_s)
