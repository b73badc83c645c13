"""A person's command reaches the controller through the supervisor, and its answer comes back."""

import doctest
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtdecode.runtime import operator_link
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.control import ControlClient, ControlServer
from rtdecode.runtime.operator_link import (
    Answer,
    OperatorCommand,
    answer_to,
    control_access,
    send_to_controller,
    sender_of,
)
from rtdecode.runtime.owner_file import Access
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.errors import ControllerSilentError, NoControllerError
from rtdecode.schema.messages import Command, Health

CLOCK = HostClock()


def test_the_file_is_there_during_the_run_and_for_its_user_alone(tmp_path: Path) -> None:
    path, access = tmp_path / "control.json", Access("ipc:///tmp/c", "secret")
    path.write_text("left by a run that was killed")
    path.chmod(0o666)
    with access.written(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert control_access(path) == access
    assert not path.exists()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"endpoint": "ipc:///tmp/c"}'])
def test_a_session_without_a_controller_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "control.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoControllerError, match="cannot be armed or disarmed") as refusal:
        control_access(path)
    assert refusal.value.exit_code == 2


@contextmanager
def supervised(endpoint: str, *, answers: bool = True) -> Iterator[list[str]]:
    """A supervisor that forwards, and a controller that says yes to arm and no to all else."""
    stop, accepted, seen = threading.Event(), threading.Event(), list[str]()

    def run() -> None:
        with Messaging() as messaging:
            server = ControlServer(messaging, clock=CLOCK, endpoint=endpoint, token="secret")
            controller = ControlClient(
                messaging, "controller", clock=CLOCK, endpoint=endpoint, token="secret"
            )
            controller.push(Health("running", "", {}))
            while not stop.is_set():
                if server.receive(0.01):
                    accepted.set()
                for received in controller.take(0.0):
                    body = received.message.body
                    assert isinstance(body, Command)
                    seen.append(f"{body.name} {sender_of(body)}")
                    answer = answer_to(body, Answer(body.name == "arm", "so it is"))
                    if answer is not None and answers:
                        controller.push(answer)

    thread = threading.Thread(target=run)
    thread.start()
    # a command to a process that has sent nothing yet is dropped
    assert accepted.wait(60)
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def test_a_command_is_answered_and_states_who_sent_it(tmp_path: Path) -> None:
    access = Access(f"ipc://{tmp_path}/c", "secret")
    with supervised(access.endpoint) as seen:
        armed = send_to_controller(access, OperatorCommand.ARM, by="a test", clock=CLOCK)
        refused = send_to_controller(access, OperatorCommand.DISARM, by="a test", clock=CLOCK)
    assert (armed, refused) == (Answer(True, "so it is"), Answer(False, "so it is"))
    assert seen == ["arm a test", "disarm a test"]


@pytest.mark.parametrize(("token", "answers"), [("secret", False), ("guessed", True)])
def test_without_an_answer_or_the_token_the_person_is_told_to_look(
    tmp_path: Path, token: str, *, answers: bool
) -> None:
    access = Access(f"ipc://{tmp_path}/c", token)
    with supervised(access.endpoint, answers=answers) as seen:
        is_silent(access)
        while token == "secret" and not seen:  # a busy machine may take longer than the wait
            is_silent(access)
    assert set(seen) == ({"arm a test"} if token == "secret" else set())


def is_silent(access: Access) -> None:
    with pytest.raises(ControllerSilentError, match="did not answer 'arm'"):
        send_to_controller(access, OperatorCommand.ARM, by="a test", clock=CLOCK, wait_s=0.5)


def test_the_examples_of_the_module_are_true() -> None:
    assert doctest.testmod(operator_link).failed == 0
