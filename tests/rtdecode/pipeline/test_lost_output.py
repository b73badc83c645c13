"""A serial port that disappears while a policy fires: alarm, disarmed, and the session goes on."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtdecode.control.arming import Arming, Watched
from rtdecode.control.decision_stage import DecisionStage
from rtdecode.control.policy import Observation, Request
from rtdecode.pipeline.action_carrier import ActionCarrier
from rtdecode.pipeline.control_stage import ControlStage, Surroundings
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.outputs import Outputs
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config.outputs import SerialOutput
from rtdecode.schema.control import Action, Delivery, Observed
from rtdecode.schema.messages import Behaviour, Body, Event, Received, Stamped

CLOCK = HostClock()
WAIT_S = 60.0
SAMPLE = Behaviour(0, 1.0, 1.0, np.zeros(2, np.float32))


class FiresAlways:
    def decide(self, observation: Observation) -> list[Request]:
        return [Request.trigger("laser")] if isinstance(observation.body, Behaviour) else []


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Path, list[int]]]:
    ends = list(os.openpty())
    port = tmp_path / "ttyTTL"
    port.symlink_to(os.ttyname(ends[1]))
    yield port, ends
    for end in ends:
        os.close(end)


def stage_with(outputs: Outputs) -> ControlStage:
    arming = Arming(dead_man_s=None, silence_s=1e6)
    arming.received(Watched.RECORDER, t_ns=CLOCK.now_ns())
    arming.arm("a test", t_ns=CLOCK.now_ns())
    around = Surroundings(
        clock=CLOCK,
        commands=list,
        answer=lambda _command: None,
        lost=list,
        supervisor_ns=lambda: 0,
        is_ending=lambda: False,
        keep=lambda _number, _armed: None,
    )
    decisions = DecisionStage(FiresAlways(), policy="fires", max_actions_per_s=100.0, clock=CLOCK)
    carrier = ActionCarrier(None, outputs, clock=CLOCK)
    return ControlStage(decisions, arming, carrier, around, max_actions_per_s=100.0)


def observed(stage: ControlStage, seq: int) -> list[Body]:
    now_ns = CLOCK.now_ns()
    return list(stage.step([Received(Stamped("bridge", seq, now_ns, "host", SAMPLE), now_ns)]))


def test_a_port_that_disappears_disarms_with_an_alarm_and_observations_go_on(
    pair: tuple[Path, list[int]],
) -> None:
    port, ends = pair
    config = SerialOutput(name="laser", port=str(port), pulse_ms=0.1)
    with Messaging() as messaging, Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        stage = stage_with(outputs)
        before = observed(stage, 0)
        while ends:
            os.close(ends.pop())
        recorded = list(before)
        until_ns = CLOCK.now_ns() + round(WAIT_S * 1e9)
        while stage.counters()["armed"]:
            assert CLOCK.now_ns() < until_ns, "the controller is still armed"
            recorded += observed(stage, len(recorded))
            threading.Event().wait(0.005)
        after = observed(stage, len(recorded))
    alarms = [one for one in recorded if isinstance(one, Event) and one.severity == "alarm"]
    assert "output 'laser' did not take a trigger" in alarms[0].text
    assert alarms[0].code == "disarmed"
    failed = [one for one in recorded if isinstance(one, Delivery) and one.error]
    assert failed
    assert [one.outcome for one in after if isinstance(one, Action)] == ["not_armed"]
    assert any(isinstance(one, Observed) for one in after)
