"""Which process of a run gives nothing now, since when, and why, in words for the status line.

Duties: note heartbeats, restarts, and the last sign of work of each process, and name what does not
work, in the direction of the data flow: where the microscope stops, the decoder is no cause. It
depends on no socket and no browser.

>>> from rtdecode.schema.messages import Stamped
>>> def received(source, body, t_s):
...     return Received(Stamped(source, 0, t_s * 10**9, "host", body), t_s * 10**9)
>>> watch = ProcessWatch(RunFacts())
>>> watch.add(received("bridge", Health("running", "", {"scans": 7}), 1))
>>> watch.add(received("bridge", Health("running", "", {"scans": 7}), 4))
>>> [(problem.title, problem.sentence) for problem in watch.problems(4 * 10**9)]
[('No scans', 'no scans from the microscope since 3 s')]
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.schema.config.roles import Role, role_of_source
from rtdecode.schema.messages import (
    DisplayedFrame,
    Event,
    Health,
    Received,
    Reconstruction,
    Score,
)
from rtdecode.view.run_facts import RunFacts

_NS_PER_S = 1_000_000_000
SILENT_S = 3.0
"""Time in s without a heartbeat after which a process is named; heartbeats come each 0.5 s."""
_START_S = 15.0
"""The same for a process that starts: it sends none while it builds its stages."""
_NOTHING_S = 1.5
"""Time in s without a scan or a displayed frame after which that is stated."""
_RESTARTED = "process_restarted"
_STARTING = "starting"
_SCANS = "scans"
_FLOW = (
    Role.STIMULUS,
    Role.BRIDGE,
    Role.DECODER,
    Role.EVALUATE,
    Role.CONTROLLER,
    Role.RECORDER,
)
_WITHOUT_WORK = (Role.CONTROLLER, Role.RECORDER)
"""Processes whose heartbeats are their only sign of work here."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A process that gives nothing."""

    role: Role
    title: str
    """Two or three words for the status line."""
    sentence: str
    """The same with since when, without a capital and a full stop."""
    is_start: bool = False
    """Whether it is about to give something, for the first time or after a restart."""


class ProcessWatch:
    """The processes of one run, by what they send and what the supervisor states."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts
        self._health: dict[Role, tuple[Health, int]] = {}
        self._restarted_ns: dict[Role, int] = {}
        self._worked_ns: dict[Role, int] = {}
        self._scans = 0.0
        self._running_ns: dict[Role, int] = {}
        """When each process was first seen running since its last start."""

    def add(self, item: Received) -> None:
        """Take one message into account."""
        body, t_ns = item.message.body, item.t_received_ns
        match body:
            case Health():
                role = role_of_source(item.message.source)
                if role is not None:
                    self._add_heartbeat(role, body, t_ns)
            case Event(code=code, process=process) if code == _RESTARTED:
                if (role := role_of_source(process)) is not None:
                    self._restarted_ns[role] = max(
                        item.message.t_ns, self._restarted_ns.get(role, 0)
                    )
                    self._running_ns.pop(role, None)
            case DisplayedFrame():
                self._worked_ns[Role.STIMULUS] = t_ns
            case Reconstruction():
                self._worked_ns[Role.DECODER] = t_ns
            case Score():
                self._worked_ns[Role.EVALUATE] = t_ns

    def problems(self, now_ns: int, *, silent_s: float = SILENT_S) -> list[Problem]:
        """What gives nothing at `now_ns`, the first in the data flow first.

        Parameters
        ----------
        silent_s
            Time in s without a heartbeat after which a process is named.
        """
        found = [
            problem
            for role in _FLOW
            if role in self._facts.processes
            and (problem := self._problem(role, now_ns, silent_s=silent_s)) is not None
        ]
        return list(self._joined(found))

    def counter(self, role: Role, name: str) -> float | None:
        """A counter of the newest heartbeat of `role`; None where it has none that is finite."""
        if role not in self._health:
            return None
        found = self._health[role][0].counters.get(name)
        return found if found is not None and math.isfinite(found) else None

    def _add_heartbeat(self, role: Role, health: Health, t_ns: int) -> None:
        self._health[role] = health, t_ns
        if health.state != _STARTING:
            self._running_ns.setdefault(role, t_ns)
            if role in _WITHOUT_WORK or (role is Role.DECODER and not self._facts.decodes):
                self._worked_ns[role] = t_ns
        scans = health.counters.get(_SCANS)
        if role is Role.BRIDGE and scans is not None:
            if scans != self._scans and scans > 0:  # it counts from 0 after a restart
                self._worked_ns[role] = t_ns
            self._scans = scans

    def _problem(self, role: Role, now_ns: int, *, silent_s: float) -> Problem | None:
        name, worked_ns = self._facts.place(role), self._worked_ns.get(role, 0)
        restarted_ns = self._restarted_ns.get(role)
        if restarted_ns is not None and restarted_ns >= worked_ns:
            return _since(role, f"{role} restarting", f"{name} restarting", now_ns - restarted_ns)
        if role not in self._health:
            return None
        health, health_ns = self._health[role]
        is_starting = health.state == _STARTING and health_ns > worked_ns
        if now_ns - health_ns > (_START_S if is_starting else silent_s) * _NS_PER_S:
            return _since(role, f"{role} silent", f"{name} silent", now_ns - health_ns)
        if is_starting:
            title, sentence = f"{role} starting".capitalize(), f"{name} is starting"
            return Problem(role, title, sentence, is_start=True)
        return self._without_output(role, now_ns)

    def _without_output(self, role: Role, now_ns: int) -> Problem | None:
        """Where microscope or screen give nothing, although their process runs."""
        texts = {
            Role.BRIDGE: ("no scans", "no scans from the microscope"),
            Role.STIMULUS: ("no displayed frames", "screen: no displayed frames"),
        }
        running_ns = self._running_ns.get(role)
        if role not in texts or running_ns is None:
            return None
        if role is Role.BRIDGE and _SCANS not in self._health[role][0].counters:
            return None
        without_ns = now_ns - max(running_ns, self._worked_ns.get(role, 0))
        if without_ns <= _NOTHING_S * _NS_PER_S:
            return None
        return _since(role, *texts[role], without_ns)

    def _joined(self, found: list[Problem]) -> Iterator[Problem]:
        """The `found` problems; a host that is silent with all of its processes is one."""
        network, silent = self._facts.network, {p.role for p in found if p.title.endswith("silent")}
        stated = set[str]()
        for problem in found:
            host = network.host_of(problem.role)
            own = set(network.hosts[host].processes) - {Role.VIEW} if host in network.hosts else ()
            if not own or not set(own) <= silent:
                yield problem
            elif host not in stated:
                stated.add(host)
                _, _, since = problem.sentence.partition(" silent ")
                yield Problem(problem.role, f"{host} silent", f"host {host} silent {since}")


def _since(role: Role, title: str, what: str, age_ns: int) -> Problem:
    return Problem(role, title.capitalize(), f"{what} since {max(0, age_ns) / _NS_PER_S:.0f} s")
