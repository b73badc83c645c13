"""A host starts and ends what it is assigned, once each, however often it is stated."""

from threading import Event

import pytest

from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.hosted import MAIN_SILENT_S, HostedProcesses, HostLink, follow_run
from rtdecode.schema.errors import JoinRefusedError, MainHostSilentError
from rtdecode.schema.hosts import Admission, Assignment, Ending, HostProcesses, Join
from rtdecode.schema.messages import Body, Stamped
from rtdecode.schema.messages import Event as Event_


class Child:
    """A process that notes what is done to it."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.done: list[str] = []
        self.pid, self.tail = 12, "its end"

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> int:
        assert self.code is not None
        return self.code

    def terminate(self) -> None:
        self.done.append("terminate")
        self.code = 0

    def release(self) -> None:
        self.done.append("release")

    def kill(self) -> None:
        self.done.append("kill")
        self.code = -9

    def end_of_log(self) -> str:
        return self.tail


class Host:
    """Processes of a host that may run the bridge."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, str]] = []
        self.children: list[Child] = []
        self.is_free = True
        self.hosted = HostedProcesses(self._start, frozenset({"bridge"}))  # type: ignore[arg-type]

    def _start(self, name: str, number: int, detail: str) -> Child | None:
        if not self.is_free:
            return None
        self.started.append((name, number, detail))
        self.children.append(Child())
        return self.children[-1]

    def follows(self, number: int, *, ends: Ending = Ending.NO, detail: str = "") -> None:
        assigned = Assignment("a", {"bridge": number}, {"bridge": ends}, {"bridge": detail})
        self.hosted.follow(assigned)


class Link:
    """A control channel with what comes over it, one batch each time; nothing after that."""

    host, instance, endpoint = "rig", "a", "tcp://10.0.0.2:5700"

    def __init__(self, clock: "Now", batches: list[list[Body]]) -> None:
        self._clock, self._batches = clock, batches
        self.received_ns = 0
        self.sent: list[Body] = []

    def push(self, body: Body) -> None:
        self.sent.append(body)

    def take(self, wait_s: float) -> list[Body]:
        self._clock.t_ns += round(wait_s * 1e9)
        bodies = self._batches.pop(0) if self._batches else []
        if bodies:
            self.received_ns = self._clock.t_ns
        return bodies


class Now:
    def __init__(self) -> None:
        self.t_ns = 1

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = t_ns


def followed(
    host: Host, batches: list[list[Body]], stop: Event | None = None
) -> tuple[Link, object]:
    clock = Now()
    link = Link(clock, batches)
    over = follow_run(link, host.hosted, stop=stop or Event(), clock=clock)  # type: ignore[arg-type]
    return link, over


def test_a_process_is_started_once_however_often_it_is_assigned() -> None:
    host = Host()
    for _ in range(3):
        host.follows(1, detail="http://rig")
    assert host.started == [("bridge", 1, "http://rig")]


def test_what_the_config_does_not_give_this_host_is_never_started() -> None:
    host = Host()
    host.hosted.follow(Assignment("a", {"decoder": 1, "sh": 1}))
    assert host.started == []


def test_a_start_waits_while_the_ports_are_in_use() -> None:
    host = Host()
    host.is_free = False
    host.follows(1)
    assert host.started == []
    host.is_free = True
    host.follows(1)
    assert host.started == [("bridge", 1, "")]


def test_each_end_is_carried_out_once_and_belongs_to_its_start() -> None:
    host = Host()
    host.follows(1)
    (child,) = host.children
    for how in (Ending.RELEASE, Ending.RELEASE, Ending.KILL, Ending.KILL):
        host.follows(1, ends=how)
    assert child.done == ["release", "kill"]
    host.follows(2)
    assert host.children[1].done == []


def test_a_next_start_ends_a_process_that_was_given_up() -> None:
    host = Host()
    host.follows(1)
    host.follows(2)
    assert host.children[0].done == ["kill"]
    host.follows(2)
    assert [number for _, number, _ in host.started] == [1, 2]


def test_what_runs_and_what_has_ended_is_reported() -> None:
    host = Host()
    host.follows(1)
    link = Link(Now(), [])
    running = host.hosted.report(link)  # type: ignore[arg-type]
    assert (running.starts, running.pids, running.codes) == ({"bridge": 1}, {"bridge": 12}, {})
    host.children[0].code = 3
    ended = host.hosted.report(link)  # type: ignore[arg-type]
    assert (ended.codes, ended.tails) == ({"bridge": 3}, {"bridge": "its end"})


def test_a_long_end_of_a_log_does_not_hide_that_the_process_has_ended() -> None:
    host = Host()
    host.follows(1)
    (child,) = host.children
    child.code, child.tail = 3, f"{'a connection was refused. ' * 200}its end"
    report = host.hosted.report(Link(Now(), []))  # type: ignore[arg-type]
    taken = unpack(pack(Stamped("join@rig", 0, 1, "host", report)))
    assert isinstance(taken.body, HostProcesses)
    assert taken.body.codes == {"bridge": 3}
    assert taken.body.tails["bridge"].endswith("its end")


def test_the_end_of_the_run_kills_what_still_runs() -> None:
    host = Host()
    over = Assignment("a", over="the run has ended", code=3)
    link, ended = followed(host, [[Assignment("a", {"bridge": 1})], [over]])
    assert ended is over
    assert host.children[0].done == ["kill"]
    assert isinstance(link.sent[0], HostProcesses)


def test_what_is_meant_for_an_earlier_program_is_ignored() -> None:
    host = Host()
    over = Assignment("a", over="the run has ended")
    followed(host, [[Assignment("older", {"bridge": 1}, over="over")], [over]])
    assert host.started == []


def test_a_stop_here_ends_the_processes_in_order_and_leaves_the_run() -> None:
    host, stop = Host(), Event()
    host.follows(1)
    stop.set()
    link, over = followed(host, [], stop)
    assert over is None
    assert host.children[0].done == ["terminate"]
    last = link.sent[-1]
    assert isinstance(last, HostProcesses)
    assert (last.leaves, last.codes) == (True, {"bridge": 0})


def test_a_run_that_is_silent_for_too_long_ends_the_processes() -> None:
    host = Host()
    host.follows(1)
    with pytest.raises(MainHostSilentError, match=f"sent nothing for {MAIN_SILENT_S:g} s"):
        followed(host, [])
    assert host.children[0].done == ["terminate"]


def asked(
    batches: list[list[Body]], *, stop: Event | None = None
) -> tuple[Link, object, list[str]]:
    clock, said = Now(), list[str]()
    link = Link(clock, batches)
    join = Join("rig", "a", {}, {})
    found = HostLink.admitted(link, join, stop=stop or Event(), say=said.append)  # type: ignore[arg-type]
    return link, found, said


def test_a_host_asks_until_it_is_admitted_and_states_once_what_it_waits_for() -> None:
    wait = Admission("a", "wait", "another `rtdecode join` runs for this host")
    admitted = Admission("a", "admitted", "", "monday", "t")
    link, found, said = asked([[], [], [wait], [wait], [admitted]])
    assert found is admitted
    assert said == [
        "waits for `rtdecode run` at tcp://10.0.0.2:5700",
        "waits: another `rtdecode join` runs for this host",
    ]
    assert isinstance(link.sent[0], Join)


def test_a_refusal_is_an_error_with_its_reason() -> None:
    with pytest.raises(JoinRefusedError, match="refuses rig: seconds is 1 here") as refusal:
        asked([[Admission("a", "refused", "seconds is 1 here")]])
    assert refusal.value.exit_code == 2


def test_a_stop_ends_the_wait() -> None:
    stop = Event()
    stop.set()
    assert asked([], stop=stop)[1] is None


def test_saturated_processors_of_a_host_are_reported_with_its_processes() -> None:
    clock, host = Now(), Host()
    host.follows(1)
    saturated = Event_("warning", "supervisor", "processor_saturated", "of rig")
    asked: list[dict[str, int]] = []

    class Watch:
        def events(self, own: dict[str, int]) -> list[Event_]:
            asked.append(own)
            return [saturated] if len(asked) == 1 else []

    link = Link(clock, [[], [Assignment("a", over="time is over")]])
    follow_run(link, host.hosted, stop=Event(), clock=clock, processors=Watch())  # type: ignore[arg-type]
    assert asked[0] == {"bridge": 12}
    assert link.sent.count(saturated) == 1
