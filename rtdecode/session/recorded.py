"""A recorded session as arrays over time, read from its log where they are asked for.

Duties: open a session folder in the time that its index takes, give each of its streams, its
events, its trials and what is known of it. Notebook, exports, reports and replays read sessions
with it. It must not compute anything of the data, and never writes.

    session = RecordedSession("sessions/2026-11-30_09-00-00")
    decoded = session.decoded.of_clip("embedded_03").load()
    decoded.values, decoded.t_s
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Trial
from rtdecode.schema.errors import NoSuchStreamError
from rtdecode.schema.messages import Event, Received, Start
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.damage import Damage
from rtdecode.session.layout import session_at, session_with_config
from rtdecode.session.message_index import index_of
from rtdecode.session.reader import LogReader
from rtdecode.session.recorded_facts import (
    RecordedEvent,
    RecordedRois,
    RecordedTrial,
    note_events,
    read_rois,
    session_metadata,
)
from rtdecode.session.recorded_log import Presentation, RecordedLog, unpacked
from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.session_file import kept_wall_clock, wall_clock_of
from rtdecode.session.stream_kinds import STREAM_KINDS

_NS_PER_S = 1e9
_WITHOUT_DECODER = "its config has no decoder"


class RecordedSession:
    """A session that was recorded, complete or not.

    Opening it reads the indices of its log. A log without them, as after a kill of the recorder, is
    read once from its start to its end, and so is one that is being recorded, up to its last flush.
    Only what is asked for is read, without its checksums, which cover a second of all streams at
    once: a value that is damaged is read as it is, and a message that is not valid any more is an
    UnreadableFileError where it is read. `check` and `checked` compare the whole log.

    Parameters
    ----------
    path
        The session folder, or its `log.mcap`.
    checked
        Read the whole log first and compare it with its checksums: what is damaged is then left
        out and stated by `damage`, instead of read as it is.

    Raises
    ------
    MissingFileError
        If there is no log.
    UnreadableFileError
        If the file is not the log of a session.
    """

    def __init__(self, path: str | PathLike[str], *, checked: bool = False) -> None:
        self.layout = session_at(Path(path).expanduser())
        self._index = index_of(self.layout.log, checked=checked)
        self._log = RecordedLog(self.layout.log, self._index)
        self._log.presentations = lambda: self.presentations

    @property
    def folder(self) -> Path:
        """The session folder."""
        return self.layout.folder

    @property
    def name(self) -> str:
        """Name of the session: that of its folder."""
        return self.folder.resolve().name

    @cached_property
    def config(self) -> RunConfig:
        """The resolved config of its run; MissingFileError for a log without its folder."""
        return read_config(session_with_config(self.folder).config)

    @property
    def zero_ns(self) -> int:
        """When the recorder received the first message, from which all times in s count."""
        return self._index.first_ns

    @property
    def seconds(self) -> float:
        """Time from the first to the last message in s."""
        return (self._index.last_ns - self._index.first_ns) / _NS_PER_S

    @property
    def complete(self) -> bool:
        """Whether the log ends as a recorder ends it, and nothing is known to be missing.

        `check` also compares the content of the log with its checksums.
        """
        return self._index.is_indexed and not any(one.loses_messages for one in self._index.damage)

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What is known to be missing from the log; `check` looks for more."""
        return self._index.damage

    @property
    def bytes_read(self) -> int:
        """Bytes of messages that were read from the log since it was opened."""
        return self._log.bytes_read

    def check(self) -> tuple[Damage, ...]:
        """Read the whole log, compare it with its checksums and give what cannot be read."""
        return LogReader(self.layout.log).summary().damage

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of messages by stream of the log, for example `emit/reconstruction`."""
        return {stream: len(places) for stream, places in self._index.places.items()}

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that this session has, as `stream` takes them."""
        held = [name for name, kind in STREAM_KINDS.items() if kind.stream in self._index.places]
        return tuple(held)

    def stream(self, name: str) -> RecordedStream:
        """The stream `name`; NoSuchStreamError where this session has none, naming those it has."""
        kind = STREAM_KINDS.get(name)
        if kind is None or name not in self.streams:
            raise NoSuchStreamError(
                session=self.folder, stream=name, has=self.streams, why=self._why_absent(name)
            )
        return RecordedStream(self._log, kind)

    @property
    def displayed(self) -> RecordedStream:
        """(time, row, col) displayed frames in grey levels, at their flips."""
        return self.stream("displayed")

    @property
    def decoded(self) -> RecordedStream:
        """(time, row, col) reconstructed frames in grey levels, at the middle of their frames."""
        return self.stream("decoded")

    @property
    def uncertainty(self) -> RecordedStream:
        """(time, row, col) posterior standard deviation in grey levels; NaN where not computed."""
        return self.stream("uncertainty")

    @property
    def activity(self) -> RecordedStream:
        """(time, neuron) activity in twin units; NaN where a neuron was not measured."""
        return self.stream("activity")

    @property
    def fluorescence(self) -> RecordedStream:
        """(time, neuron) fluorescence of each ROI before neuropil correction.

        Where several planes are decoded, `of_plane` gives those of one.
        """
        return self.stream("fluorescence")

    @property
    def neuropil(self) -> RecordedStream:
        """(time, neuron) mean of the neuropil ring around each ROI, as `fluorescence`."""
        return self.stream("neuropil")

    @property
    def behaviour(self) -> RecordedStream:
        """(time, channel) running speed in cm/s, pupil diameter and pupil centre in px."""
        return self.stream("behaviour")

    @property
    def scores(self) -> RecordedStream:
        """(time, channel) running video_r, frame_r, ssim and shift in ms."""
        return self.stream("scores")

    @property
    def scans(self) -> RecordedStream:
        """(time, row, col) imaging frames as the microscope delivered them."""
        return self.stream("scans")

    def messages(self, *kinds: str) -> Iterator[Received]:
        """Messages of these kinds, such as `delivery`, in the order of the log."""
        wanted = {
            stream: places
            for stream, places in self._index.places.items()
            if stream.partition("/")[2] in kinds
        }
        found = [
            (places.part[number], places.at[number], stream, number)
            for stream, places in wanted.items()
            for number in range(len(places))
        ]
        with self._index.opened() as messages:
            for _, _, stream, number in sorted(found):
                t_ns = int(wanted[stream].t_logged_ns[number])
                content = messages.content(wanted[stream], number)
                yield Received(unpacked(content, log=self.layout.log), t_ns)

    @cached_property
    def events(self) -> tuple[RecordedEvent, ...]:
        """What happened in the processes, in order; then the notes that were given afterwards."""
        found = (one.message for one in self.messages(Event.kind))
        recorded = [
            RecordedEvent.of(one.body, t_ns=one.t_ns, zero_ns=self.zero_ns)
            for one in found
            if isinstance(one.body, Event)
        ]
        return (*recorded, *note_events(self.layout, self.wall_clock, zero_ns=self.zero_ns))

    @cached_property
    def wall_clock(self) -> WallClock | None:
        """UTC of the session's times; None where it was not recorded, as by earlier releases."""
        starts = (one.message.body for one in self.messages(Start.kind))
        stated = (wall_clock_of(one) for one in starts if isinstance(one, Start))
        return kept_wall_clock(self.layout) or next(filter(None, stated), None)

    @cached_property
    def trials(self) -> tuple[RecordedTrial, ...]:
        """Displayed trials of the protocol; empty without one, see `presentations`."""
        found = (one.message.body for one in self.messages(Trial.kind))
        return tuple(
            RecordedTrial.of(one, zero_ns=self.zero_ns) for one in found if isinstance(one, Trial)
        )

    @cached_property
    def presentations(self) -> tuple[Presentation, ...]:
        """Clips that were displayed, in order; empty without displayed frames."""
        kind = STREAM_KINDS["displayed"]
        if kind.stream not in self._index.places:
            return ()
        heads = self._log.heads(kind)
        return _presentations(heads.coords, heads.t_ns, zero_ns=self.zero_ns)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """Who, when, with which twin and software; see `docs/notebook.md` for its keys."""
        config = self.config if self.layout.config.is_file() else None
        return session_metadata(self, config)

    @cached_property
    def rois(self) -> Mapping[int, RecordedRois]:
        """ROIs of each decoded plane, as kept with the session; empty where none are."""
        return read_rois(self.folder)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete or damaged log"
        lines = [f"<session {self.name}: {self.seconds:.1f} s, {state}>"]
        lines += [f"  {self.stream(name)!r}" for name in self.streams]
        return "\n".join(lines)

    def _why_absent(self, name: str) -> str:
        decoded = {"decoded", "uncertainty", "scores"}
        if name in decoded and self.layout.config.is_file() and self.config.decode is None:
            return _WITHOUT_DECODER
        return ""


def _presentations(
    coords: Mapping[str, Any], t_ns: Any, *, zero_ns: int
) -> tuple[Presentation, ...]:
    """Consecutive frames of one clip; another clip, or an earlier frame of it, begins a new one."""
    clip, index = coords["clip"], coords["index"]
    changes = np.flatnonzero((clip[1:] != clip[:-1]) | (index[1:] <= index[:-1])) + 1
    starts = np.concatenate([[0], changes]).astype(int)
    frame_ns = int(np.median(np.diff(t_ns))) if len(t_ns) > 1 else 0
    found: list[Presentation] = []
    for start, end in zip(starts, [*changes, len(t_ns)], strict=True):
        end_ns = int(t_ns[end]) if end < len(t_ns) else int(t_ns[-1]) + frame_ns
        found.append(
            Presentation(
                clip=str(clip[start]),
                number=sum(one.clip == clip[start] for one in found),
                t_start_ns=int(t_ns[start]),
                t_end_ns=end_ns,
                t_start_s=(int(t_ns[start]) - zero_ns) / _NS_PER_S,
                t_end_s=(end_ns - zero_ns) / _NS_PER_S,
                n_frames=int(end - start),
            )
        )
    return tuple(found)
