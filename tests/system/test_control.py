"""A run with a policy: armed on the page, by command, by a key; disarmed by its recorder's end."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from live_run import process_of
from websockets.sync.client import ClientConnection, connect

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.operator_link import OperatorCommand, control_access, send_to_controller
from rtdecode.schema.control import Action, Observed
from rtdecode.schema.messages import Body, Event, Start
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

POLICY = """
from rtdecode.control.policy import Request

class EachTick:
    def __init__(self, setting):
        pass

    def decide(self, observation):
        return [Request.trigger("laser")] if observation.body is None else []
"""
NOBODY_SENDS = {"kind": "zmq_native", "address": "tcp://127.0.0.1:*"}
Running = subprocess.Popen[str]


def config(user: Any, *others: str) -> Path:
    """A rig without animal: a policy that fires every 0.1 s of session time."""
    (user.folder / "each_tick.py").write_text(POLICY)
    laser = {"kind": "zmq", "name": "laser", "endpoint": f"ipc://{user.folder}/laser"}
    policy = {"file": "each_tick.py", "class": "EachTick"}
    made: Path = user.config(
        processes=["recorder", "controller", "bridge", *others],
        acquisition={"source": NOBODY_SENDS},
        decode=None,
        control={"policy": policy, "outputs": [laser], "max_actions_per_s": 100},
    )
    return made


def commanded(user: Any, command: OperatorCommand) -> str:
    """What the controller answers, asked as `rtdecode arm` asks, without a program of its own."""
    access = control_access(user.folder / "s" / "control.json")
    return send_to_controller(access, command, by="a test", clock=HostClock()).text


def wait_for_control(page: ClientConnection, *, armed: bool, why: str = "") -> None:
    """Until the page states that the controller is armed, or is not, and why."""
    control: dict[str, Any] | None = None
    while control is None or control["armed"] is not armed or why not in control["text"]:
        text = page.recv(timeout=60)
        control = json.loads(text).get("control") if isinstance(text, str) else control


def read_until(running: Running, words: str) -> str:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if words in line:
            return line
    return pytest.fail(f"it never said {words}: {''.join(seen)}")


def bodies(user: Any) -> list[Body]:
    log = LogReader(user.folder / "s" / "log.mcap")
    wanted = {"controller/start", "controller/event", "controller/action", "controller/delivery"}
    return [
        one.message.body for one in log.messages((wanted | {"controller/observed"}).__contains__)
    ]


@pytest.mark.slow
def test_a_run_is_armed_by_page_and_command_and_disarmed_by_its_recorders_end(
    user: Any,
) -> None:
    with user.running("run", config(user, "view"), "--out", "s") as running:
        address = read_until(running, "http://").partition("http://")[2].strip()
        read_until(running, "controller: running")
        with connect(f"ws://{address}live") as page:
            page.send("arm 1")
            wait_for_control(page, armed=True)
            page.send("disarm 1")
            wait_for_control(page, armed=False)
            page.send("arm 1")
            wait_for_control(page, armed=True)
            process_of(running.pid, "rtdecode.pipeline.controller").kill()
            # a heartbeat may state it before the event that has the reason
            wait_for_control(page, armed=False, why="started again")
        assert "armed by rtdecode arm" in user.told("arm", "s").stdout
        assert commanded(user, OperatorCommand.DISARM) == "disarmed: by a test"
        assert commanded(user, OperatorCommand.ARM) == "armed by a test"
        process_of(running.pid, "rtdecode.pipeline.recorder").kill()
        said = running.communicate()[0]
    assert running.returncode == 1
    assert "recorder ended with exit code -9" in said
    assert user.left_running() == []
    log = (user.folder / "s" / "logs" / "controller.log").read_text()
    assert re.findall(r"(?:dis)?armed\b.*", log) == [
        "armed by the page",
        "disarmed: by the page",
        "armed by the page",
        "disarmed: the controller was started again, and is armed by hand alone",
        "armed by rtdecode arm",
        "disarmed: by a test",
        "armed by a test",
        "disarmed: the connection to the recorder was lost",
    ]
    assert not (user.folder / "s" / "control.json").exists()
    told = user.told("arm", "s")
    assert (told.returncode, "cannot be armed" in told.stderr) == (2, True)
    found = bodies(user)
    starts = [body.versions["policy"] for body in found if isinstance(body, Start)]
    assert starts == ["EachTick"] * 2
    numbers = [body.number for body in found if isinstance(body, Action)]
    assert len(numbers) == len(set(numbers))
    # the session can be run again without the file of the policy
    kept, policy = (
        read_config(user.folder / "s" / "config.yaml").control,
        user.folder / "s/policy.py",
    )
    assert kept is not None
    assert (kept.policy.file, policy.read_text()) == (policy, POLICY)
    # a recorder that is killed loses its last second
    # a busy machine can cause events of other processes
    events = [b.code for b in found if isinstance(b, Event) and b.process == "controller"]
    assert events[:1] == ["armed"]
    sent = {body.number for body in found if isinstance(body, Action) and body.outcome == "sent"}
    delivered = {body.number for body in found if body.kind == "delivery" and not body.error}  # type: ignore[union-attr]
    assert sent
    assert delivered
    assert delivered <= sent
    # only the last ones of a time in which it was armed may have come too late to be delivered
    for armed in armed_times(found):
        assert armed[: len(delivered & set(armed))] == sorted(delivered & set(armed))
    outcomes = {body.outcome for body in found if isinstance(body, Action)}
    assert outcomes == {"sent", "not_armed"}
    assert any(body.armed for body in found if isinstance(body, Observed))


def armed_times(found: list[Body]) -> list[list[int]]:
    """Numbers of the actions that were sent, for each time in which the controller was armed."""
    times: list[list[int]] = [[]]
    for body in found:
        if isinstance(body, Start) or (isinstance(body, Event) and body.process == "controller"):
            times.append([])
        if isinstance(body, Action) and body.outcome == "sent":
            times[-1].append(body.number)
    return times


class Terminal:
    """A terminal in which a person types commands and keys."""

    def __init__(self, user: Any) -> None:
        self._user, self._text = user, ""
        self.person, self._program = pty.openpty()

    @contextmanager
    def running(self, *command: object) -> Iterator["subprocess.Popen[bytes]"]:
        argv = [sys.executable, "-m", "rtdecode", *map(str, command)]
        with subprocess.Popen(
            argv,
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            cwd=self._user.folder,
            env=self._user.environment | {"TERM": "xterm", "COLUMNS": "200"},
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def mode(self) -> Any:
        return termios.tcgetattr(self._program)

    def type(self, keys: bytes) -> None:
        os.write(self.person, keys)

    def read_until(self, words: str, process: "subprocess.Popen[bytes]") -> str:
        """What is before `words`."""
        while words not in self._text:
            if not self._read() and process.poll() is not None:
                pytest.fail(f"it ended with {process.returncode}: {self._text}")
        before, _, self._text = self._text.partition(words)
        return before

    def read_to_the_end(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            self._read()

    def close(self) -> None:
        os.close(self.person)
        os.close(self._program)

    def _read(self) -> bool:
        """Whether there was something to read."""
        has_text = bool(select.select([self.person], [], [], 0.1)[0])
        if has_text:
            self._text += os.read(self.person, 10_000).decode(errors="replace")
        return has_text


@pytest.fixture
def terminal(user: Any) -> Iterator[Terminal]:
    made = Terminal(user)
    yield made
    made.close()


def once(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)


def until_it_ends(process: "subprocess.Popen[bytes]") -> None:
    """As a person who is in a hurry: the second one ends it at once."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("interrupt", [once, until_it_ends])
def test_keys_arm_and_disarm_and_the_terminal_has_its_mode_afterwards(
    user: Any, terminal: Terminal, interrupt: Callable[[Any], None]
) -> None:
    before = terminal.mode()
    with terminal.running("run", config(user), "--out", "s") as process:
        # typed before the keys are announced: no key of the controller
        terminal.type(b"aaa")
        terminal.read_until("a arms the controller", process)
        assert "armed" not in terminal.read_until("controller  running", process)
        assert terminal.mode() != before
        for key, words in ((b"a", "armed by a key"), (b" ", "disarmed: by a key")):
            terminal.type(key)
            terminal.read_until(words, process)
        children = psutil.Process(process.pid).children(recursive=True)
        interrupt(process)
        terminal.read_to_the_end(process)
        psutil.wait_procs(children, timeout=60)
    assert terminal.mode() == before
    assert process.returncode == (0 if interrupt is once else 130)
    found = [body for body in bodies(user) if isinstance(body, Event)]
    events = [body.text for body in found if body.process == "controller"]
    assert [re.sub(" .*", "", text) for text in events] == ["armed", "disarmed:"]
