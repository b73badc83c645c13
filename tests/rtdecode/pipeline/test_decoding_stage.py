"""Every scan is processed in order, responses are given at once, waiting frames decoded once."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.pipeline.decoding_stage import DecodingStage, LineAligner
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Event,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Scan,
    Stamped,
    WindowFrame,
)
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.streams.gaps import GapWatch

PIXELS = np.zeros((2, 2), np.uint16)
GREY = np.full((2, 2), 128, np.float32)


class TwoFramesAScan:
    """A calcium chain that gives two frames for each scan, as at 15 Hz."""

    neurons, calibrated = 1, True

    def step(self, items: Sequence[Received]) -> Iterator[Responses]:
        for item in items:
            number = item.message.seq
            for frame in (2 * number, 2 * number + 1):
                yield Responses(
                    np.array([frame], np.float32), np.ones(1, bool), frame, 100 * frame, 0, 0, 0, 0
                )

    def save(self, folder: Path) -> None: ...


class Inverting:
    """A decoder that gives back the newest frame, and remembers what each inversion was given."""

    def __init__(self) -> None:
        self.given: list[list[WindowFrame]] = []

    def step(self, items: Sequence[WindowFrame], *, begun_ns: int) -> list[Reconstruction]:
        self.given.append(list(items))
        newest = items[-1].responses.frame
        return [Reconstruction(GREY, GREY, newest, 0, 0, 0, 0, 0, 0, 0, 1, 0.0, True, False)]

    def events(self) -> list[Event]:
        return []


def stage(decoder: Inverting | None = None) -> DecodingStage:
    return DecodingStage(
        gaps=GapWatch(detected_by="decoder"),
        calcium=TwoFramesAScan(),
        behaviour=BehaviourJoin(np.zeros(4, np.float32)),
        decoder=decoder,  # type: ignore[arg-type]
        clock=HostClock(),
    )


def scan(number: int) -> Received:
    return Received(Stamped("bridge", number, 0, "host", Scan(PIXELS, number, 0, 0, 1)), 0)


def behaviour(number: int, *, t_ns: int) -> Received:
    body = Behaviour(t_ns, float(t_ns), 0.0, np.zeros(2, np.float32))
    return Received(Stamped("bridge", number, 0, "host", body), 0)


def told(bodies: Sequence[Body]) -> list[object]:
    return [(b.kind, b.frame if isinstance(b, Responses) else b.kind) for b in bodies]


STREAM = [behaviour(0, t_ns=0), *map(scan, range(4)), behaviour(1, t_ns=600), *map(scan, (6, 7))]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=4))
def test_any_way_of_cutting_the_stream_gives_the_same_responses(cuts: list[int]) -> None:
    edges, cut, whole = [0, *sorted(cuts), len(STREAM)], stage(), stage()
    batches = [STREAM[a:b] for a, b in pairwise(edges)]
    found = [out for batch in batches for out in cut.step(batch)]
    assert told(found) == told(list(whole.step(STREAM)))


def test_all_that_waited_is_inverted_once() -> None:
    decoder = Inverting()
    found = list(stage(decoder).step([scan(0), scan(1), scan(2)]))
    assert [[one.responses.frame for one in given] for given in decoder.given] == [list(range(6))]
    assert [body.kind for body in found] == ["responses"] * 6 + ["reconstruction"]


def test_responses_are_out_before_the_inversion_that_uses_them_begins() -> None:
    decoder = Inverting()
    out = stage(decoder).step([scan(0)])
    assert [next(out).kind, next(out).kind] == ["responses", "responses"]
    assert decoder.given == []
    assert next(out).kind == "reconstruction"


def test_behaviour_comes_to_the_frame_it_belongs_to() -> None:
    decoder = Inverting()
    samples = [behaviour(0, t_ns=0), behaviour(1, t_ns=100)]
    list(stage(decoder).step([*samples, scan(0)]))
    # frames begin at 0 and 100 ns, and the running speed is the sample's time
    assert [frame.behaviour[0] for frame in decoder.given[0]] == [0, 100]


def test_a_gap_is_reported_and_no_value_is_invented() -> None:
    stages = stage()
    found = list(stages.step([scan(0), scan(3)]))
    gaps = [body for body in found if isinstance(body, Gap)]
    assert [(gap.stream, gap.first_missing, gap.n_missing) for gap in gaps] == [
        ("bridge/scan", 1, 2)
    ]
    assert [body.frame for body in found if isinstance(body, Responses)] == [0, 1, 6, 7]
    assert stages.counters() == {"lost": 2, "scans": 2, "responses": 4, "reconstructions": 0}


def test_a_scan_that_comes_twice_counts_once() -> None:
    stages = stage()
    list(stages.step([scan(0), scan(0), scan(1)]))
    assert stages.counters()["scans"] == 2


@pytest.mark.parametrize("items", [[], [behaviour(0, t_ns=5)]])
def test_where_no_frame_is_new_nothing_is_inverted(items: list[Received]) -> None:
    decoder = Inverting()
    assert list(stage(decoder).step(items)) == []
    assert decoder.given == []


def events_of_displaced_lines(offset_px: int) -> tuple[list[Event], list[Scan]]:
    """Events, and scans given to the calcium chain, where every second line lies 3 px aside."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.gamma(0.3, 200, (64, 64)), 1.5)
    image[1::2] = np.roll(image[1::2], 3, 1)
    given: list[Scan] = []

    class Keeping(TwoFramesAScan):
        def step(self, items: Sequence[Received]) -> Iterator[Responses]:
            given.extend(item.message.body for item in items)  # type: ignore[misc]
            return super().step(items)

    config = CalciumConfig(reference_scans=4, line_offset_px=offset_px)
    made = DecodingStage(
        gaps=GapWatch(detected_by="decoder"),
        calcium=Keeping(),
        behaviour=BehaviourJoin(np.zeros(4, np.float32)),
        decoder=None,
        clock=HostClock(),
        lines=LineAligner(config),
    )
    items = []
    for number in range(9):
        body = Scan(rng.poisson(image).astype(np.uint16), number, 0, 0, 1)
        items.append(Received(Stamped("bridge", number, 0, "host", body), 0))
    return [body for body in made.step(items) if isinstance(body, Event)], given


def test_displaced_lines_are_reported_once_with_the_setting_that_removes_them() -> None:
    events, _ = events_of_displaced_lines(0)
    (event,) = events
    assert event.code == "line_offset"
    assert "displaced by +3.0 px" in event.text
    assert "calcium.line_offset_px to 3" in event.text


def test_a_configured_displacement_is_removed_before_the_calcium_chain() -> None:
    events, straight = events_of_displaced_lines(3)
    _, displaced = events_of_displaced_lines(0)
    assert events == []
    one, other = straight[5].pixels_counts, displaced[5].pixels_counts
    np.testing.assert_array_equal(one[1::2, :-3], other[1::2, 3:])
    np.testing.assert_array_equal(one[::2], other[::2])
