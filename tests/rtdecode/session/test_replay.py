from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.codec import pack
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, Received, Stamped
from rtdecode.session.reader import every_stream
from rtdecode.session.replay import RecordedClock, Replay, is_input

GRID = FrameGrid(30.0)


def batches(replay: Replay, *, wait_s: float = 0.01) -> Iterator[Sequence[Received]]:
    while not replay.finished:
        if batch := replay.take(wait_s):
            yield batch


def seen(replay: Replay, **how: float) -> list[tuple[bytes, ...]]:
    return [tuple(pack(item.message) for item in batch) for batch in batches(replay, **how)]


@pytest.mark.parametrize(("speed", "wait_s"), [(1.0, 0.1), (7.0, 0.001), (0.5, 0.0), (None, 0.1)])
def test_speed_and_patience_change_nothing_that_is_given(
    log: Path, clock: Clock, speed: float | None, wait_s: float
) -> None:
    class Impatient(type(clock)):  # type: ignore[misc]
        """Time goes on while nobody waits, too."""

        def now_ns(self) -> int:
            self.now += 500_000
            return int(self.now)

    usual = seen(Replay(log, grid=GRID, clock=clock, speed=None))
    assert seen(Replay(log, grid=GRID, clock=Impatient(), speed=speed), wait_s=wait_s) == usual
    assert sum(map(len, usual)) == 40


def test_a_batch_is_one_frame_of_the_grid(log: Path, clock: Clock) -> None:
    frames = [
        {GRID.frame_at(item.t_received_ns) for item in batch}
        for batch in batches(Replay(log, grid=GRID, clock=clock, speed=None))
    ]
    assert all(len(frame) == 1 for frame in frames)
    # 40 messages 12 ms apart span 468 ms: 15 frames of 33.3 ms
    assert len(frames) == 15


def test_ten_times_as_fast_takes_a_tenth_of_the_time(log: Path, clock: Clock) -> None:
    begun_ns = clock.now_ns()
    last = list(batches(Replay(log, grid=GRID, clock=clock, speed=10.0)))[-1]
    span_ns = last[0].t_received_ns - 1
    assert clock.now_ns() - begun_ns == pytest.approx(span_ns / 10, abs=20_000_000)


def test_nothing_is_given_before_its_time(log: Path, clock: Clock) -> None:
    replay = Replay(log, grid=GRID, clock=clock, speed=0.01)
    assert len(replay.take(0.0)) == 3
    before_ns = clock.now_ns()
    assert replay.take(0.5) == ()
    assert clock.now_ns() == before_ns + 500_000_000
    assert not replay.finished


def test_a_torn_log_is_replayed_to_its_end(log: Path, clock: Clock) -> None:
    log.write_bytes(log.read_bytes()[:3000])
    whole = [
        item for batch in batches(Replay(log, grid=GRID, clock=clock, speed=None)) for item in batch
    ]
    assert [item.message.seq for item in whole] == list(range(len(whole)))
    assert 0 < len(whole) < 40


def test_only_what_came_from_a_rig_is_input() -> None:
    assert is_input("bridge/scan")
    assert is_input("stimulus/displayed_frame")
    assert not is_input("decoder/responses")
    assert not is_input("decoder/start")
    assert not is_input("bridge/health")


def test_other_streams_can_be_asked_for(log: Path, clock: Clock) -> None:
    none = Replay(
        log, grid=GRID, clock=clock, speed=None, wanted=lambda stream: stream == "decoder/score"
    )
    assert list(batches(none)) == []
    every = Replay(log, grid=GRID, clock=clock, speed=None, wanted=every_stream)
    bodies = [item.message.body for batch in batches(every) for item in batch]
    assert all(isinstance(body, Behaviour) for body in bodies)


@given(times=st.lists(st.integers(0, 10**12), min_size=1))
def test_recorded_time_never_goes_back(times: list[int]) -> None:
    clock, before = RecordedClock(), 0
    for time_ns in times:
        clock.sleep_until(time_ns)
        assert clock.now_ns() == max(before, time_ns)
        before = clock.now_ns()


def test_recorded_time_is_that_of_the_newest_message(behaviour: Callable[..., Stamped]) -> None:
    clock = RecordedClock()
    batch = [Received(behaviour(0), 5), Received(behaviour(1), 9), Received(behaviour(2), 7)]
    assert clock.follow(batch) == batch
    assert clock.now_ns() == 9
    clock.follow([])
    assert clock.now_ns() == 9
