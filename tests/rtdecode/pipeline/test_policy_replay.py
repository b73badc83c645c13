"""A replay repeats the recorded decisions of a policy, and names the first one that differs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.control.decision_stage import TIME, DecisionStage, Given, given
from rtdecode.control.loading import made_policy
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.pipeline import policy_replay
from rtdecode.pipeline.policy_replay import PolicyReplay, is_same, read_policy, replay_policy
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.recorded_observations import has_controller, made_turns, observed_turns
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import ControlConfig, PolicyConfig
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.control import Acknowledgement, Action, Observed
from rtdecode.schema.errors import BadInputError
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Received,
    Reconstruction,
    Score,
    Stamped,
    Start,
)
from rtdecode.session.layout import SessionLayout
from rtdecode.session.log import LogWriter
from rtdecode.session.replay import RecordedClock

MS = 1_000_000
CONFIG = RunConfig(stimulus=StimulusConfig(embedded_clips=2, clip_s=0.2, seed=3))
SENSITIVE = """
import hashlib
import numpy as np
from rtdecode.control.policy import Request

class Sensitive:
    '''Whatever it is given, in whatever order, changes all that it asks for.'''

    def __init__(self, setting, *, salt=0):
        self._hash = hashlib.sha256(str((salt, setting.seed, setting.clips)).encode())

    def decide(self, observation):
        body = observation.body
        seen = (observation.t_ns, observation.armed, observation.armed_for_s, type(body).__name__)
        for name in ("frame", "video_r", "index", "number", "late", "result", "t_flip_ns", "text"):
            seen += (getattr(body, name, None),)
        self._hash.update(str(seen).encode())
        if hasattr(body, "luminance"):
            self._hash.update(body.luminance.tobytes())
        digest = self._hash.digest()
        if digest[0] % 3:
            return []
        if digest[1] % 2:
            return [Request.trigger("ttl", value=digest[2], reason=self._hash.hexdigest())]
        return [Request.show_frames(np.full((2, 3, 4), digest[3], np.uint8), name=f"f{digest[4]}")]

class Unfit:
    pass
"""


@cache
def setting() -> PolicySetting:
    """Made once, because its clips take time; it does not depend on the policy."""
    return policy_setting(CONFIG)


replayed = partial(replay_policy, setting_of=lambda _config: setting())


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "sensitive.py"
    path.write_text(SENSITIVE)
    return path


def reconstruction(frame: int, *, late: bool = False) -> Reconstruction:
    picture = np.full((36, 64), frame % 200, np.float32)
    t_ns = frame * 33 * MS
    return Reconstruction(
        picture, picture, frame, t_ns, *(t_ns + k * MS for k in (20, 30, 31, 32, 40)),
        6, 3, 0.5, warm=True, late=late,
    )  # fmt: skip


def displayed(index: int, t_ns: int) -> DisplayedFrame:
    return DisplayedFrame("owl", index, np.full((36, 64), index % 250, np.uint8), t_ns, 2)


class Live:
    """A run of the controller that keeps all its messages, as the recorder gets them."""

    def __init__(self, policy: PolicyConfig, *, max_actions_per_s: float = 10.0) -> None:
        control = ControlConfig(policy=policy, max_actions_per_s=max_actions_per_s)
        self.config = CONFIG.model_copy(update={"control": control})
        self.messages: list[tuple[int, Stamped]] = []
        self._seq: dict[str, int] = {}
        self._times = 0
        self.start(first_number=0)

    def start(self, *, first_number: int, t_ns: int = 0) -> None:
        control = self.config.control
        assert control is not None
        self._stage = DecisionStage(
            made_policy(control.policy, setting()),
            policy=control.policy.class_name,
            max_actions_per_s=control.max_actions_per_s,
            clock=RecordedClock(),
            first_number=first_number,
        )
        self._seq = {k: v for k, v in self._seq.items() if not k.startswith("controller")}
        self.record("controller", Start("session", "", "", ""), t_ns)

    def record(self, source: str, body: Body, t_ns: int) -> Stamped:
        key = f"{source}/{body.kind}"
        self._seq[key] = self._seq.get(key, -1) + 1
        message = Stamped(source, self._seq[key], t_ns, "host", body)
        self.messages.append((t_ns, message))
        return message

    def observe(self, source: str, body: Body | None, t_ns: int, *, armed: bool) -> None:
        if body is None:
            self._times += 1
            item = Given(TIME, self._times, t_ns, armed)
        elif isinstance(body, Reconstruction):
            # observed when it is ready; recorded 90 ms later, and late or not
            ready = Stamped("ready", body.frame, t_ns, "host", body)
            item = given(Received(ready, t_ns), body, t_ns=t_ns, armed=armed)
            self.record("emit", replace(body, late=body.frame % 2 == 0), t_ns + 90 * MS)
        else:
            message = self.record(source, body, t_ns - MS)
            item = given(Received(message, t_ns), body, t_ns=t_ns, armed=armed)  # type: ignore[arg-type]
        for out in self._stage.step([item]):
            self.record("controller", out, t_ns)

    @property
    def actions(self) -> list[Action]:
        return [m.body for _, m in self.messages if isinstance(m.body, Action)]

    def session(self, folder: Path) -> SessionLayout:
        return written(folder, self.config, self.messages)


def written(
    folder: Path, config: RunConfig, messages: Sequence[tuple[int, Stamped]]
) -> SessionLayout:
    """A session folder with the messages in the order in which a recorder receives them."""
    folder.mkdir(parents=True, exist_ok=True)
    session = SessionLayout(folder)
    write_config(config, session.config)
    log = LogWriter(session.log)
    for t_ns, message in sorted(messages, key=lambda one: one[0]):
        times = {"t_sent_ns": message.t_ns, "t_logged_ns": t_ns}
        log.add(pack(message), stream=message.stream, seq=message.seq, **times)
    log.close()
    return session


STEPS = st.lists(
    st.tuples(st.sampled_from(["frame", "score", "shown", "time", "ack"]), st.integers(1, 60)),
    min_size=1,
    max_size=60,
)


def live_run(
    policy: PolicyConfig, steps: Sequence[tuple[str, int]], *, arms: int = 0, rate_hz: float = 10.0
) -> Live:
    live = Live(policy, max_actions_per_s=rate_hz)
    t_ns, frame = 0, 10
    for k, (what, wait_ms) in enumerate(steps):
        t_ns += wait_ms * MS
        armed = (k // max(1, arms)) % 2 == 0 if arms else True
        if what == "frame":
            frame += 1
            live.observe("ready", reconstruction(frame), t_ns, armed=armed)
        elif what == "score":
            live.observe("evaluate", Score(k / 60, 0, 0, 0, 10, 300, False), t_ns, armed=armed)
        elif what == "shown":
            live.observe("stimulus", displayed(k, t_ns), t_ns, armed=armed)
        elif what == "ack":
            ack = Acknowledgement(k, "applied", "show_frames", "f1", t_ns, t_ns, k)
            live.observe("stimulus", ack, t_ns, armed=armed)
        else:
            live.observe("", None, t_ns, armed=armed)
    return live


@settings(max_examples=25)
@drawn(STEPS, st.integers(0, 7), st.sampled_from([0.5, 5.0, 1000.0]))
def test_the_live_policy_decides_again_as_recorded(
    tmp_path_factory: pytest.TempPathFactory,
    policy_file: Path,
    steps: list[tuple[str, int]],
    arms: int,
    rate_hz: float,
) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, steps, arms=arms, rate_hz=rate_hz)
    session = live.session(tmp_path_factory.mktemp("session"))
    found = replayed(session, ControlConfig(policy=config))
    assert found.compared is not None
    n = len(live.actions)
    assert (found.compared.recorded, found.compared.identical) == (n, n)
    assert f"identical to the recorded decisions: {n} of {n}" in list(found.sentences())
    assert [one.outcome for one in found.actions] == [one.outcome for one in live.actions]
    assert found.missing == 0


LONG = [("frame", 33), ("shown", 5), ("time", 20), ("score", 9), ("ack", 4)] * 30


# a controller that is killed after it kept the number of an action and before it recorded it
# leaves the number out
@pytest.mark.parametrize("left_out", [0, 1])
def test_a_restarted_controller_begins_with_a_new_policy(
    tmp_path: Path, policy_file: Path, left_out: int
) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG, arms=7)
    first_number = live.actions[-1].number + 1 + left_out
    live.start(first_number=first_number, t_ns=live.messages[-1][0])
    for k in range(200, 260):
        live.observe("ready", reconstruction(k), (6000 + 33 * k) * MS, armed=True)
    found = replayed(live.session(tmp_path), ControlConfig(policy=config))
    assert found.compared is not None
    assert found.compared.identical == len(live.actions) > 40
    assert found.compared.difference == ""


def changed(live: Live, change: Callable[[Action], Action], *, number: int) -> Live:
    live.messages = [
        (t_ns, replace(m, body=change(m.body)))
        if isinstance(m.body, Action) and m.body.number == number
        else (t_ns, m)
        for t_ns, m in live.messages
    ]
    return live


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: replace(a, value=a.value + 1), "action 4: value was"),
        (lambda a: replace(a, reason="other"), "action 4: reason was 'other', replayed"),
        (lambda a: replace(a, outcome="sent"), "action 4: outcome was 'sent', replayed"),
        (lambda a: replace(a, t_observed_ns=1), "action 4: t_observed_ns was 1, replayed"),
    ],
)
def test_the_first_difference_is_named(
    tmp_path: Path, policy_file: Path, change: Callable[[Action], Action], said: str
) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG, arms=1, rate_hz=0.5)
    assert live.actions[4].outcome != "sent"
    n = len(live.actions)
    found = replayed(
        changed(live, change, number=4).session(tmp_path), ControlConfig(policy=config)
    )
    (sentence,) = [one for one in found.sentences() if "identical" in one]
    assert sentence.startswith(f"not identical to the recorded decisions ({n - 1} of {n} are)")
    assert said in sentence


def test_a_decision_that_is_missing_on_one_side_is_named(tmp_path: Path, policy_file: Path) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG)
    lost = live.actions[2]
    live.messages = [one for one in live.messages if one[1].body is not lost]
    found = replayed(live.session(tmp_path), ControlConfig(policy=config))
    assert found.compared is not None
    assert found.compared.difference.startswith("action 2")
    assert found.compared.difference.endswith("is only in the replay")


def test_a_message_that_the_log_lacks_is_counted(tmp_path: Path, policy_file: Path) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG)
    lost = next(one for one in live.messages if one[1].stream == "emit/reconstruction")
    live.messages.remove(lost)
    found = replayed(live.session(tmp_path), ControlConfig(policy=config))
    assert found.missing == 1
    assert "the log lacks 1 further observations, or their messages" in list(found.sentences())


def test_a_policy_that_failed_live_is_compared_until_then(
    tmp_path: Path, policy_file: Path
) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG[:60])
    n = len(live.actions)
    t_ns = live.messages[-1][0] + 200 * MS
    live.observe("", None, t_ns, armed=True)
    # too slow at its last observation: nothing that it asked for was recorded
    live.messages = [
        m for m in live.messages if not (isinstance(m[1].body, Action) and m[0] == t_ns)
    ]
    live.record("controller", Event("alarm", "controller", "policy_failed", "too slow"), t_ns)
    found = replayed(live.session(tmp_path), ControlConfig(policy=config))
    assert found.compared is not None
    assert (found.compared.identical, found.compared.difference) == (n, "")
    assert found.failure == "too slow"
    # after a restart the policy is called again
    live.start(first_number=n, t_ns=t_ns + MS)
    for k in range(200, 260):
        live.observe("ready", reconstruction(k), t_ns + 33 * k * MS, armed=True)
    again = replayed(live.session(tmp_path / "restarted"), ControlConfig(policy=config))
    assert again.compared is not None
    assert (again.compared.identical, again.compared.difference) == (len(live.actions), "")
    assert len(live.actions) > n
    assert again.failure == "too slow"


def test_a_policy_that_fails_in_the_replay_alone_is_not_identical(
    tmp_path: Path, policy_file: Path
) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    session = live_run(config, LONG).session(tmp_path)
    n_decided = 0

    def decides(policy: object, observation: Observation) -> list[Request]:
        nonlocal n_decided
        n_decided += 1
        if n_decided == len(LONG):
            raise MemoryError
        return sensitive(policy, observation)

    sensitive = type(made_policy(config, setting())).decide
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(policy_replay, "made_policy", lambda *given: Patched(*given, decides))
        found = replayed(session, ControlConfig(policy=config))
    assert found.compared is not None
    assert found.compared.difference == "the policy failed in the replay alone"
    assert "MemoryError" in found.failure


class Patched:
    """The policy of a config, with another `decide`."""

    def __init__(
        self,
        config: PolicyConfig,
        setting: PolicySetting,
        decides: Callable[[object, Observation], list[Request]],
    ) -> None:
        self._policy, self._decides = made_policy(config, setting), decides

    def decide(self, observation: Observation) -> list[Request]:
        return self._decides(self._policy, observation)


def test_observations_that_the_log_lacks_are_counted(tmp_path: Path, policy_file: Path) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG)
    deciding = {live.messages[k - 1][1].seq for k, m in enumerated_actions(live)}
    lost = [m for m in live.messages if isinstance(m[1].body, Observed)]
    lost = [m for m in lost if m[1].seq not in deciding][3:6]
    live.messages = [m for m in live.messages if m not in lost]
    assert replayed(live.session(tmp_path), ControlConfig(policy=config)).missing == 3


def test_a_log_that_ends_early_is_named(tmp_path: Path, policy_file: Path) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    session = live_run(config, LONG).session(tmp_path)
    said = "the log ends early: what followed is unknown, see `rtdecode recover`"
    assert said not in list(replayed(session, ControlConfig(policy=config)).sentences())
    whole = session.log.read_bytes()
    session.log.write_bytes(whole[: len(whole) * 2 // 3])
    assert said in list(replayed(session, ControlConfig(policy=config)).sentences())
    session.log.write_bytes(whole[:300])
    *_, last = replayed(session, ControlConfig(policy=config)).sentences()
    assert last.startswith("the log has no message of its controller")


def enumerated_actions(live: Live) -> list[tuple[int, Stamped]]:
    return [(k, m) for k, (_, m) in enumerate(live.messages) if isinstance(m.body, Action)]


def of_another(tmp_path: Path, policy_file: Path, live: Live) -> PolicyReplay:
    other = PolicyConfig(file=policy_file, class_name="Sensitive", options={"salt": 1})
    return replayed(live.session(tmp_path), ControlConfig(policy=other))


def test_another_policy_counts_as_armed_and_is_not_told_of_the_commands_of_the_live_one(
    tmp_path: Path, policy_file: Path
) -> None:
    live = live_run(PolicyConfig(file=policy_file, class_name="Sensitive"), LONG, arms=9)
    found = of_another(tmp_path, policy_file, live)
    assert found.compared is None
    assert {one.outcome for one in found.actions} <= {"sent", "rate_limited"}
    assert found.observations == 120  # 150 without the 30 acknowledgements
    (sentence,) = [one for one in found.sentences() if "compared" in one]
    assert sentence.startswith("the policy of the session was Sensitive, with other options")


def test_without_a_controller_messages_come_in_the_order_of_their_readiness(tmp_path: Path) -> None:
    messages = []
    for k in range(1, 90):
        frame = reconstruction(k)
        sent_ns, shown_ns = frame.t_ready_ns + 90 * MS, k * 33 * MS + 5 * MS
        messages += [
            (sent_ns, Stamped("emit", k, sent_ns, "host", frame)),
            (shown_ns, Stamped("stimulus", k, shown_ns, "host", displayed(k, shown_ns))),
        ]
    session = written(tmp_path, CONFIG, messages)
    assert not has_controller(session.log)
    items = [turn.given for turn in made_turns(session.log) if turn.given is not None]
    times = [item.t_ns for item in items]
    assert times == sorted(times)
    assert all(item.armed for item in items)
    ticks = [item.t_ns for item in items if item.stream == TIME]
    assert {b - a for a, b in pairwise(ticks)} == {100 * MS}
    assert sum(item.stream == "emit/reconstruction" for item in items) == 89
    assert len(items) == 2 * 89 + len(ticks)
    threshold = {"quantity": "luminance", "above": 45, "output": "ttl"}
    found = replayed(
        session, ControlConfig(policy=PolicyConfig(name="threshold", options=threshold))
    )
    (action,) = found.actions
    assert (action.cause, action.cause_frame) == ("emit/reconstruction", 46)
    assert "the session had no controller" in list(found.sentences())[-1]


def test_what_was_never_observed_is_not_given(tmp_path: Path, policy_file: Path) -> None:
    config = PolicyConfig(file=policy_file, class_name="Sensitive")
    live = live_run(config, LONG)
    for k in range(1000, 1100):
        live.record("stimulus", displayed(k, k * MS), k * MS)
    turns = list(observed_turns(live.session(tmp_path).log))
    assert len(turns) == 1 + len(LONG)


@pytest.mark.parametrize(
    "text",
    [
        "control: {policy: {name: open_loop, options: {lead_s: 0.3}}, max_actions_per_s: 3}",
        "policy: {name: open_loop, options: {lead_s: 0.3}}\nmax_actions_per_s: 3",
        "name: open_loop\noptions: {lead_s: 0.3}",
    ],
)
def test_a_policy_is_read_from_a_config_a_section_or_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    control = read_policy(path)
    assert control.policy == PolicyConfig(name="open_loop", options={"lead_s": 0.3})
    assert control.max_actions_per_s == (3 if "max" in text else 10)


def test_a_python_file_is_taken_with_its_one_policy_and_a_path_is_relative_to_the_config(
    tmp_path: Path, policy_file: Path
) -> None:
    assert read_policy(policy_file).policy.class_name == "Sensitive"
    (tmp_path / "mine.py").write_text(SENSITIVE)
    config = tmp_path / "policy.yaml"
    config.write_text(yaml.safe_dump({"file": "mine.py", "class": "Sensitive"}))
    found = read_policy(config).policy
    assert found.file == tmp_path / "mine.py"
    assert is_same(found, read_policy(policy_file).policy)
    (tmp_path / "mine.py").write_text(SENSITIVE + "\n# another content\n")
    assert not is_same(found, read_policy(policy_file).policy)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.yaml", "control:", "control is empty: give it a policy"),
        ("p.yaml", "nmae: open_loop", "line 1: .*nmae: unknown key"),
        ("p.yaml", "control:\n  policy: {name: x}\n  arms: 3", "line 3: arms: unknown key"),
        ("p.py", "x = 1", "one class with a method decide is expected, got none"),
        ("gone.yaml", None, "gone.yaml does not exist: give a YAML file"),
        ("gone.py", None, "there is no such file"),
    ],
)
def test_a_file_without_a_policy_is_refused(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInputError, match=said):
        read_policy(tmp_path / name)


def test_the_command_prints_a_table_and_whether_the_decisions_are_identical(
    tmp_path: Path, policy_file: Path
) -> None:
    live = live_run(PolicyConfig(file=policy_file, class_name="Sensitive"), LONG)
    session = live.session(tmp_path / "session")
    done = CliRunner().invoke(app, ["replay", str(session.folder), "--policy", str(policy_file)])
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["time,", "s", "action", "outcome", "cause", "reason"]
    assert len(lines) == len(live.actions) + 2
    assert (
        lines[-1]
        == f"identical to the recorded decisions: {len(live.actions)} of {len(live.actions)}"
    )
    refused = CliRunner().invoke(
        app, ["replay", str(session.folder), "--policy", str(policy_file), "--speed", "2"]
    )
    assert refused.exit_code == 2
