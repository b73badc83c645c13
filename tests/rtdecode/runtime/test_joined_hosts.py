"""Hosts that join a run are compared, admitted, assigned processes, and may be silent or return."""

from threading import Event
from typing import Any

import pytest

from rtdecode.runtime.hosted import MAIN_SILENT_S
from rtdecode.runtime.joined_hosts import NAMED_S, SILENT_S, JoinedHosts, ThisRun
from rtdecode.runtime.remote_process import GIVEN_UP_S, UNSTATED, JoinedHost, RemoteProcess
from rtdecode.schema.errors import HostMissingError
from rtdecode.schema.hosts import Admission, Assignment, Ending, HostProcesses, Join
from rtdecode.schema.messages import Body, Health
from rtdecode.schema.messages import Event as Message

VERSIONS = {"rtdecode": "1.0", "wire": "2"}
SETTINGS = {"seconds": "60.0"}
TOKEN = "secret"


class Answers:
    """A control server that keeps what it sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Body]] = []

    def answer(self, identity: str, body: Body) -> None:
        self.sent.append((identity, body))


class Now:
    def __init__(self) -> None:
        self.t_ns = 1

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = t_ns

    def passes(self, seconds: float) -> None:
        self.t_ns += round(seconds * 1e9)


class Run:
    """One run, of which the host `rig` is to run the bridge."""

    def __init__(self, *roles: str) -> None:
        self.server, self.clock = Answers(), Now()
        self.shown: list[tuple[str, str, str]] = []
        this = ThisRun("main", "monday", TOKEN, VERSIONS, SETTINGS, "of the page")
        self.hosts = JoinedHosts(
            self.server,  # type: ignore[arg-type]
            self.clock,
            this_run=this,
            hosts=[JoinedHost("rig", "10.0.0.3", roles or ("bridge",))],
            on_health=self._show,
        )

    def _show(self, name: str, health: Health) -> None:
        self.shown.append((name, health.state, health.detail))

    def asks(self, instance: str = "a", host: str = "rig", **differing: Any) -> Admission:
        given: dict[str, Any] = {"versions": VERSIONS, "settings": SETTINGS} | differing
        join = Join(host, instance, **given)
        assert self.hosts.receive(f"join-{host}/{instance}", join)
        identity, answer = self.server.sent[-1]
        assert identity == f"join-{host}/{instance}"
        assert isinstance(answer, Admission)
        return answer

    def states(self, instance: str = "a", **fields: Any) -> Assignment:
        assert self.hosts.receive(f"join-rig/{instance}", HostProcesses("rig", instance, **fields))
        answer = self.server.sent[-1][1]
        assert isinstance(answer, Assignment)
        return answer

    def starts(self, number: int = 1, detail: str = "") -> RemoteProcess:
        return self.hosts.start("bridge", host="rig", number=number, detail=detail, turn=self._turn)

    def _turn(self) -> None:
        self.clock.passes(0.1)

    def codes(self) -> list[str]:
        return [event.code for event in self.hosts.taken_events()]


@pytest.fixture
def run() -> Run:
    return Run()


def test_an_equal_host_is_admitted_and_gets_the_token(run: Run) -> None:
    answer = run.asks()
    assert (answer.state, answer.session, answer.token) == ("admitted", "monday", TOKEN)
    assert run.hosts.missing() == []
    assert run.asks().state == "admitted"


def test_only_the_host_of_the_page_gets_its_secret() -> None:
    assert Run("bridge", "recorder").asks().page_secret == ""
    assert Run("bridge", "view").asks().page_secret == "of the page"


@pytest.mark.parametrize(
    ("differing", "named"),
    [
        (
            {"settings": {"seconds": "5.0"}},
            "seconds is 60.0 on main and 5.0 on rig: "
            "copy the same config, and the files that it names, to both hosts",
        ),
        (
            {"versions": VERSIONS | {"rtdecode": "0.9"}},
            "rtdecode is of version 1.0 on main and 0.9 on rig: install the same release on both",
        ),
        (
            {"versions": VERSIONS | {"wire": "3"}, "settings": {}},
            "the wire format is of version 2 on main and 3 on rig: "
            "install the same release on both",
        ),
    ],
)
def test_a_difference_is_refused_by_name_at_both_ends_and_gives_no_token(
    run: Run, differing: dict[str, Any], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    run.asks(**differing)
    answer = run.asks(**differing)
    sentence = f"rig (10.0.0.3) was refused: {named}"
    assert [record.getMessage() for record in caplog.records] == [sentence]  # once
    assert (answer.state, answer.text) == ("refused", named)
    assert (answer.session, answer.token) == ("", "")
    assert run.shown[-1] == ("host rig", "refused", sentence)
    assert run.hosts.missing() == [sentence]


def test_a_host_that_the_config_does_not_have_is_refused(run: Run) -> None:
    answer = run.asks(host="other")
    assert answer.state == "refused"
    assert "network.hosts of main has no host other" in answer.text
    assert answer.token == ""


def test_a_second_program_for_the_same_host_waits_while_the_first_one_is_there(run: Run) -> None:
    run.asks("a")
    assert run.asks("b").state == "wait"
    run.clock.passes(SILENT_S + 1)
    run.hosts.watch()
    assert run.asks("b").state == "admitted"


def test_a_missing_host_is_named_with_what_to_type(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    stop = Event()

    def turn() -> None:
        run.clock.passes(1.0)
        if run.clock.now_ns() > (NAMED_S + 3) * 1e9:
            stop.set()

    assert not run.hosts.wait(turn, stop=stop)
    sentence = "rig (10.0.0.3) has not joined: on it, run `rtdecode join CONFIG --role bridge`"
    assert [record.getMessage() for record in caplog.records] == [sentence]
    assert run.shown == [("host rig", "not joined", ""), ("host rig", "not joined", sentence)]


def test_the_wait_for_a_host_has_a_limit_that_names_it(run: Run) -> None:
    with pytest.raises(HostMissingError, match=r"within 60 s: rig \(10.0.0.3\) has not joined"):
        run.hosts.wait(lambda: run.clock.passes(1.0), stop=Event(), wait_s=60)


def test_a_process_is_started_and_its_end_is_that_of_the_host(run: Run) -> None:
    run.asks()
    process = run.starts()
    assert run.states(starts={}).starts == {"bridge": 1}
    run.states(starts={"bridge": 1}, pids={"bridge": 77})
    assert (process.pid, process.poll()) == (77, None)
    process.terminate()
    assert run.states(starts={"bridge": 1}).ends == {"bridge": Ending.STOP}
    process.kill()
    process.terminate()
    assert run.states(starts={"bridge": 1}).ends == {"bridge": Ending.KILL}
    run.states(starts={"bridge": 1}, codes={"bridge": 7}, tails={"bridge": "the end"})
    assert (process.poll(), process.wait(), process.end_of_log()) == (7, 7, "the end")


def test_the_end_of_an_earlier_start_is_not_that_of_the_next_one(run: Run) -> None:
    run.asks()
    run.states(starts={"bridge": 1}, codes={"bridge": 7})
    process = run.starts(2, detail="http://rig")
    answer = run.states(starts={"bridge": 1}, codes={"bridge": 7})
    assert (answer.starts, answer.details) == ({"bridge": 2}, {"bridge": "http://rig"})
    assert answer.ends == {}
    assert process.poll() is None


def test_a_silent_host_is_an_event_and_its_process_is_not_taken_for_ended(run: Run) -> None:
    run.asks()
    process = run.starts()
    run.states(starts={"bridge": 1})
    run.clock.passes(SILENT_S + 7)
    run.hosts.watch()
    assert (process.poll(), process.is_reachable) == (None, False)
    assert run.codes() == ["host_silent"]
    run.states(starts={"bridge": 1})
    assert process.is_reachable
    assert process.reachable_since_ns == run.clock.now_ns()
    (event,) = run.hosts.taken_events()
    assert (event.code, event.counts) == ("host_back", {"seconds": SILENT_S + 7})


def test_a_host_that_stays_silent_is_named_with_what_to_type_there(run: Run) -> None:
    run.asks()
    run.starts()
    run.states(starts={"bridge": 1})
    for _ in range(3):
        run.clock.passes(MAIN_SILENT_S / 2 + 1)
        run.hosts.watch()
    silent, given_up = run.hosts.taken_events()
    assert (silent.code, given_up.code) == ("host_silent", "host_given_up")
    assert "`rtdecode join CONFIG --role bridge`" in given_up.text


def test_a_new_program_of_the_host_ends_what_ran_and_starts_nothing_by_itself(run: Run) -> None:
    run.asks("a")
    process = run.starts()
    run.states("a", starts={"bridge": 1})
    run.clock.passes(SILENT_S + 1)
    run.hosts.watch()
    run.asks("b")
    assert process.poll() == 1
    assert "rig (10.0.0.3) has joined again" in process.end_of_log()
    assert run.states("b").starts == {}
    again = run.starts(2)
    assert run.states("b").starts == {"bridge": 2}
    assert again.poll() is None
    assert run.codes() == ["host_silent", "host_rejoined"]


def test_a_program_of_another_run_is_told_that_its_run_is_over(run: Run) -> None:
    run.asks("a")
    assert "another run has begun" in run.states("old").over
    assert run.states("a").over == ""


def test_a_host_that_leaves_is_missing_and_starts_what_waits_when_it_returns(run: Run) -> None:
    run.asks("a")
    process = run.starts()
    run.states("a", starts={"bridge": 1}, codes={"bridge": 0}, leaves=True)
    assert process.poll() == 0
    assert run.codes() == ["host_left"]
    again = run.starts(2)
    assert (again.poll(), again.is_reachable) == (None, False)
    run.asks("b")
    assert run.states("b").starts == {"bridge": 2}
    assert again.poll() is None


def test_a_process_that_was_never_started_has_ended_as_soon_as_it_is_asked_to(run: Run) -> None:
    run.asks("a")
    run.starts()
    run.states("a", starts={"bridge": 1}, codes={"bridge": 0}, leaves=True)
    waiting = run.starts(2)
    waiting.terminate()
    assert waiting.poll() == 0
    run.asks("b")
    assert run.states("b").starts == {}


def test_the_end_waits_for_a_silent_host_and_no_longer(run: Run) -> None:
    run.asks()
    process = run.starts()
    run.states(starts={"bridge": 1})
    run.clock.passes(GIVEN_UP_S - 1)
    run.hosts.watch()
    assert process.is_awaited
    run.clock.passes(2)
    assert not process.is_awaited
    process.kill()
    assert process.wait() == UNSTATED


def test_all_hosts_are_told_the_end_of_the_run_and_its_code(run: Run) -> None:
    run.asks()
    with pytest.raises(HostMissingError), run.hosts:
        raise HostMissingError(sentences=["x"], waited_s=1)
    answer = run.server.sent[-1][1]
    assert isinstance(answer, Assignment)
    assert answer.over.startswith("the run failed: nothing was started")
    assert answer.code == 1


def test_messages_of_processes_are_left_to_the_supervisor(run: Run) -> None:
    assert not run.hosts.receive("bridge", Health("running", ""))


def test_events_of_a_host_are_those_of_the_run_and_events_of_others_are_not() -> None:
    run = Run()
    run.asks()
    run.hosts.taken_events()
    event = Message("warning", "supervisor", "processor_saturated", "the processors of rig …")
    assert run.hosts.receive("join-rig/a", event)
    assert run.hosts.receive("join-rig/another", event)
    assert run.hosts.receive("join-unknown/a", event)
    assert run.hosts.taken_events() == [event]
