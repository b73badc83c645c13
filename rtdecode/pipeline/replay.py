"""Replay of a recorded session through the decoder: same log and twin, same reconstructions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rtdecode.pipeline.calcium_files import mismatch_figure
from rtdecode.pipeline.decoding_stage import assembled
from rtdecode.pipeline.session_begin import twin_facts
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.runtime.run_info import RunInfo, git_revision, versions_here
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Body,
    End,
    Received,
    Reconstruction,
    Responses,
    Stamped,
    Start,
)
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.environment import environment_here
from rtdecode.session.injected_faults import InjectedFaults
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import Conduct, RecordedClock, Replay
from rtdecode.session.session_file import recorded_wall_clock, write_session_file

_WAIT_S = 0.5


class _Stamps:
    """Numbers the output of a replayed decoder as its publishers number it live."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.numbers = clock, StreamNumbers()

    def stamped(self, body: Body, *, source: str = "") -> Stamped:
        source = source or ("emit" if isinstance(body, Reconstruction) else "decoder")
        return self.numbers.stamped(source, body, t_ns=self._clock.now_ns())

    def starts(self, session: SessionLayout, *, twin_hash: str) -> Iterator[Stamped]:
        """START of both sources of a decoder."""
        start = replay_start(session, twin_hash=twin_hash)
        yield from (self.stamped(start, source=source) for source in ("decoder", "emit"))

    def ends(self, session: SessionLayout) -> Iterator[Stamped]:
        """END of both sources of a decoder."""
        for source in ("decoder", "emit"):
            end = End(session.folder.name, "the replay is at its end", self.numbers.last(source))
            yield self.stamped(end, source=source)


class StreamNumbers:
    """Numbers the messages of each stream from 0.

    >>> numbers = StreamNumbers()
    >>> [numbers.stamped("bridge", End("", ""), t_ns=0).seq for _ in range(2)]
    [0, 1]
    """

    def __init__(self) -> None:
        self._next: dict[tuple[str, str], int] = {}

    def stamped(self, source: str, body: Body, *, t_ns: int) -> Stamped:
        """`body` as the next message of its stream, sent at `t_ns`."""
        seq = self._next.get((source, body.kind), 0)
        self._next[source, body.kind] = seq + 1
        return Stamped(source, seq, t_ns, "host", body)

    def last(self, source: str) -> dict[str, int]:
        """Last number of each kind that `source` sent."""
        return {kind: n - 1 for (known, kind), n in self._next.items() if known == source}


def replay_start(session: SessionLayout, *, twin_hash: str = "") -> Start:
    """START of a source of the replay that is recorded in `session`."""
    text = session.config.read_text(encoding="utf-8")
    info = RunInfo(session.folder.name, git_revision(), text, versions_here())
    return info.start(twin_hash=twin_hash)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is replayed."""

    name: str
    """Name of the session, or of the data set."""
    wall_clock: WallClock | None
    """UTC at an instant of the times of its messages; of a data set the start of the replay."""
    is_data: bool = False
    """Whether it is a data set, whose replay has START and END of the decoder, with its twin."""


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """What makes a replay differ from the live run: the work on its frames, and its ROIs."""

    frames: int
    """Frames that were emitted both live and in the replay."""
    fewer_live: int
    """Of them, those whose estimate had fewer steps live, for lack of time."""
    shed_live: int
    """Frames that the live decoder left out because it was overloaded."""
    rois_live: str
    rois_replayed: str
    """Content hashes of the ROIs; empty if unknown."""

    def sentences(self) -> list[str]:
        """State the differences; nothing where there is none."""
        stated = []
        if self.fewer_live:
            stated.append(
                f"{self.fewer_live:,} of {self.frames:,} frames had fewer solver steps live, for "
                "lack of time: they differ from the replay, and so can later ones."
            )
        if self.shed_live:
            stated.append(
                f"{self.shed_live:,} frames were left out live, as the decoder was overloaded: the "
                "replay has them."
            )
        if self.rois_live and self.rois_replayed and self.rois_live != self.rois_replayed:
            stated.append(
                f"The ROIs of the replay (content hash {self.rois_replayed}) are not those of the "
                f"live decoder ({self.rois_live}): their neurons have other numbers."
            )
        return stated


def replay_session(
    recorded: SessionLayout,
    into: SessionLayout,
    *,
    speed: float | None = None,
    config: RunConfig | None = None,
    conduct: Conduct | None = None,
) -> ReplayComparison:
    """Decode the scans and behaviour of `recorded` again and record the result in `into`.

    Parameters
    ----------
    speed
        As `Conduct` has it, where that is not given.
    config
        Settings of the replay; those of the session by default.
    conduct
        Speed, faults and progress. What was replayed before a stop is kept.
    """
    conduct = conduct or Conduct(speed=speed)
    config = config or read_config(recorded.config)
    grid = FrameGrid(config.frame_rate_hz)
    replay = Replay(
        recorded.log,
        grid=grid,
        clock=HostClock(),
        speed=conduct.speed,
        wanted=_of_a_rig,
        altered=conduct.faults.step,
    )
    record_decoded(
        config,
        _batches(replay),
        into,
        conduct,
        span_ns=LogReader(recorded.log).span_ns(),
        origin=Origin(recorded.folder.resolve().name, recorded_wall_clock(recorded)),
    )
    return _compared(recorded, into)


def record_decoded(
    config: RunConfig,
    batches: Iterator[Sequence[Received]],
    into: SessionLayout,
    conduct: Conduct,
    *,
    span_ns: tuple[int, int],
    origin: Origin,
) -> None:
    """Decode `batches` of a rig's messages as the live decoder does, and record both in `into`.

    Parameters
    ----------
    span_ns
        Times of the first and the last message.
    origin
        What is replayed, for the record of the new session.
    """
    write_config(config, into.config)
    environment_here().save(into.environment)
    write_session_file(
        into,
        config,
        wall_clock=origin.wall_clock,
        twin=twin_facts(config),
        replay_of=origin.name,
    )
    clock = RecordedClock()
    parts = assembled(config, detected_by="decoder", clock=clock)
    with SessionLock(into), mismatch_figure(into.report):
        recorder = Recorder(
            into.folder,
            flush_s=config.record.flush_s,
            split_mb=config.record.split_mb,
            # its own messages, as gaps, have times of the recording
            clock=clock,
        )
        log = _ReplayLog(recorder, clock)
        begins = log.stamps.starts(into, twin_hash=parts.twin_hash) if origin.is_data else ()
        try:
            for batch in batches:
                if conduct.stop.is_set():
                    break
                clock.follow(batch)
                log.record(begins)
                begins = ()
                made = (log.stamps.stamped(body) for body in parts.stage.step(batch))
                log.record(chain((item.message for item in batch), made))
                conduct.report((clock.now_ns() - span_ns[0]) / 1e9, (span_ns[1] - span_ns[0]) / 1e9)
            if not conduct.stop.is_set():
                conduct.report(*((span_ns[1] - span_ns[0]) / 1e9 for _ in range(2)))
            log.record(log.stamps.ends(into) if origin.is_data else ())
            if conduct.faults.is_active:
                log.record_faults(conduct.faults)
        finally:
            recorder.close()
            parts.calcium.save(into.folder)


class _ReplayLog:
    """The log of a replay, with the messages of its decoder."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self.stamps = _Stamps(clock)

    def record(self, messages: Iterable[Stamped]) -> None:
        """Record `messages` as received now."""
        for message in messages:
            self._recorder.write(pack(message), message, self._clock.now_ns())

    def record_faults(self, faults: InjectedFaults) -> None:
        """Record what was injected; lost last messages are then found missing too."""
        for source, last_seq in faults.last_seq.items():
            self._recorder.expect_last(source, last_seq)
        self.record([self.stamps.stamped(faults.event(), source="replay")])


def _compared(live: SessionLayout, replayed: SessionLayout) -> ReplayComparison:
    before, after = _frames(live), _frames(replayed)
    both = before.keys() & after.keys()
    fewer = sum(before[frame][0] < after[frame][0] for frame in both)
    shed = sum(shed for _, shed in before.values())
    return ReplayComparison(len(both), fewer, shed, _rois_hash(live), _rois_hash(replayed))


def _frames(session: SessionLayout) -> dict[int, tuple[int, int]]:
    """Solver steps of each emitted frame, and frames that were left out just before it."""
    log = LogReader(session.log).messages(lambda stream: stream == "emit/reconstruction")
    bodies = (item.message.body for item in log)
    frames = (body for body in bodies if isinstance(body, Reconstruction))
    return {body.frame: (body.steps, body.frames_shed) for body in frames}


def _rois_hash(session: SessionLayout) -> str:
    """Content hash of the ROIs of the first responses; empty where there are none."""
    log = LogReader(session.log).messages(lambda stream: stream == "decoder/responses")
    body = next((item.message.body for item in log), None)
    return body.rois_hash if isinstance(body, Responses) else ""


def _of_a_rig(stream: str) -> bool:
    """Whether microscope or stimulus sent it; heartbeats too, so that the copy is complete."""
    return stream.partition("/")[0] in ("bridge", "stimulus")


def _batches(replay: Replay) -> Iterator[Sequence[Received]]:
    while not replay.finished:
        if batch := replay.take(_WAIT_S):
            yield batch
