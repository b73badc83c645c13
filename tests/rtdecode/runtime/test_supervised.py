"""When a process counts as stalled: silence of its host is no failure of its own."""

from rtdecode.runtime.children import ProcessSpec
from rtdecode.runtime.restarts import Restarts
from rtdecode.runtime.supervised import Supervised
from rtdecode.schema.messages import Health

S = 1_000_000_000
LIMIT_S = 15.0


class Elsewhere:
    """A process on another host."""

    pid, is_reachable, reachable_since_ns, is_awaited = 1, True, 0, False

    def poll(self) -> int | None:
        return None

    def wait(self) -> int:
        return 0

    def terminate(self) -> None:
        pass

    release = kill = terminate

    def end_of_log(self) -> str:
        return "its end"


def started(process: Elsewhere) -> Supervised:
    restarts = Restarts(is_essential=True)
    made = Supervised(ProcessSpec("bridge", []), process, spawned_ns=0, restarts=restarts)
    made.receive(Health("running", "http://rig", {}), t_ns=S)
    return made


def test_a_process_without_heartbeats_is_stalled_where_its_host_sends_messages() -> None:
    made = started(Elsewhere())
    assert not made.is_stalled(t_ns=16 * S, limit_s=LIMIT_S)
    assert made.is_stalled(t_ns=17 * S, limit_s=LIMIT_S)


def test_a_process_of_a_silent_host_is_not_stalled_and_has_time_after_its_return() -> None:
    process = Elsewhere()
    made = started(process)
    process.is_reachable = False
    assert not made.is_stalled(t_ns=600 * S, limit_s=LIMIT_S)
    process.is_reachable, process.reachable_since_ns = True, 600 * S
    assert not made.is_stalled(t_ns=614 * S, limit_s=LIMIT_S)
    assert made.is_stalled(t_ns=616 * S, limit_s=LIMIT_S)


def test_a_start_again_gets_the_last_detail_and_counts_on() -> None:
    made = started(Elsewhere())
    assert (made.detail, made.starts, made.ready) == ("http://rig", 1, True)
    made.restarted(Elsewhere(), t_ns=20 * S)
    assert (made.starts, made.heartbeat_ns, made.held_mb) == (2, 0, 0.0)


def test_the_failure_has_the_end_of_the_log_and_the_sentence_that_was_sent() -> None:
    made = started(Elsewhere())
    made.receive(Health("failed", "the disk is full", {}), t_ns=2 * S)
    text = str(made.failed(7))
    assert "bridge ended with exit code 7" in text
    assert "its end\nthe disk is full" in text
