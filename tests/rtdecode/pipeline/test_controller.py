"""The process of the controller, with real sockets: what it receives, records and keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.control.loading import policy_hash
from rtdecode.pipeline.controller import main
from rtdecode.pipeline.policy_setting import earlier_actions_s, policy_setting
from rtdecode.pipeline.preflight import checked
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.operator_link import OperatorCommand, command_to_controller
from rtdecode.runtime.progress import Progress
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.control import Action, Observed
from rtdecode.schema.errors import BadInputError, SettingMissingError
from rtdecode.schema.messages import Body, End, Event, Health, Reconstruction, Stamped, Start
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock

MakeRun = Callable[..., RunConfig]
GREY = np.full((6, 8), 128, np.float32)
POLICY = """
from rtdecode.control.policy import Request
from rtdecode.schema.messages import Reconstruction

class Fires:
    def __init__(self, setting):
        pass

    def decide(self, observation):
        is_frame = isinstance(observation.body, Reconstruction)
        return [Request.trigger("nothing", reason="a frame")] if is_frame else []
"""
ROLES = tuple(role for role in Role if role not in {Role.STIMULUS, Role.EVALUATE, Role.VIEW})


@pytest.fixture
def run(tmp_path: Path) -> RunConfig:
    (tmp_path / "fires.py").write_text(POLICY)
    policy = {"file": tmp_path / "fires.py", "class": "Fires"}
    sections: dict[str, Any] = {"processes": ROLES, "control": {"policy": policy, "silence_s": 60}}
    return RunConfig.model_validate(sections)


def frame(number: int, t_ready_ns: int) -> Reconstruction:
    return Reconstruction(
        GREY, GREY, number, 5, 4, 4, 4, 4, t_ready_ns, 6, 3, 0.5, warm=True, late=False
    )


@pytest.mark.system
def test_frames_are_observed_and_decided_about_and_only_an_armed_controller_acts(
    tmp_path: Path, run: RunConfig, conducted: Any
) -> None:
    with conducted(main, run, tmp_path) as scene:
        ready, _, events = (scene.publisher(one) for one in ("ready", "bridge", "events"))
        scene.go()
        ready.push(frame(7, HostClock().now_ns()))
        scene.until(lambda health: health.counters["withheld"] == 1)
        events.push(Health("running", "", {}))
        arm = command_to_controller(OperatorCommand.ARM, by="a test", t_ns=HostClock().now_ns())

        def is_armed(health: Health) -> bool:
            scene._server.send("controller", arm)
            return bool(health.counters["armed"])

        scene.until(is_armed)
        ready.push(frame(8, HostClock().now_ns()))
        scene.until(lambda health: health.counters["actions"] == 2)
        assert scene.end() == 0
    told = scene.bodies("controller")
    assert isinstance(told[0], Start)
    assert run.control is not None
    assert told[0].versions["policy_sha256"] == policy_hash(run.control.policy)
    assert isinstance(told[-1], End)
    actions = [body for body in told if isinstance(body, Action)]
    assert [(one.number, one.cause_frame, one.outcome) for one in actions] == [
        (0, 7, "not_armed"),
        (1, 8, "sent"),
    ]
    seen = [body.number for body in told if isinstance(body, Observed) and "emit" in body.stream]
    assert seen == [7, 8]
    # an output that is not in the config: the action is recorded with what became of it
    codes = [body.code for body in told if isinstance(body, Event)]
    assert codes == ["armed", "disarmed"]
    (delivery,) = (body for body in told if body.kind == "delivery")
    assert "no output named 'nothing'" in delivery.error


@pytest.mark.system
def test_a_restarted_controller_is_not_armed_and_continues_its_numbers(
    tmp_path: Path, run: RunConfig, conducted: Any
) -> None:
    (tmp_path / "session").mkdir()
    kept = tmp_path / "session" / "controller.progress"
    with Progress(kept, ("actions", "armed")) as progress:
        progress.write(5, 1)
    with conducted(main, run, tmp_path, restarts=1) as scene:
        ready = scene.publisher("ready")
        scene.go()

        def has_decided(health: Health) -> bool:
            ready.push(frame(9, 1))
            return health.counters["withheld"] > 0

        scene.until(has_decided)
        assert scene.end() == 0
    told = scene.bodies("controller")
    event = next(body for body in told if isinstance(body, Event))
    assert (event.code, "started again" in event.text) == ("disarmed", True)
    assert next(body.number for body in told if isinstance(body, Action)) == 5
    assert not kept.exists()


def test_a_controller_without_a_policy_is_refused(
    tmp_path: Path, conducted: Any, run: RunConfig
) -> None:
    refusals = list[SettingMissingError]()

    def refused(process: Any) -> int:
        try:
            return main(process)
        except SettingMissingError as error:
            refusals.append(error)
            return error.exit_code

    refused.__module__ = main.__module__
    without = run.model_copy(update={"control": None, "processes": None})
    with conducted(refused, without, tmp_path) as scene:
        scene.thread.join()
        assert scene.end() == 2
    assert "set control" in str(refusals[0])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"name": "thresold"}, "there is no policy 'thresold'"),
        ({"name": "threshold"}, "above of the policy threshold"),
        ({"file": "gone.py", "class": "Fires"}, "gone.py: there is no such file"),
        ({"file": "fires.py", "class": "Fire"}, "it has no class Fire"),
        ({"file": "fires.py", "class": "Fires", "options": {"clip": 1}}, "takes no options"),
    ],
)
def test_a_policy_that_cannot_be_made_is_found_before_a_start(
    run: RunConfig, tmp_path: Path, policy: dict[str, Any], said: str
) -> None:
    if "file" in policy:
        policy = policy | {"file": tmp_path / policy["file"]}
    sections = {
        "processes": ("recorder", "controller", "bridge"),
        "acquisition": {"source": {"kind": "zmq_native", "address": "tcp://127.0.0.1:*"}},
        "record": {"folder": tmp_path},
        "stimulus": {"embedded_clips": 2, "clip_s": 0.5},
        "control": {"policy": policy},
    }
    with pytest.raises(BadInputError, match=said):
        checked(RunConfig.model_validate(sections))


def test_a_policy_is_made_with_the_clips_of_the_stimulus() -> None:
    stimulus = {"embedded_clips": 2, "clip_s": 0.5}
    setting = policy_setting(RunConfig.model_validate({"stimulus": stimulus}))
    assert len(setting.clips) == 2
    for clip in setting.clips:
        assert setting.clip_frames(clip).shape == (15, 36, 64)
    assert setting.screen_mask.all()


def test_with_a_protocol_the_clips_are_its_movies_and_stills(tmp_path: Path) -> None:
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text(
        "blocks: [{stimuli: [{kind: movie, embedded: 1}, {kind: blank, duration_s: 1.0}]}]"
    )
    stimulus = {"embedded_clips": 2, "clip_s": 0.5, "protocol": protocol}
    setting = policy_setting(RunConfig.model_validate({"stimulus": stimulus}))
    assert setting.clips == ("embedded-1",)
    assert setting.clip_frames("embedded-1").shape == (15, 36, 64)


def test_actions_of_another_session_have_their_times_since_its_arming(tmp_path: Path) -> None:
    def action(number: int, outcome: str, t_ns: int) -> Action:
        times = (0, 0, t_ns, t_ns)
        return Action(number, "show_clip", "p", outcome, "time", -1, *times, target=f"clip{number}")

    bodies: list[Body] = [
        Observed("time", 1, 1_000, armed=False),
        action(0, "not_armed", 1_000),
        Observed("time", 2, 2_000_000_000, armed=True),
        action(1, "sent", 2_000_000_000),
        Observed("time", 3, 3_500_000_000, armed=True),
        action(2, "sent", 3_500_000_000),
        action(3, "rate_limited", 3_500_000_000),
    ]
    recorder = Recorder(tmp_path, flush_s=1.0, clock=RecordedClock())
    for number, body in enumerate(bodies):
        message = Stamped("controller", number, number, "host", body)
        recorder.write(pack(message), message, number)
    recorder.close()
    found = list(earlier_actions_s(tmp_path))
    assert [(t_s, request.target) for t_s, request in found] == [(0.0, "clip1"), (1.5, "clip2")]
