"""One process of a run as its supervisor sees it: heartbeats, failures, its next start, its end.

Times are on the clock of the supervisor. It sends nothing and starts nothing: the supervisor does.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rtdecode.runtime.backlog import BACKLOG_MB
from rtdecode.runtime.children import ProcessHandle, ProcessSpec, exit_code
from rtdecode.runtime.recorder_watch import RECORDER, RecorderWatch
from rtdecode.runtime.restarts import Restarts
from rtdecode.schema.errors import ProcessFailedError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Health

_START_FACTOR = 3
"""A restarted process may take this many times as long to its first heartbeat as at first."""


@dataclass(slots=True)
class Supervised:
    """A process, from its first start to the end of the run."""

    spec: ProcessSpec
    process: ProcessHandle
    spawned_ns: int
    restarts: Restarts
    ready: bool = False
    starts: int = 1
    heartbeat_ns: int = 0
    """Time of the last heartbeat since the last start; 0 before the first."""
    health: Health | None = None
    failure: str = ""
    """The sentence of the error at which it ended, as it sent it."""
    first_heartbeat_after_ns: int = 0
    """Time from the first start to the first heartbeat."""
    restart_ns: int | None = None
    """Time of its next start, where it has ended and waits for that."""
    is_killed: bool = False
    is_held: bool = False
    """Whether it is not started yet, although the run is: it waits for what begins the session."""

    @property
    def held_mb(self) -> float:
        """Megabytes that it held for the recorder at its last heartbeat since its last start."""
        return self.counter(BACKLOG_MB)

    def counter(self, name: str) -> float:
        """A counter of its last heartbeat since its last start; 0 where it has none."""
        return self.health.counters.get(name, 0.0) if self.health and self.heartbeat_ns else 0.0

    @property
    def detail(self) -> str:
        """Detail of its last heartbeat, which it gets at its next start."""
        return "" if self.health is None else self.health.detail

    def receive(self, health: Health, *, t_ns: int) -> None:
        """Take a heartbeat, or the sentence of its failure, into account."""
        if health.state == "failed":
            self.failure = health.detail
            return
        if not self.first_heartbeat_after_ns:
            self.first_heartbeat_after_ns = t_ns - self.spawned_ns
        self.heartbeat_ns, self.health = t_ns, health
        self.ready = self.ready or health.state in ("ready", "running")

    def restarted(self, process: ProcessHandle, *, t_ns: int) -> None:
        """Note that it was started again as `process`."""
        self.process, self.spawned_ns = process, t_ns
        self.starts += 1
        self.heartbeat_ns, self.restart_ns, self.is_killed = 0, None, False

    def is_stalled(self, *, t_ns: int, limit_s: float) -> bool:
        """Whether its heartbeats have stopped, by what its host has passed on."""
        if not self.process.is_reachable:
            return False
        since_ns = max(self.heartbeat_ns or self.spawned_ns, self.process.reachable_since_ns)
        return t_ns - since_ns > self.limit_s(limit_s) * 1e9

    def limit_s(self, limit_s: float) -> float:
        """Time in s that may pass without a heartbeat; a start takes longer than a step."""
        if self.heartbeat_ns:
            return limit_s
        start_s = _START_FACTOR * self.first_heartbeat_after_ns / 1e9
        return max(limit_s, round(start_s, 1))

    def failed(self, code: int) -> ProcessFailedError:
        """The error of its end with `code`, with the end of its log."""
        tail = self.process.end_of_log()
        # on a full disk the log file lacks the sentence of the error
        tail += "" if self.failure in tail else f"\n{self.failure}"
        return ProcessFailedError(name=self.spec.name, code=code, tail=tail)

    def exit_code(
        self,
        *,
        clock: Clock,
        turn: Callable[[], None],
        recording: RecorderWatch | None,
        recorder_has_ended: Callable[[], bool],
    ) -> int:
        """Its exit code once it has ended, or was killed as `children.exit_code` states.

        `turn` takes messages of all processes meanwhile.
        """
        is_recorder = self.spec.name == RECORDER

        def held_mb() -> float:
            if not is_recorder and recorder_has_ended():
                self.process.release()
            turn()
            if recording is not None:
                recording.report()
            return self.held_mb

        def recorder_is_awaited() -> bool:
            is_waited_for = recording is not None and recording.is_waited_for()
            return is_waited_for and (is_recorder or not recorder_has_ended())

        return exit_code(
            self.process,
            name=self.spec.name,
            clock=clock,
            held_mb=held_mb,
            recorder_is_awaited=recorder_is_awaited,
        )
