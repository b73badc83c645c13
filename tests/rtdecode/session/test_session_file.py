"""`session.json` states who, when and which twin, and the log alone states when."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_run import WrittenRun

from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock, wall_clock
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Start
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.session_file import (
    kept_wall_clock,
    recorded_wall_clock,
    session_facts,
    write_session_file,
)

UTC_NS = 1_795_000_000_000_000_000
CONFIG = RunConfig.model_validate(
    {
        "decode": None,
        "stimulus": {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"},
        "session": {
            "experimenter": ["Müller, Ina"],
            "protocol": "2026-17",
            "animal": {"id": "m-204", "born": "2026-07-01"},
        },
    }
)


@given(t_ns=st.integers(-(10**15), 10**15))
def test_monotonic_time_and_utc_agree_to_the_microsecond(t_ns: int) -> None:
    clock = WallClock(UTC_NS, 123_456_789, 50)
    assert 0 <= t_ns - clock.t_ns_of(clock.utc(t_ns)) < 1000


def test_the_clock_of_the_day_is_read_between_two_readings_of_the_other() -> None:
    before, read, after = datetime.now(UTC), wall_clock(HostClock()), datetime.now(UTC)
    assert before <= read.utc(read.t_ns + read.uncertainty_ns + 1000)
    assert read.utc(read.t_ns - read.uncertainty_ns - 1000) <= after


def test_the_file_has_animal_protocol_twin_and_the_wall_clock(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "s", CONFIG)
    clock = WallClock(UTC_NS, 3_400_000_000, 60)
    write_session_file(run.session, CONFIG, wall_clock=clock, twin={"name": "t", "hash": "0a"})
    found = json.loads(run.session.session_file.read_text(encoding="utf-8"))
    assert found["begins"]["utc"] == clock.utc(clock.t_ns).isoformat(timespec="milliseconds")
    assert found["begins"]["utc_ns"] == UTC_NS
    assert (found["animal"]["id"], found["animal"]["born"]) == ("m-204", "2026-07-01")
    assert found["experimenter"] == ["Müller, Ina"]
    assert (found["protocol"], found["twin"]["hash"]) == ("2026-17", "0a")
    assert kept_wall_clock(run.end()) == clock


def test_the_log_alone_states_when_it_begins(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "s", CONFIG)
    begins_ns = run.grid.start_ns(100)
    start = replace(Start("s", "", "", ""), utc_ns=UTC_NS, utc_at_ns=begins_ns)
    run.send("supervisor", start, 100)
    run.start("bridge", frame=130)
    session = run.end()
    clock = recorded_wall_clock(session)
    assert clock is not None
    summary = summarise(session)
    assert summary.begins_utc == clock.utc(begins_ns).isoformat(timespec="milliseconds")
    assert f"recorded from {summary.begins_utc[:10]}" in summary.text()


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"begins": {"utc_ns": "x"}}'])
def test_an_absent_or_damaged_file_states_nothing(tmp_path: Path, content: str | None) -> None:
    session = WrittenRun(tmp_path / "s", CONFIG).end()
    if content is not None:
        session.session_file.write_text(content, encoding="utf-8")
    assert kept_wall_clock(session) is None
    assert recorded_wall_clock(session) is None
    assert session_facts(session).get("twin") is None
    assert summarise(session).begins_utc is None
