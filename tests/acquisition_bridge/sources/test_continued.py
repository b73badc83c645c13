"""A restarted bridge continues the numbers of its scans, and counts what the rig's numbers show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.bridge import KeptSink
from acquisition_bridge.sources.continued import (
    NAMES,
    ContinuedFile,
    ContinuedSource,
    LastScan,
    last_scan,
)
from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.opening import open_source
from rtdecode.runtime.progress import Progress
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Behaviour, Body, DisplayedFrame, Fluorescence, Scan
from rtdecode.session.replay import RecordedClock

PIXELS = np.zeros((2, 2), np.uint16)
PERIOD_NS = 100_000_000
SAMPLE = Behaviour(0, 0.0, 0.0, np.zeros(2, np.float32))


def scan(number: int, rig_number: int, *, end: int = 0) -> Scan:
    return Scan(PIXELS, number, 0, (end - 1) * PERIOD_NS, end * PERIOD_NS, rig_number)


class Given:
    """A source of the given measurements, each in a batch of its own."""

    spec = FrameSpec(2, 2, "uint16", scan_rate_hz=10.0)
    needs_displayed_frames = False

    def __init__(self, *bodies: Measured, lost: Sequence[int] = ()) -> None:
        self._bodies, self._lost, self._given = bodies, [*lost, 0], 0

    @property
    def ended(self) -> bool:
        return self._given == len(self._bodies)

    def begin(self, t_ns: int) -> None: ...
    def show(self, frame: DisplayedFrame) -> None: ...
    def close(self) -> None: ...

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        self._given += 1
        return self._bodies[self._given - 1 : self._given]

    def health(self) -> dict[str, float]:
        return {"scans": self._given, "lost": sum(self._lost[: self._given])}


def numbers(source: ContinuedSource) -> list[int]:
    found = []
    while not source.ended:
        found += [one.number for one in source.measured_until(0) if not isinstance(one, Behaviour)]
    return found


@given(
    last=st.integers(0, 10_000),
    offset=st.integers(-5_000, 5_000),
    missed=st.integers(0, 40),
)
def test_the_numbers_follow_those_of_the_rig(last: int, offset: int, missed: int) -> None:
    """Seen + lost = last number − first number, as without a restart."""
    rig = last + max(offset, -last)
    source = ContinuedSource(
        Given(*(scan(n, rig + 1 + missed + n, end=missed + n + 1) for n in range(3))),
        LastScan(last, rig, 0),
    )
    assert numbers(source) == [last + missed + n for n in (1, 2, 3)]
    assert source.health()["lost"] == missed
    assert source.down_s == pytest.approx(0.1 * (missed + 1))


@pytest.mark.parametrize(
    "rig_number",
    [-1, 3, 5_000_000],
    ids=["a rig without numbers", "numbers that began anew", "a number that no time explains"],
)
def test_without_a_step_that_the_time_explains_the_next_number_follows(rig_number: int) -> None:
    source = ContinuedSource(Given(scan(0, rig_number, end=50)), LastScan(40, 70, 0))
    assert numbers(source) == [41]
    assert source.health()["lost"] == 0
    assert source.down_s == 5.0


def test_losses_of_the_rig_itself_are_counted_as_before() -> None:
    given = Given(scan(0, 8, end=1), scan(4, 12, end=5), lost=[0, 3])
    source = ContinuedSource(given, LastScan(5, 5, 0))
    assert numbers(source) == [8, 12]
    assert source.health()["lost"] == 2 + 3


def test_behaviour_passes_and_values_of_rois_are_numbered() -> None:
    values = np.zeros(3, np.float32)
    rois = Fluorescence(values, values, 0, 9 * PERIOD_NS, np.zeros(2, np.float32))
    source = ContinuedSource(Given(SAMPLE, rois), LastScan(7, 7, 0))
    assert source.measured_until(0) == [SAMPLE]
    assert numbers(source) == [8]


def test_a_file_goes_on_after_its_last_scan_and_reports_no_earlier_loss_again() -> None:
    scans = [scan(n, rig) for n, rig in enumerate((0, 1, 4, 5, 6, 9))]
    source = ContinuedFile(Given(*scans, lost=[0, 0, 2, 0, 0, 2]), LastScan(5, 5, 0))
    assert numbers(source) == [6, 7]
    assert source.health()["lost"] == 2


def test_the_last_scan_is_kept_before_it_is_pushed(tmp_path: Path) -> None:
    """A kill between the two leaves a number unused; it must not give one out twice."""
    kept = list[dict[str, int] | None]()

    class Looking:
        def push(self, item: Body) -> None:
            kept.append(Progress(tmp_path / "bridge.progress", NAMES).read())

    with Progress(tmp_path / "bridge.progress", NAMES) as progress:
        sink = KeptSink(Looking(), progress)
        for body in (SAMPLE, scan(3, 17, end=2), scan(4, -1, end=3)):
            sink.push(body)
    assert kept == [
        None,
        {"number": 3, "own_number": 17, "t_end_ns": 2 * PERIOD_NS},
        {"number": 4, "own_number": 4, "t_end_ns": 3 * PERIOD_NS},
    ]


def movie(path: Path, scans: int) -> RunConfig:
    np.arange(scans, dtype="<u2").repeat(64 * 64).tofile(path)
    source = {"kind": "raw_movie", "path": path, "rows_px": 64, "cols_px": 64, "scan_rate_hz": 10.0}
    return RunConfig.model_validate({"acquisition": {"source": source}, "decode": None})


def test_a_movie_is_continued_at_once_after_its_last_recorded_scan(tmp_path: Path) -> None:
    config, clock = movie(tmp_path / "movie.raw", 9), RecordedClock()
    first = open_source(config, clock)
    first.begin(0)
    before = [body for _ in range(5) for body in first.measured_until(10**9)]
    first.close()
    assert isinstance(before[-1], Scan)
    clock.sleep_until(20 * PERIOD_NS)
    again = open_source(config, clock, last=last_scan(before[-1]))
    again.begin(clock.now_ns())
    after = [body for _ in range(4) for body in again.measured_until(10**10)]
    again.close()
    assert again.ended
    scans = [body for body in [*before, *after] if isinstance(body, Scan)]
    assert [one.number for one in scans] == list(range(9))
    assert [int(one.pixels_counts[0, 0]) for one in scans] == list(range(9))
    # the first scan after the restart begins with it, and the others follow at their rate
    assert [one.t_start_ns // PERIOD_NS for one in scans[5:]] == [20, 21, 22, 23]
    assert again.health()["lost"] == 0


def test_a_movie_that_was_at_its_end_has_ended(tmp_path: Path) -> None:
    config, clock = movie(tmp_path / "movie.raw", 3), RecordedClock()
    again = open_source(config, clock, last=LastScan(2, 2, 0))
    again.begin(0)
    assert again.ended
    again.close()
