"""The lamp means data on the disk: a recorder that runs and writes nothing is not recording."""

from dataclasses import replace
from typing import Any

from rtdecode.schema.messages import Health
from rtdecode.view.recording_state import RecordingState

S = 1_000_000_000


def beats(state: RecordingState, rig: Any, source: str = "events", **counters: float) -> Any:
    item = rig.received(Health("running", "", counters))
    state.add(replace(item, message=replace(item.message, source=source)))
    return state.as_json(rig.clock.t_ns)


def test_the_lamp_is_lit_while_the_log_grows(rig: Any) -> None:
    state = RecordingState()
    assert state.as_json(rig.clock.t_ns)["state"] == "waiting"
    assert beats(state, rig)["state"] == "waiting"
    for mb in (1.0, 2.0, 3.0):
        rig.clock.t_ns += S
        assert beats(state, rig, log_mb=mb)["state"] == "recording"
    for _ in range(7):
        rig.clock.t_ns += S
        found = beats(state, rig, log_mb=3.0)
    assert found["state"] == "still"
    assert beats(state, rig, log_mb=3.5)["state"] == "recording"
    rig.clock.t_ns += 4 * S
    assert state.as_json(rig.clock.t_ns)["state"] == "silent"


def test_a_log_that_is_seldom_flushed_may_stand_still_for_longer(rig: Any) -> None:
    state = RecordingState(flush_s=10.0)
    beats(state, rig, log_mb=1.0)
    rig.clock.t_ns += 20 * S
    assert beats(state, rig, log_mb=1.0)["state"] == "recording"


def test_disk_and_backlog_are_those_of_the_heartbeats(rig: Any) -> None:
    state = RecordingState()
    figures = {"log_mb": 3.0, "disk_free_mb": 5e4, "disk_minutes_left": 90.0}
    beats(state, rig, **figures, recorder_backlog_mb=0.0)
    beats(state, rig, "bridge", recorder_backlog_mb=1.5)
    found = beats(state, rig, "stimulus", recorder_backlog_mb=float("nan"))
    expected = {"log_mb": 3.0, "free_mb": 5e4, "minutes_left": 90.0, "backlog_mb": 1.5}
    assert found == {"state": "recording", **expected}
