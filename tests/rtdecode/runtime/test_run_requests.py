"""Another program starts and stops a run with one line of text, and needs the token for it."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from lab_keys import Lab

from rtdecode.runtime.owner_file import Access
from rtdecode.runtime.run_requests import (
    RunRequests,
    RunState,
    Verb,
    request_access,
    requested,
)
from rtdecode.runtime.sockets import Arrivals, Messaging
from rtdecode.schema.errors import NoRunError, RunSilentError

CLIENT = Path(__file__).resolve().parents[3] / "docs" / "clients" / "start_session.py"


class Run:
    """The end of a supervisor, which answers in a thread."""

    def __init__(self, requests: RunRequests, stop: Event) -> None:
        self.requests, self.stop = requests, stop

    def asks(self, verb: str, token: str | None = None) -> tuple[bool, str]:
        access = self.requests.access
        given = access if token is None else Access(access.endpoint, token)
        return requested(given, verb)  # type: ignore[arg-type]


@contextmanager
def answering(requests: RunRequests) -> Iterator[None]:
    over = Event()

    def answer() -> None:
        while not over.wait(0.01):
            requests.answer()

    thread = Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    stop = Event()
    with Messaging() as messaging:
        requests = RunRequests(messaging, endpoint=f"ipc://{tmp_path}/requests", stop=stop)
        with answering(requests):
            yield Run(requests, stop)


def test_a_run_that_is_ready_starts_once(run: Run) -> None:
    run.requests.state = RunState.READY
    assert run.asks(Verb.START) == (True, "the run starts")
    assert run.requests.is_started
    run.requests.state = RunState.RUNNING
    assert run.asks(Verb.START) == (False, "the run has started already")


def test_a_start_that_comes_early_is_kept(run: Run) -> None:
    assert run.asks(Verb.START) == (True, "the run starts once all processes are ready")
    assert run.requests.is_started


def test_a_stop_ends_the_run(run: Run) -> None:
    assert run.asks(Verb.STOP) == (True, "the run ends")
    assert run.stop.is_set()


def test_the_state_is_answered(run: Run) -> None:
    assert run.asks(Verb.STATE) == (True, "preparing")
    run.requests.state = RunState.READY
    assert run.asks(Verb.STATE) == (True, "ready")


@pytest.mark.parametrize("token", ["", "0" * 32, "ü"])
def test_another_token_does_nothing(run: Run, token: str) -> None:
    accepted, text = run.asks(Verb.STOP, token)
    assert (accepted, run.stop.is_set()) == (False, False)
    assert "requests.json" in text


def test_another_word_is_refused_with_those_that_are_known(run: Run) -> None:
    assert run.asks("dance") == (False, "'dance' is none of start, stop, state, note")


def test_the_file_is_for_its_user_alone_and_goes_with_the_run(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "requests.json"
    with run.requests.access.written(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert request_access(path) == run.requests.access
    with pytest.raises(NoRunError, match="no run goes on"):
        request_access(path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "requests.json").write_text("[]")
    with pytest.raises(NoRunError, match="cannot be read"):
        request_access(tmp_path / "requests.json")


def test_a_run_that_stands_still_is_named(tmp_path: Path) -> None:
    access = Access(f"ipc://{tmp_path}/nobody", "t")
    with pytest.raises(RunSilentError, match="did not answer 'stop'"):
        requested(access, Verb.STOP, wait_s=0.1)


@pytest.mark.system
def test_the_client_of_the_documents_is_answered(run: Run, tmp_path: Path) -> None:
    run.requests.state = RunState.READY
    with run.requests.access.written(tmp_path / "requests.json"):
        for verb, answer in (("state", "accepted: ready"), ("start", "accepted: the run starts")):
            command = [sys.executable, str(CLIENT), str(tmp_path), verb]
            told = subprocess.run(command, capture_output=True, text=True, check=True)
            assert told.stdout.strip() == answer
    assert run.requests.is_started


def test_an_allowed_key_of_another_computer_takes_the_place_of_the_token(tmp_path: Path) -> None:
    lab, stop = Lab(tmp_path), Event()
    with Messaging(lab.keys("decoder")) as server, Messaging(lab.keys("screen")) as client:
        requests = RunRequests(server, endpoint=lab.endpoint(), stop=stop)
        with answering(requests):
            socket = client.dealer(requests.access.endpoint, identity="a program")
            socket.send(b"stop")
            (_, answer), *_ = Arrivals(client, socket, 60.0)
    assert answer[-1] == b"accepted: the run ends"
    assert stop.is_set()
