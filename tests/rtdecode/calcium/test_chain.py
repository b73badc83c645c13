"""Each scan gives fluorescence, and each frame responses, once and from the past alone."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain, Out
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import (
    CalibrationError,
    FieldMismatchError,
    ScanShapeError,
    ScanValueError,
)
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Event,
    Fluorescence,
    Received,
    Responses,
    Scan,
    Stamped,
)

ROWS, COLS, RATE_HZ, SCANS = 48, 56, 15.0, 90
CONFIG = CalciumConfig(reference_scans=8, calibration_s=2.0, lost_field_scans=5)


class StillClock:
    def now_ns(self) -> int:
        return 7

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("a stage never sleeps")


def field() -> tuple[Rois, np.ndarray]:
    """Nine cells on dim, spotted tissue."""
    rows, cols = np.mgrid[:ROWS, :COLS]
    centers = [(r, c) for r in (10, 24, 38) for c in (12, 28, 44)]
    cells = [np.flatnonzero((rows - r) ** 2 + (cols - c) ** 2 <= 9) for r, c in centers]
    rois = rois_from_lists((ROWS, COLS), [(cell, np.ones(len(cell))) for cell in cells])
    ground = ndimage.gaussian_filter(np.random.default_rng(3).normal(0, 60, (ROWS, COLS)), 1.5)
    return rois, 60 + ground + 40 * rois.footprint()


ROIS, MEAN = field()


def movie() -> np.ndarray:
    """(scan, row, col): neuron 4 fires at scan 60, the tissue trembles, photons are few."""
    rng = np.random.default_rng(0)
    scans = np.empty((SCANS, ROWS, COLS), np.uint16)
    cell = ROIS.pixels[ROIS.indptr[4] : ROIS.indptr[5]]
    for t in range(SCANS):
        light = MEAN.copy()
        if t >= 60:
            light.reshape(-1)[cell] += 150 * np.exp(-(t - 60) / (0.7 * RATE_HZ))
        shifted = ndimage.shift(light, rng.uniform(-1, 1, 2), order=1, mode="nearest")
        scans[t] = rng.poisson(np.maximum(shifted, 0))
    return scans


MOVIE = movie()


def received(pixels: np.ndarray, number: int, *, plane: int = 0) -> Received:
    start_ns = round(number * 1e9 / RATE_HZ)
    scan = Scan(pixels, number, plane, start_ns, round((number + 0.95) * 1e9 / RATE_HZ))
    return Received(Stamped("bridge", number, start_ns, "host", scan), start_ns)


STREAM = [received(pixels, number) for number, pixels in enumerate(MOVIE)]


def chain(calibration: Calibration | None = None, config: CalciumConfig = CONFIG) -> CalciumChain:
    return CalciumChain(
        config,
        rois=ROIS,
        grid=FrameGrid(30.0),
        scan_rate_hz=None,
        reference=None,
        calibration=calibration,
        clock=StillClock(),
    )


def run(stream: Sequence[Received], stage: CalciumChain | None = None) -> list[Out]:
    stage = stage or chain()
    return [out for item in stream for out in stage.step([item])]


def same(one: Sequence[Out], other: Sequence[Out]) -> bool:
    def plain(outs: Sequence[Out]) -> list[list[object]]:
        return [
            [
                value.tolist() if isinstance(value := getattr(out, name), np.ndarray) else value
                for name in type(out).__slots__
            ]
            for out in outs
        ]

    return plain(one) == plain(other)


WHOLE = run(STREAM)


def responses(outs: Sequence[Out]) -> list[Responses]:
    return [out for out in outs if isinstance(out, Responses)]


def test_every_scan_gives_its_fluorescence_and_every_frame_its_responses() -> None:
    numbers = [out.number for out in WHOLE if isinstance(out, Fluorescence)]
    assert numbers == list(range(SCANS))
    frames = [out.frame for out in responses(WHOLE)]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    last = responses(WHOLE)[-1]
    assert last.valid.all()
    # The newest frame begins no later than the last scan whose activity is final.
    assert STREAM[-3].t_received_ns < last.t_frame_start_ns <= STREAM[-2].t_received_ns


def test_nothing_is_valid_before_the_calibration_is_done() -> None:
    early = [out for out in responses(WHOLE) if out.t_scan_end_ns < 2e9]
    assert early
    assert not any(out.valid.any() for out in early)


def test_the_neuron_that_fires_is_the_one_that_is_active_when_it_fires() -> None:
    late = [out for out in responses(WHOLE) if out.valid.all()]
    activity = np.array([out.activity for out in late])
    frame, neuron = np.unravel_index(activity.argmax(), activity.shape)
    assert neuron == 4
    assert late[frame].t_frame_start_ns / 1e9 == pytest.approx(60.5 / RATE_HZ, abs=1 / RATE_HZ)


@settings(max_examples=8)
@given(cuts=st.sets(st.integers(1, SCANS - 1), max_size=6))
def test_any_way_of_cutting_the_stream_gives_the_same(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), SCANS]
    stage = chain()
    outs = [out for first, last in pairwise(edges) for out in stage.step(STREAM[first:last])]
    assert same(outs, WHOLE)


@settings(max_examples=6)
@given(cut=st.integers(35, SCANS - 1))
def test_the_future_changes_nothing_in_the_past(cut: int) -> None:
    other = [received(MOVIE[number] // 2, number) for number in range(cut, SCANS)]
    before = run(STREAM[:cut])
    assert same(run([*STREAM[:cut], *other])[: len(before)], before)


def test_lost_scans_are_invalid_frames_and_later_ones_recover() -> None:
    outs = responses(run([item for n, item in enumerate(STREAM) if n not in (70, 71)]))
    frames = [out.frame for out in outs]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    gap = [out for out in outs if 69.9 / RATE_HZ < out.t_frame_start_ns / 1e9 <= 72 / RATE_HZ]
    assert len(gap) >= 4
    assert not any(out.valid.any() for out in gap)
    assert outs[-1].valid.all()


def test_a_repeated_scan_counts_once() -> None:
    assert same(run([*STREAM[:50], STREAM[49], STREAM[20], *STREAM[50:]]), WHOLE)


def test_a_calibration_starts_a_session_at_once() -> None:
    first = chain()
    run(STREAM, first)
    outs = run(STREAM, chain(first.calibration))
    early = [out for out in responses(outs) if out.t_frame_start_ns / 1e9 > 2.5 / RATE_HZ]
    assert all(out.valid.all() for out in early)


def test_a_lost_field_of_view_and_its_return_are_reported() -> None:
    stage = chain()
    elsewhere = np.random.default_rng(5).poisson(50, (20, ROWS, COLS)).astype(np.uint16)
    run(STREAM[:50], stage)
    lost = run([received(pixels, 50 + n) for n, pixels in enumerate(elsewhere)], stage)
    assert stage.field_lost
    assert not responses(lost)[-1].valid.any()
    found = run(STREAM[70:], stage)
    events = [out for out in [*lost, *found] if isinstance(out, Event)]
    assert [(event.severity, event.code) for event in events] == [
        ("alarm", "field_lost"),
        ("info", "field_found"),
    ]
    assert "found again" in events[1].text
    assert responses(found)[-1].valid.all()


def test_a_calibration_reports_its_result() -> None:
    (event,) = [out for out in WHOLE if isinstance(out, Event)]
    assert event.text.startswith("calibrated on 31 scans: median noise 0.0")
    assert event.counts == {"neurons": 9.0}


def test_fluorescence_and_responses_state_the_rois_that_they_belong_to() -> None:
    found = {out.rois_hash for out in WHOLE if isinstance(out, Fluorescence | Responses)}
    assert found == {ROIS.hash}


def test_scans_that_are_black_at_the_start_are_left_out_and_reported() -> None:
    black = np.zeros((ROWS, COLS), np.uint16)
    lit = movie()
    stream = [received(black if n < 40 else lit[n - 40], n) for n in range(40 + SCANS)]
    outs = run(stream)
    events = [out for out in outs if isinstance(out, Event)]
    black = [event for event in events if event.code == "scans_black"]
    assert sum(event.counts["scans"] for event in black) == 40
    assert [out.number for out in outs if isinstance(out, Fluorescence)] == list(range(40, 130))
    assert responses(outs)[-1].valid.all()


def test_scans_with_the_noise_of_an_unlit_detector_are_no_part_of_the_reference() -> None:
    lit, rng = movie(), np.random.default_rng(1)
    unlit = rng.normal(8, 1, (5, ROWS, COLS)).round().astype(np.uint16)
    stage = chain()
    outs = run([received(scan, n) for n, scan in enumerate([*unlit, *lit])], stage)
    [event] = [out for out in outs if isinstance(out, Event) and out.code == "scans_black"]
    assert event.counts == {"scans": 5}
    assert stage.calibration is not None
    assert stage.calibration.reference_counts.mean() > 50


def test_other_planes_change_nothing() -> None:
    """The same movie in plane 1 of 2, between scans of another plane."""
    config = CONFIG.model_copy(update={"decoded_planes": (1,), "planes": 2})
    both = [
        received(
            np.full((ROWS, COLS), 9, np.uint16) if plane == 0 else pixels,
            2 * n + plane,
            plane=plane,
        )
        for n, pixels in enumerate(MOVIE)
        for plane in (0, 1)
    ]
    outs = run(both, chain(config=config))
    alone = run([item for item in both if item.message.body.plane == 1], chain(config=config))
    assert same(outs, alone)
    assert [out.number for out in outs if isinstance(out, Fluorescence)] == list(range(1, 180, 2))
    assert responses(outs)[-1].valid.all()


def test_a_field_that_is_not_the_calibrations_is_refused() -> None:
    first = chain()
    run(STREAM, first)
    elsewhere = np.random.default_rng(6).poisson(50, (8, ROWS, COLS)).astype(np.uint16)
    with pytest.raises(FieldMismatchError, match="8 of the first 8 scans") as refused:
        run([received(p, n) for n, p in enumerate(elsewhere)], chain(first.calibration))
    assert first.calibration is not None
    np.testing.assert_array_equal(
        refused.value.reference_counts, first.calibration.reference_counts
    )


def test_a_field_that_moves_away_while_it_is_calibrated_is_refused() -> None:
    elsewhere = np.random.default_rng(5).poisson(50, (30, ROWS, COLS)).astype(np.uint16)
    stream = STREAM[:10] + [received(pixels, 10 + n) for n, pixels in enumerate(elsewhere)]
    with pytest.raises(FieldMismatchError, match="21 of the first 31 scans"):
        run(stream)


def test_scans_and_calibrations_of_another_field_are_refused() -> None:
    with pytest.raises(ScanShapeError, match="32 x 32"):
        run([received(np.zeros((32, 32), np.uint16), n) for n in range(8)])
    with pytest.raises(ScanValueError, match="float64"):
        run([received(np.full((ROWS, COLS), np.nan), 0)])
    first = chain()
    run(STREAM, first)
    assert first.calibration is not None
    with pytest.raises(CalibrationError, match="2 neurons"):
        CalciumChain(
            CONFIG,
            rois=ROIS.chosen(np.arange(9) < 2),
            grid=FrameGrid(30.0),
            scan_rate_hz=None,
            reference=None,
            calibration=first.calibration,
            clock=StillClock(),
        )
