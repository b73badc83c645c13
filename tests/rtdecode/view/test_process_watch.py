"""A process that gives nothing is named with since when, and the first in the data flow first."""

from dataclasses import replace
from typing import Any

import pytest

from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.messages import Body, Event, Health
from rtdecode.view.process_watch import ProcessWatch
from rtdecode.view.run_facts import RunFacts

S = 1_000_000_000
HOSTS = {
    "lab": {"address": "10.0.0.2"},
    "rig": {"address": "10.0.0.3", "processes": ["stimulus", "bridge"]},
}
JOINED = RunFacts(network=NetworkConfig.model_validate({"hosts": HOSTS}))


class Scene:
    """A run whose processes send what a test states, and its problems."""

    def __init__(self, rig: Any, facts: RunFacts | None = None) -> None:
        self.rig, self.watch = rig, ProcessWatch(facts or RunFacts())

    def sends(self, source: str, body: Body) -> None:
        item = self.rig.received(body)
        self.watch.add(replace(item, message=replace(item.message, source=source)))

    def heartbeats(self, *sources: str, state: str = "running", **counters: float) -> None:
        for source in sources:
            self.sends(source, Health(state, "", counters))

    def after(self, seconds: float) -> None:
        self.rig.clock.t_ns += round(seconds * S)

    def sentences(self, *, silent_s: float = 3.0) -> list[str]:
        found = self.watch.problems(self.rig.clock.t_ns, silent_s=silent_s)
        return [problem.sentence for problem in found]


def restart(process: str) -> Event:
    return Event("warning", process, "process_restarted", "the process failed", {"restarts": 1})


def test_a_restart_is_stated_until_the_process_works_again(rig: Any) -> None:
    scene = Scene(rig)
    scene.watch.add(rig.decoded(1, 0.0))
    scene.after(1)
    scene.sends("supervisor", restart("decoder"))
    scene.after(3)
    scene.heartbeats("decoder", state="starting")
    assert scene.sentences() == ["decoder restarting since 3 s"]
    scene.heartbeats("decoder")
    assert scene.sentences() == ["decoder restarting since 3 s"]
    scene.watch.add(rig.decoded(90, 0.0))
    assert scene.sentences() == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("events", "recorder silent since 4 s"), ("evaluate", "evaluate silent since 4 s")],
)
def test_a_process_without_heartbeats_is_silent(rig: Any, source: str, sentence: str) -> None:
    scene = Scene(rig)
    scene.heartbeats(source)
    scene.after(2)
    assert scene.sentences() == []
    assert scene.sentences(silent_s=1.5) == [sentence.replace("4", "2")]
    scene.after(2)
    assert scene.sentences() == [sentence]


def test_a_microscope_and_a_screen_that_stop_are_named_although_their_processes_run(
    rig: Any,
) -> None:
    scene = Scene(rig)
    scene.watch.add(rig.displayed(1000, 60))
    for _ in range(3):
        scene.heartbeats("bridge", "stimulus", scans=70)
        scene.after(1)
    assert scene.sentences() == [
        "screen: no displayed frames since 3 s",
        "no scans from the microscope since 3 s",
    ]
    scene.heartbeats("bridge", scans=71)
    assert scene.sentences() == ["screen: no displayed frames since 3 s"]


def test_a_bridge_that_counts_from_0_again_passes_on_scans(rig: Any) -> None:
    scene = Scene(rig)
    scene.heartbeats("bridge", scans=700)
    scene.sends("supervisor", restart("bridge"))
    scene.after(2)
    scene.heartbeats("bridge", scans=0)
    assert scene.sentences() == ["bridge restarting since 2 s"]
    scene.heartbeats("bridge", scans=5)
    assert scene.sentences() == []


def test_a_process_on_another_host_is_named_with_it_and_a_silent_host_once(rig: Any) -> None:
    scene = Scene(rig, JOINED)
    scene.heartbeats("bridge", "stimulus", "decoder")
    scene.watch.add(rig.decoded(1, 0.0))
    scene.sends("supervisor", restart("bridge"))
    assert scene.sentences() == ["bridge on rig restarting since 0 s"]
    scene.after(1)
    scene.heartbeats("bridge", "stimulus", scans=1)
    scene.after(4)
    scene.heartbeats("decoder")
    assert scene.sentences() == ["host rig silent since 4 s"]
    scene.heartbeats("bridge", scans=2)
    assert scene.sentences() == ["stimulus on rig silent since 4 s"]


def test_processes_that_are_no_part_of_the_run_are_no_problem(rig: Any) -> None:
    scene = Scene(rig, RunFacts(processes=frozenset({Role.RECORDER})))
    scene.heartbeats("bridge", "events")
    scene.after(5)
    assert scene.sentences() == ["recorder silent since 5 s"]


def test_a_decoder_that_only_measures_activity_works_once_it_runs(rig: Any) -> None:
    scene = Scene(rig, RunFacts(decodes=False))
    scene.sends("supervisor", restart("decoder"))
    scene.after(1)
    assert scene.sentences() == ["decoder restarting since 1 s"]
    scene.heartbeats("decoder")
    assert scene.sentences() == []
