"""Truth of a grid frame is what was on the screen in its middle, whatever comes when."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.alignment import Pairing, TruthOnGrid
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Gap, Reconstruction, Stamped

GRID = FrameGrid(30.0)
PICTURE = np.zeros((2, 3), np.uint8)


def shown(seq: int, *, t_ns: int) -> Stamped:
    frame = DisplayedFrame(clip="c", index=seq, luminance=PICTURE, t_flip_ns=t_ns, flips=2)
    return Stamped("stimulus", seq, t_ns, "host", frame)


def decoded(frame: int) -> Stamped:
    body = Reconstruction(
        luminance=PICTURE.astype(np.float32),
        uncertainty=PICTURE.astype(np.float32),
        frame=frame,
        t_frame_mid_ns=GRID.middle_ns(frame),
        t_scan_ns=0,
        t_scan_end_ns=0,
        t_received_ns=0,
        t_responses_ns=0,
        t_ready_ns=0,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=True,
        late=False,
    )
    return Stamped("decoder", frame, 0, "host", body)


def truth_of(flips_ns: Sequence[int]) -> dict[int, int]:
    truth = TruthOnGrid(GRID)
    frames: dict[int, int] = {}
    for seq, t_ns in enumerate(flips_ns):
        message = shown(seq, t_ns=t_ns)
        assert isinstance(message.body, DisplayedFrame)
        frames |= {t.frame: t.displayed.index for t in truth.add_displayed(message, message.body)}
    return frames


@given(st.lists(st.integers(1, 200_000_000), min_size=2, max_size=30), st.integers(0, 10**15))
def test_truth_is_the_last_flip_before_the_middle(spans_ns: list[int], origin_ns: int) -> None:
    flips = origin_ns + np.cumsum(spans_ns)
    frames = truth_of([int(t) for t in flips])
    for frame, index in frames.items():
        assert index == np.searchsorted(flips, GRID.middle_ns(frame), side="right") - 1
    assert list(frames) == list(range(min(frames, default=0), min(frames, default=0) + len(frames)))


def test_a_flip_in_the_middle_counts_for_its_frame() -> None:
    flips = [GRID.middle_ns(10), GRID.middle_ns(12), GRID.middle_ns(12) + 1, GRID.middle_ns(14)]
    assert truth_of(flips) == {10: 0, 11: 0, 12: 1, 13: 2}


def test_a_hole_leaves_its_frames_without_truth() -> None:
    truth = TruthOnGrid(GRID)
    frames = []
    for seq in (0, 1, 4, 5):  # 2 and 3 were lost
        message = shown(seq, t_ns=GRID.start_ns(100 + seq))
        assert isinstance(message.body, DisplayedFrame)
        frames += [t.frame for t in truth.add_displayed(message, message.body)]
    assert frames == [100, 104]


@given(lag=st.integers(-5, 20))
def test_pairs_are_complete_whichever_side_comes_first(lag: int) -> None:
    pairing = Pairing(GRID, hold_frames=60)
    pairs = []
    for now in range(100, 160):
        pairs += pairing.add(shown(now, t_ns=GRID.start_ns(now)))
        pairs += pairing.add(decoded(now - lag))
    assert all(pair.frame == pair.displayed.index == pair.reconstruction.frame for pair in pairs)
    assert [pair.frame for pair in pairs] == list(range(max(100, 100 - lag), min(160 - lag, 159)))


def test_what_never_finds_its_other_half_is_dropped_and_counted() -> None:
    pairing = Pairing(GRID, hold_frames=10)
    for frame in range(25):
        assert pairing.add(decoded(frame)) == []
    assert pairing.unmatched == 15


def test_other_messages_are_no_business_of_a_pairing() -> None:
    gap = Stamped("decoder", 0, 0, "host", Gap("bridge/scan", 3, 1, "decoder"))
    assert Pairing(GRID, hold_frames=1).add(gap) == []
