"""ROI values of the rig's program become responses as those of own ROIs do."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.register import Shift
from rtdecode.calcium.roi_chain import RoiChain
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError, RoiCountError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Event, Fluorescence, Received, Responses, Stamped
from rtdecode.session.replay import RecordedClock

RATE_HZ, NEURONS, SCANS = 15.0, 5, 80
CONFIG = CalciumConfig(calibration_s=2.0, rois_from_source=True)
RNG = np.random.default_rng(1)
F = RNG.gamma(9, 20, (SCANS, NEURONS)).astype(np.float32)
RINGS = RNG.gamma(9, 4, (SCANS, NEURONS)).astype(np.float32)


def middle_ns(number: int) -> int:
    return round((number + 0.5) * 1e9 / RATE_HZ)


def sent(number: int, *, neurons: int = NEURONS) -> Received:
    still = np.zeros(2, np.float32)
    f, rings = F[number, :neurons], RINGS[number, :neurons]
    values = Fluorescence(f, rings, number, middle_ns(number), still)
    return Received(Stamped("bridge", number, 0, "host", values), number)


STREAM = [sent(number) for number in range(SCANS)]


def chain(calibration: Calibration | None = None) -> RoiChain:
    return RoiChain(
        CONFIG,
        grid=FrameGrid(30.0),
        scan_rate_hz=RATE_HZ,
        calibration=calibration,
        target=None,
        clock=RecordedClock(),
    )


def plain(outs: Sequence[object]) -> list[tuple[int, bytes, bytes]]:
    return [
        (out.frame, out.activity.tobytes(), out.valid.tobytes())
        for out in outs
        if isinstance(out, Responses)
    ]


def test_values_of_the_rig_give_the_responses_that_own_rois_would_give() -> None:
    """Less the neuropil's share, and seen in the middle of each scan."""
    count = ScanCount(planes=1, scan_rate_hz=RATE_HZ)
    own = CountsChain(
        CONFIG,
        phase=np.zeros(NEURONS, np.float32),
        count=count,
        grid=FrameGrid(30.0),
        calibration=None,
        target=None,
        clock=RecordedClock(),
    )
    expected: list[object] = []
    for number in range(SCANS):
        corrected = F[number] - np.float32(0.7) * RINGS[number]
        counts = RoiSignals(
            F[number],
            RINGS[number],
            corrected,
            np.ones(NEURONS, bool),
            Shift(0, 0, 9, at_edge=False),
        )
        time = ScanTime(number, middle_ns(number), middle_ns(number))
        index = count.index_of(time)
        assert index == number
        expected += own.outputs(
            counts, time, index=index, reference=np.zeros((0, 0), np.float32), t_received_ns=0
        )
    found = list(chain().step(STREAM))
    assert plain(found) == plain(expected)
    assert [type(out) for out in found].count(Event) == 1
    last = [out for out in found if isinstance(out, Responses)][-1]
    assert last.valid.all()
    assert last.t_scan_ns == middle_ns(SCANS - 1)


@settings(max_examples=10)
@given(cuts=st.sets(st.integers(1, SCANS - 1), max_size=6))
def test_any_way_of_cutting_the_stream_gives_the_same(cuts: set[int]) -> None:
    edges, stage = [0, *sorted(cuts), SCANS], chain()
    outs = [out for first, last in pairwise(edges) for out in stage.step(STREAM[first:last])]
    assert plain(outs) == plain(list(chain().step(STREAM)))


@settings(max_examples=10)
@given(cut=st.integers(40, SCANS - 2))
def test_the_future_changes_nothing_in_the_past(cut: int) -> None:
    before = plain(list(chain().step(STREAM[:cut])))
    other = [*STREAM[:cut], *(sent(number) for number in range(cut + 1, SCANS))]
    assert plain(list(chain().step(other)))[: len(before)] == before


def test_repeated_values_count_once() -> None:
    again = [*STREAM[:50], STREAM[49], *STREAM[50:]]
    assert plain(list(chain().step(again))) == plain(list(chain().step(STREAM)))


def test_nothing_is_valid_in_a_hole_between_consecutive_numbers() -> None:
    calibrated = chain()
    list(calibrated.step(STREAM))
    later_ns = 10**9
    stream = [
        one if n < 40 else replace(one, message=replace(one.message, body=moved(one, later_ns)))
        for n, one in enumerate(STREAM)
    ]
    outs = [one for one in chain(calibrated.calibration).step(stream) if isinstance(one, Responses)]
    hole = [
        one.valid.any()
        for one in outs
        if middle_ns(39) < one.t_frame_start_ns < middle_ns(40) + later_ns
    ]
    assert len(hole) >= 30
    assert not any(hole)
    assert outs[-1].valid.all()


def moved(item: Received, later_ns: int) -> Fluorescence:
    body = item.message.body
    assert isinstance(body, Fluorescence)
    return replace(body, t_scan_ns=body.t_scan_ns + later_ns)


def test_how_many_rois_there_are_shows_with_the_first_values_or_the_calibration() -> None:
    stage = chain()
    assert stage.neurons is None
    list(stage.step(STREAM))
    assert stage.neurons == NEURONS
    calibrated = chain(stage.calibration)
    assert calibrated.neurons == NEURONS
    early = [out for out in calibrated.step(STREAM[:6]) if isinstance(out, Responses)]
    assert early[-1].valid.all()


def test_another_number_of_rois_is_refused() -> None:
    stage = chain()
    list(stage.step(STREAM[:40]))
    with pytest.raises(
        RoiCountError, match="scan 40 has values of 3 ROIs, but earlier scans had 5"
    ):
        list(stage.step([sent(40, neurons=3)]))
    with pytest.raises(CalibrationError, match="expected 3 neurons, one per ROI, got 5"):
        list(chain(stage.calibration).step([sent(0, neurons=3)]))
