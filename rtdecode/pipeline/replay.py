"""Replay of a recorded session through the decoder: same log and twin, same reconstructions."""

from collections.abc import Iterator, Sequence
from itertools import chain

from rtdecode.pipeline.calcium_files import mismatch_figure
from rtdecode.pipeline.decoding_stage import assembled
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Received, Reconstruction, Stamped
from rtdecode.session.environment import environment_here
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock, Replay

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


def replay_session(recorded: SessionLayout, into: SessionLayout, *, speed: float | None) -> None:
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
    clock = RecordedClock()
    parts = assembled(config, detected_by="decoder", clock=clock)
    stamps = _Stamps(clock)
    grid = FrameGrid(config.frame_rate_hz)
    replay = Replay(recorded.log, grid=grid, clock=HostClock(), speed=speed, wanted=_of_a_rig)
    with SessionLock(into), mismatch_figure(into.report):
        recorder = Recorder(into.folder, flush_s=config.record.flush_s, clock=HostClock())
        try:
            for batch in _batches(replay, clock):
                made = (stamps.stamped(body) for body in parts.stage.step(batch))
                for message in chain((item.message for item in batch), made):
                    recorder.write(pack(message), message, clock.now_ns())
        finally:
            recorder.close()
            parts.calcium.save(into.folder)


def _of_a_rig(stream: str) -> bool:
    """Whether microscope or stimulus sent it; heartbeats too, so that the copy is complete."""
    return stream.partition("/")[0] in ("bridge", "stimulus")


def _batches(replay: Replay, clock: RecordedClock) -> Iterator[Sequence[Received]]:
    while not replay.finished:
        batch = replay.take(_WAIT_S)
        if batch:
            yield clock.follow(batch)
