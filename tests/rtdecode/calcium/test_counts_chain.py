"""From fluorescence to responses: calibration ends after its duration, lost scans are gaps."""

import numpy as np
import pytest

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.counts_chain import CountsChain
from rtdecode.calcium.register import Shift
from rtdecode.calcium.scan_count import ScanCount, ScanTime
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import CalibrationError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Responses
from rtdecode.session.replay import RecordedClock

RATE_HZ, NEURONS, SCANS = 10.0, 4, 60
CONFIG = CalciumConfig(calibration_s=2.0)
IMAGE = np.zeros((2, 2), np.float32)
LIGHT = np.random.default_rng(0).gamma(8, 12, (SCANS, NEURONS)).astype(np.float32)


def time(number: int) -> ScanTime:
    return ScanTime(number, round(number * 1e9 / RATE_HZ), round((number + 0.9) * 1e9 / RATE_HZ))


def chain(clock: Clock, **given: Calibration | None) -> tuple[CountsChain, ScanCount]:
    count = ScanCount(planes=1, scan_rate_hz=RATE_HZ)
    files: dict[str, Calibration | None] = {"calibration": None, "target": None} | given
    phase = np.linspace(0, 1, NEURONS, dtype=np.float32)
    return CountsChain(
        CONFIG, phase=phase, count=count, grid=FrameGrid(30.0), clock=clock, **files
    ), count


def ran(numbers: list[int], **given: Calibration | None) -> tuple[CountsChain, list[object]]:
    stage, count = chain(RecordedClock(), **given)
    outs: list[object] = []
    for number in numbers:
        light, dark = LIGHT[number], np.zeros(NEURONS, np.float32)
        counts = RoiSignals(
            light, dark, light, np.ones(NEURONS, bool), Shift(0, 0, 9, at_edge=False)
        )
        index = count.index_of(time(number))
        assert index is not None
        outs += stage.outputs(
            counts, time(number), index=index, reference=IMAGE, t_received_ns=number
        )
    return stage, outs


def test_the_calibration_is_reported_once_and_later_frames_are_valid() -> None:
    stage, outs = ran(list(range(SCANS)))
    (calibrated,) = [place for place, out in enumerate(outs) if isinstance(out, Event)]
    event = outs[calibrated]
    assert isinstance(event, Event)
    assert (event.severity, event.code, event.counts) == ("info", "calibrated", {"neurons": 4.0})
    assert "calibrated on 21 scans" in event.text
    before, after = (
        [out for out in part if isinstance(out, Responses)]
        for part in (outs[:calibrated], outs[calibrated + 6 :])
    )
    assert before
    assert not any(out.valid.any() for out in before)
    assert all(out.valid.all() for out in after[6:])
    assert stage.calibration is not None
    np.testing.assert_array_equal(stage.calibration.reference_counts, IMAGE)


def test_the_scan_that_completes_the_calibration_is_known_beforehand() -> None:
    stage, count = chain(RecordedClock())
    count.index_of(time(0))
    assert [stage.calibrates_at(time(number)) for number in (1, 19, 20)] == [False, False, True]


def test_a_stored_calibration_gives_the_same_responses_from_the_start() -> None:
    stage, made = ran(list(range(SCANS)))
    _, again = ran(list(range(SCANS)), calibration=stage.calibration)
    last = [[out for out in outs if isinstance(out, Responses)][-1] for outs in (made, again)]
    assert last[0].valid.all()
    early = [out for out in again if isinstance(out, Responses)]
    assert early[6].valid.all()
    assert not any(isinstance(out, Event) for out in again)


def test_a_lost_scan_gives_invalid_frames_and_no_interpolated_value() -> None:
    _, outs = ran([number for number in range(SCANS) if number != 40])
    gap = [
        out
        for out in outs
        if isinstance(out, Responses) and 4.0e9 <= out.t_frame_start_ns <= 4.0999e9
    ]
    assert gap
    assert not any(out.valid[0] for out in gap)


def test_statistics_of_other_neurons_are_refused() -> None:
    stage, _ = ran(list(range(30)))
    assert stage.calibration is not None
    count = ScanCount(planes=1, scan_rate_hz=RATE_HZ)
    with pytest.raises(CalibrationError, match=r"expected 3 neurons to rescale to, got 4"):
        CountsChain(
            CONFIG,
            phase=np.zeros(3, np.float32),
            count=count,
            grid=FrameGrid(30.0),
            calibration=None,
            target=stage.calibration,
            clock=RecordedClock(),
        )
