"""The status says which process gives nothing, and counts what arrives twice once."""

from dataclasses import replace
from typing import Any

import pytest

from rtdecode.runtime.restarts import run_failed_event
from rtdecode.schema.messages import Body, End, Event, Gap, Health, Received, Score, Start
from rtdecode.view.run_state import RunState

RESTART = Event("warning", "decoder", "process_restarted", "the process failed", {"restarts": 1})
START = Start("s", "", "", "")


@pytest.fixture
def state(rig: Any) -> RunState:
    return RunState(clock=rig.clock)


def sent(rig: Any, source: str, body: Body) -> Received:
    item: Received = rig.received(body)
    return replace(item, message=replace(item.message, source=source))


def title(state: RunState) -> tuple[str, str]:
    status = state.as_json()
    return str(status["level"]), f"{status['title']}: {status['sentence']}"


def test_a_decoder_that_is_restarted_is_named_until_it_gives_frames_again(
    state: RunState, rig: Any
) -> None:
    state.add(rig.decoded(1, 0.0))
    rig.clock.t_ns += 1_000_000_000
    state.add(sent(rig, "supervisor", RESTART))
    rig.clock.t_ns += 2_000_000_000
    said = (
        "Decoder restarting: Decoder restarting since 2 s. "
        "No reconstruction for 3 s: the pictures are outdated."
    )
    assert title(state) == ("bad", said)
    state.add(rig.decoded(80, 0.0))
    assert state.as_json()["title"] == "Warning"
    assert state.as_json()["counters"]["frames_not_decoded"] == 78
    rig.clock.t_ns += 60_000_000_000
    state.add(rig.decoded(80, 0.0))
    assert state.as_json()["title"] == "Live"


@pytest.mark.parametrize(
    ("health", "age_s", "expected"),
    [("starting", 0, "Decoder is starting"), ("running", 5, "Decoder silent since 5 s")],
)
def test_heartbeats_tell_whether_the_decoder_starts_or_hangs(
    state: RunState, rig: Any, health: str, age_s: int, expected: str
) -> None:
    state.add(rig.decoded(1, 0.0))
    rig.clock.t_ns += 100_000_000
    state.add(sent(rig, "decoder", Health(health, "", {})))
    rig.clock.t_ns += max(2, age_s) * 1_000_000_000
    assert expected in title(state)[1]


def test_a_silent_recorder_is_reported(state: RunState, rig: Any) -> None:
    state.add(sent(rig, "events", Health("running", "", {"recorder_backlog_mb": 1.5})))
    rig.clock.t_ns += 4_000_000_000
    state.add(rig.decoded(1, 0.0))
    assert title(state)[1] == "Recorder silent: Recorder silent since 4 s."
    assert state.as_json()["recording"]["backlog_mb"] == 1.5


def test_clocks_of_other_hosts_are_stated(state: RunState, rig: Any) -> None:
    counters = {"clock_offset_ms": 2.0, "clock_drift_ppm": 7.0, "clock_uncertainty_ms": 0.25}
    state.add(sent(rig, "bridge", Health("running", "", counters)))
    state.add(sent(rig, "decoder", Health("running", "", {})))
    assert state.as_json()["clocks"] == ["bridge: clock 0.002000 s, 7 ± 0 ppm, ± 0.2 ms"]


def test_a_score_that_is_restarted_is_called_outdated(state: RunState, rig: Any) -> None:
    state.add(rig.received(Score(0.5, 0.4, 0.3, 10.0, 10.0, 300, final=False)))
    rig.clock.t_ns += 6_000_000_000
    state.add(sent(rig, "supervisor", replace(RESTART, process="evaluate")))
    state.add(rig.decoded(1, 0.0))
    assert title(state) == (
        "warning",
        "Evaluate restarting: Evaluate restarting since 0 s.",
    )
    assert state.as_json()["score_age_s"] == 6


def test_what_arrives_from_its_process_and_from_the_recorder_counts_once(
    state: RunState, rig: Any
) -> None:
    items = [
        sent(rig, "decoder", Gap("bridge/scan", 1, 2, "decoder")),
        sent(rig, "recorder", Gap("bridge/scan", 1, 2, "recorder")),
        sent(rig, "bridge", Event("warning", "bridge", "scans_lost", "lost", {"scans": 7})),
    ]
    for item in [*items, *items, *reversed(items)]:
        state.add(item)
    losses = state.as_json()["losses"]
    assert losses["lost_by_stream"] == {"bridge/scan": 2}
    assert losses["missed"] == {"bridge/scan by decoder": 2}
    assert losses["scans_lost"] == 7
    assert [one["times"] for one in state.as_json()["events"]] == [1]


def test_a_failed_run_is_stated_with_its_reason(state: RunState, rig: Any) -> None:
    failed = run_failed_event("decoder", code=7, why="no such twin")
    for item in (sent(rig, "decoder", START), sent(rig, "supervisor", failed)):
        state.add(item)
    status = state.as_json()
    assert (status["title"], status["level"]) == ("Failed", "bad")
    reason = "decoder ended with exit code 7, which ends the run: no such twin"
    assert status["sentence"] == f"The run has failed: {reason}."
    assert status["end"]["failed"] == reason
    state.add(sent(rig, "bridge", End("s", "stopped")))
    assert state.as_json()["title"] == "Failed"


def test_a_source_that_starts_again_has_not_ended(state: RunState, rig: Any) -> None:
    first = sent(rig, "decoder", START)
    for item in (first, rig.decoded(1, 0.0), sent(rig, "decoder", End("s", "stopped"))):
        state.add(item)
    state.add(first)  # published again for a new subscriber
    assert state.as_json()["title"] == "Ended"
    rig.clock.t_ns += 500_000_000
    state.add(sent(rig, "decoder", START))
    assert state.as_json()["title"] == "Live"
