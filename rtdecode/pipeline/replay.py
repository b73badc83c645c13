"""Replay of a recorded session through the decoder: same log and twin, same reconstructions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rtdecode.pipeline.calcium_files import mismatch_figure
from rtdecode.pipeline.decoding_stage import assembled
from rtdecode.pipeline.session_begin import twin_facts
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Received, Reconstruction, Responses, Stamped
from rtdecode.session.environment import environment_here
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock, Replay
from rtdecode.session.session_file import recorded_wall_clock, write_session_file

_WAIT_S = 0.5


class _Stamps:
    """Numbers the output of a replayed decoder as its publishers number it live."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._next_seq = clock, dict[str, int]()

    def stamped(self, body: Body) -> Stamped:
        source = "emit" if isinstance(body, Reconstruction) else "decoder"
        seq = self._next_seq.get(body.kind, 0)
        self._next_seq[body.kind] = seq + 1
        return Stamped(source, seq, self._clock.now_ns(), "host", body)


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
    recorded: SessionLayout, into: SessionLayout, *, speed: float | None
) -> ReplayComparison:
    """Decode the scans and behaviour of `recorded` again and record the result in `into`.

    Parameters
    ----------
    speed
        1 replays in real time, None as fast as possible. The result does not depend on it: the
        clock shows the time at which messages were received, and an estimation takes no time.
    """
    config = read_config(recorded.config)
    write_config(config, into.config)
    environment_here().save(into.environment)
    write_session_file(
        into,
        config,
        wall_clock=recorded_wall_clock(recorded),
        twin=twin_facts(config),
        replay_of=recorded.folder.resolve().name,
    )
    clock = RecordedClock()
    parts = assembled(config, detected_by="decoder", clock=clock)
    stamps = _Stamps(clock)
    grid = FrameGrid(config.frame_rate_hz)
    replay = Replay(recorded.log, grid=grid, clock=HostClock(), speed=speed, wanted=_of_a_rig)
    with SessionLock(into), mismatch_figure(into.report):
        recorder = Recorder(
            into.folder,
            flush_s=config.record.flush_s,
            split_mb=config.record.split_mb,
            clock=HostClock(),
        )
        try:
            for batch in _batches(replay, clock):
                made = (stamps.stamped(body) for body in parts.stage.step(batch))
                for message in chain((item.message for item in batch), made):
                    recorder.write(pack(message), message, clock.now_ns())
        finally:
            recorder.close()
            parts.calcium.save(into.folder)
    return _compared(recorded, into)


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


def _batches(replay: Replay, clock: RecordedClock) -> Iterator[Sequence[Received]]:
    while not replay.finished:
        batch = replay.take(_WAIT_S)
        if batch:
            yield clock.follow(batch)
