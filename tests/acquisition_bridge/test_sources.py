"""The conformance suite for all live adapters, with one fake rig for each."""

import os
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition_bridge.sources.contract import ScanSource
from acquisition_bridge.sources.opening import open_source
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ScanSizeChangedError, StreamError
from rtdecode.schema.messages import Scan

RIGS = runpy.run_path(str(Path(__file__).with_name("fake_rigs.py")))["RIGS"]
CASES = {
    "order": "every scan once and in order",
    "pieces": "partial reads",
    "missing": "missing scans are a jump of the number",
    "old": "repeated and reordered scans are left out",
    "restart": "a counter that begins anew loses no scan",
    "odd": "a scan with an implausible number is left out",
    "size": "a change of size is refused by name",
    "death": "the rig stops and reconnects",
    "saturated": "saturated values are unchanged and counted",
    "slow": "a slow consumer loses no scan",
    "late": "the rig starts after the bridge",
    "garbage": "invalid bytes are refused by name",
}
SIZE = (6, 9)
RNG = np.random.default_rng(0)
SCANS = RNG.integers(0, 8000, (40, *SIZE))
TABLE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


@pytest.fixture(params=RIGS, ids=lambda rig: rig.kind)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """One fake rig of each kind."""
    made = request.param(tmp_path)
    yield made
    made.close()


def skip_impossible(rig: Any, case: str) -> None:
    if case in rig.cannot:
        pytest.skip(f"{rig.kind}: {rig.cannot[case]}")


@contextmanager
def opened(rig: Any) -> Iterator[ScanSource]:
    config = RunConfig.model_validate({"acquisition": {"source": rig.config()}})
    source = open_source(config, HostClock())
    source.begin(HostClock().now_ns())
    try:
        yield source
    finally:
        source.close()


def taken(rig: Any, source: ScanSource, *, wait_ms: int = 20) -> list[Scan]:
    rig.pump()
    bodies = source.measured_until(HostClock().now_ns() + wait_ms * 1_000_000)
    rig.pump()
    return [body for body in bodies if isinstance(body, Scan)]


def collected(rig: Any, source: ScanSource, count: int) -> list[Scan]:
    """All scans until `count` have come and no more arrive, or the time is over."""
    scans: list[Scan] = []
    for _ in range(300):
        scans += taken(rig, source, wait_ms=50)
        if len(scans) >= count:
            break
    return scans + taken(rig, source, wait_ms=1)


def same(scans: list[Scan], expected: np.ndarray) -> None:
    assert len(scans) == len(expected)
    for scan, pixels in zip(scans, expected, strict=True):
        np.testing.assert_array_equal(scan.pixels_counts.astype(np.int64), pixels)


def test_every_scan_comes_once_in_order_with_its_time(rig: Any) -> None:
    with opened(rig) as source:
        for counter, pixels in enumerate(SCANS[:8]):
            rig.send(counter, pixels)
        scans = collected(rig, source, 8)
    same(scans, SCANS[:8])
    assert [scan.number for scan in scans] == list(range(8))
    ends = [scan.t_end_ns for scan in scans]
    assert ends == sorted(ends)
    assert ends[-1] <= HostClock().now_ns()
    assert all(scan.t_start_ns <= scan.t_end_ns for scan in scans)


@pytest.mark.parametrize("piece_bytes", [1, 7, 64])
def test_scans_in_pieces_are_assembled(rig: Any, piece_bytes: int) -> None:
    skip_impossible(rig, "pieces")
    with opened(rig) as source:
        for counter, pixels in enumerate(SCANS[:3]):
            rig.send(counter, pixels, pieces=piece_bytes)
        same(collected(rig, source, 3), SCANS[:3])


def test_missing_scans_show_as_a_jump_of_the_number(rig: Any) -> None:
    skip_impossible(rig, "missing")
    with opened(rig) as source:
        for counter in (3, 4, 9):
            rig.send(counter, SCANS[counter])
        scans = collected(rig, source, 3)
        assert source.health()["lost"] == 4
    same(scans, SCANS[[3, 4, 9]])
    assert [scan.number for scan in scans] == [0, 1, 6]


def test_repeated_and_older_scans_are_left_out(rig: Any) -> None:
    skip_impossible(rig, "old")
    with opened(rig) as source:
        for counter in (5, 6, 6, 4, 7):
            rig.send(counter, SCANS[counter])
        scans = collected(rig, source, 3)
        health = source.health()
    same(scans, SCANS[[5, 6, 7]])
    assert (health["repeated"], health["reordered"]) == (1, 1)


def test_a_counter_that_begins_anew_loses_no_scan(rig: Any) -> None:
    skip_impossible(rig, "restart")
    counters = [*range(20), *range(12)]
    with opened(rig) as source:
        for counter, pixels in zip(counters, SCANS, strict=False):
            rig.send(counter, pixels)
        scans = collected(rig, source, 32)
        health = source.health()
    same(scans, SCANS[:32])
    assert [scan.number for scan in scans] == list(range(32))
    assert [scan.rig_number for scan in scans] == counters
    ends = [scan.t_end_ns for scan in scans]
    assert ends == sorted(set(ends))
    assert (health["restarts"], health["lost"]) == (1, 0)


def test_a_scan_with_an_implausible_number_is_left_out(rig: Any) -> None:
    skip_impossible(rig, "odd")
    with opened(rig) as source:
        for counter in range(20):
            rig.send(9000 if counter == 7 else counter, SCANS[counter])
        scans = collected(rig, source, 19)
        health = source.health()
    same(scans, np.delete(SCANS[:20], 7, axis=0))
    assert [scan.number for scan in scans] == [n for n in range(20) if n != 7]
    assert (health["set_aside"], health["lost"], health["restarts"]) == (1, 0, 0)


def test_a_change_of_size_in_mid_stream_is_refused(rig: Any) -> None:
    skip_impossible(rig, "size")
    with opened(rig) as source:
        rig.send(0, SCANS[0])
        same(collected(rig, source, 1), SCANS[:1])
        # one message of another size is refused alone, as a damaged one, and three are a change
        for counter in range(1, 4):
            rig.send(counter, SCANS[counter, :4, :5])
        with pytest.raises(ScanSizeChangedError, match=r"shape \(4, 5\).*\(6, 9\)"):
            collected(rig, source, 1)


def test_a_rig_may_stop_and_reconnect(rig: Any) -> None:
    skip_impossible(rig, "death")
    with opened(rig) as source:
        for counter in range(4):
            rig.send(counter, SCANS[counter])
        before = collected(rig, source, 4)
        rig.die()
        for counter in range(3):
            rig.send(counter + 20 if rig.kind == "zmq_native" else counter, SCANS[counter])
        after = collected(rig, source, 3)
    same(before + after, SCANS[[0, 1, 2, 3, 0, 1, 2]])
    numbers = [scan.number for scan in before + after]
    assert numbers == sorted(set(numbers))


def test_saturated_values_stay_and_are_counted(rig: Any) -> None:
    glaring = SCANS[1].copy()
    glaring[2, 3] = rig.most
    with opened(rig) as source:
        for counter, pixels in enumerate((SCANS[0], glaring)):
            rig.send(counter, pixels)
        same(collected(rig, source, 2), np.stack([SCANS[0], glaring]))
        assert source.health()["saturated"] == 1


def test_a_slow_consumer_loses_no_scan(rig: Any) -> None:
    with opened(rig) as source:
        taken(rig, source, wait_ms=1)
        for counter, pixels in enumerate(SCANS):
            rig.send(counter, pixels)
            rig.pump()
        same(collected(rig, source, len(SCANS)), SCANS)


def test_a_rig_may_start_after_the_bridge(rig: Any) -> None:
    with opened(rig) as source:
        assert not source.measured_until(HostClock().now_ns() + 5_000_000)
        assert not source.ended
        rig.send(0, SCANS[0])
        same(collected(rig, source, 1), SCANS[:1])


def test_invalid_bytes_are_refused_by_name(rig: Any, caplog: pytest.LogCaptureFixture) -> None:
    skip_impossible(rig, "garbage")
    with opened(rig) as source:
        rig.garbage()
        if rig.kind == "zmq_native":
            # messages have bounds, so one that is refused leaves the next ones readable
            rig.send(0, SCANS[0])
            same(collected(rig, source, 1), SCANS[:1])
            assert source.health()["messages_refused"] == 1
            assert "message refused" in caplog.text
        else:
            with pytest.raises(StreamError):
                collected(rig, source, 1)


def table() -> str:
    lines = [
        "# Conformance of the adapters",
        "",
        "The contract of an adapter is `ScanSource` (`acquisition_bridge/sources/contract.py`).",
        "Every *holds* is a test against a fake rig that sends the bytes of the microscope; a dash",
        "gives the reason why a case does not apply. Finished movies are cut off and changed byte",
        "by byte in `tests/acquisition_bridge/sources/test_damaged_movies.py`. No adapter",
        "has been tested on a real microscope yet. This page is written by",
        "`RTDECODE_WRITE_TABLE=1 pytest tests/acquisition_bridge/test_sources.py`.",
        "",
        "| case | " + " | ".join(rig.kind for rig in RIGS) + " |",
        "|---" * (len(RIGS) + 1) + "|",
    ]
    for case, says in CASES.items():
        cells = [f"– ({rig.cannot[case]})" if case in rig.cannot else "holds" for rig in RIGS]
        lines.append(f"| {says} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs_lists_the_tests() -> None:
    if os.environ.get("RTDECODE_WRITE_TABLE"):
        TABLE.write_text(table(), encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == table()
