"""Scans are numbered, time-stamped and checked in the same way for every rig."""

import numpy as np
import pytest

from acquisition_bridge.sources.intake import DecodedScan, Intake
from rtdecode.schema.errors import ScanSizeChangedError
from rtdecode.schema.messages import Scan

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
PERIOD_NS = 100_000_000


def intake() -> Intake:
    return Intake(scan_rate_hz=10.0)


def accepted(made: Intake, scan: DecodedScan, *, arrived_ns: int) -> Scan | None:
    """The scan that is passed on at once."""
    return next(iter(made.scans(scan, arrived_ns=arrived_ns)), None)


def test_without_a_stamp_a_scan_ends_when_it_came() -> None:
    scan = accepted(intake(), DecodedScan(PIXELS, 7, plane=2), arrived_ns=5 * 10**9)
    assert scan is not None
    assert (scan.t_start_ns, scan.t_end_ns) == (5 * 10**9 - PERIOD_NS, 5 * 10**9)
    assert (scan.number, scan.plane) == (0, 2)


def test_stamps_spread_scans_that_came_at_once() -> None:
    made, ends = intake(), []
    for counter, arrived_ns in enumerate((10**9, 10**9 + 2 * PERIOD_NS, 10**9 + 2 * PERIOD_NS)):
        decoded = DecodedScan(PIXELS, counter, t_source_ns=counter * PERIOD_NS)
        scan = accepted(made, decoded, arrived_ns=arrived_ns)
        assert scan is not None
        ends.append(scan.t_end_ns)
    assert np.diff(ends) == pytest.approx([PERIOD_NS, PERIOD_NS], rel=1e-3)


def test_scans_never_overlap() -> None:
    made, before_ns = intake(), 0
    for counter, arrived_ns in enumerate((10**9, 10**9 + 1, 10**9 + 5_000_000)):
        scan = accepted(made, DecodedScan(PIXELS, counter), arrived_ns=arrived_ns)
        assert scan is not None
        assert before_ns <= scan.t_start_ns <= scan.t_end_ns == arrived_ns
        before_ns = scan.t_end_ns


def test_another_size_is_refused_with_both_sizes() -> None:
    made = intake()
    accepted(made, DecodedScan(PIXELS, 0), arrived_ns=10**9)
    with pytest.raises(ScanSizeChangedError, match=r"scan 1 has shape \(4, 3\).*\(3, 4\)"):
        accepted(made, DecodedScan(PIXELS.T, 1), arrived_ns=2 * 10**9)


def test_numbers_continue_after_a_restarted_acquisition() -> None:
    made = intake()
    scans = [
        accepted(
            made,
            DecodedScan(PIXELS, counter, counter_restarted=counter_restarted),
            arrived_ns=10**9 + k,
        )
        for k, (counter, counter_restarted) in enumerate(
            [(40, False), (41, False), (90, True), (91, False)]
        )
    ]
    assert [scan.number for scan in scans if scan is not None] == [0, 1, 2, 3]
    assert made.health()["restarts"] == 1
    assert made.health()["lost"] == 0


@pytest.mark.parametrize(("dtype", "most"), [("uint16", 65535), ("int16", 32767)])
def test_saturated_scans_are_counted(dtype: str, most: int) -> None:
    made, glaring = intake(), PIXELS.astype(dtype)
    glaring[1, 1] = most
    for counter, pixels in enumerate((PIXELS.astype(dtype), glaring)):
        accepted(made, DecodedScan(pixels, counter), arrived_ns=10**9)
    assert made.health()["saturated"] == 1


def ends(stamps_ns: list[int], *, host: bool = False) -> tuple[list[int], Intake]:
    """Ends of scans a period apart that arrive 1 ms after they end."""
    made, found = intake(), []
    for n, stamp_ns in enumerate(stamps_ns):
        start_ns = stamp_ns - PERIOD_NS if host else None
        decoded = DecodedScan(PIXELS, n, t_source_ns=stamp_ns, host_start_ns=start_ns)
        [scan] = made.scans(decoded, arrived_ns=(n + 1) * PERIOD_NS + 1_000_000)
        found.append(scan.t_end_ns)
    return found, made


@pytest.mark.parametrize("host", [False, True])
@pytest.mark.parametrize("off_ns", [10**10, -(10**10), 365 * 86400 * 10**9])
def test_a_scan_with_an_implausible_stamp_is_kept_and_dated_by_its_number(
    off_ns: int, host: bool
) -> None:
    stamps = [(n + 1) * PERIOD_NS for n in range(300)]
    stamps[200] += off_ns
    found, made = ends(stamps, host=host)
    assert np.diff(found) == pytest.approx([PERIOD_NS] * 299, abs=1_000_000)
    counted = made.health()
    assert (counted["stamps_rejected"], counted["clock_restarts"]) == (1, 0)


def test_a_restarted_program_whose_clock_begins_anew_is_one_restart_of_the_numbers() -> None:
    made, found = intake(), []
    for n in range(60):
        rig_n = n if n < 40 else n - 40
        decoded = DecodedScan(PIXELS, rig_n, t_source_ns=rig_n * PERIOD_NS)
        found += made.scans(decoded, arrived_ns=(n + 1) * PERIOD_NS)
    assert [scan.number for scan in found] == list(range(60))
    assert [scan.rig_number for scan in found] == [*range(40), *range(20)]
    assert np.diff([scan.t_end_ns for scan in found]) == pytest.approx(PERIOD_NS, abs=1_000_000)
    counted = made.health()
    assert (counted["restarts"], counted["clock_restarts"], counted["stamps_rejected"]) == (1, 0, 0)
