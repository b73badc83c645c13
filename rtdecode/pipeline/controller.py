"""The process of the closed loop: messages of the run → its policy → commands and triggers."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rtdecode.control.arming import Arming, Severity, Watched
from rtdecode.control.decision_stage import DecisionStage
from rtdecode.control.loading import made_policy, policy_hash, policy_name
from rtdecode.pipeline.action_carrier import ActionCarrier
from rtdecode.pipeline.control_stage import OBSERVED, ControlStage, Surroundings
from rtdecode.pipeline.policy_setting import policy_setting
from rtdecode.pipeline.policy_thread import PolicyThread
from rtdecode.pipeline.topology import included, subscriptions
from rtdecode.runtime.command_link import CommandSender
from rtdecode.runtime.command_receiver import WINDOW
from rtdecode.runtime.connection_watch import ConnectionWatch
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.outputs import Outputs
from rtdecode.runtime.process import Process
from rtdecode.runtime.progress import Progress, kept_messages, kept_progress
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.config.control import Arm, ControlConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.messages import Body, Event, Start

log = logging.getLogger(__name__)
_POLL_S = 0.005
"""Longest time in s until a lost connection and a command of a person are noticed."""
_KEPT = ("actions", "armed")


class ControllerSink:
    """Sink that writes events to the log of the process too."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def push(self, item: Body) -> None:
        if isinstance(item, Event):
            log.log(logging.INFO if item.severity == "info" else logging.WARNING, "%s", item.text)
        self._publisher.push(item)


def main(process: Process) -> int:
    """Let the policy decide until the run stops; SettingMissingError without `control`."""
    control = process.config.control
    if control is None:
        raise SettingMissingError(setting="control", reason="the controller needs its policy")
    publisher = process.publisher(process.config.network.controller)
    sources = subscriptions(Role.CONTROLLER, process.config)
    subscriber = process.subscriber(sources.endpoints, OBSERVED)
    progress = kept_progress(
        process.config, process.run_info, file="controller.progress", names=_KEPT
    )
    with progress, _stage(process, control, progress) as stage:
        restarted = process.run_info.restarts > 0
        # a restarted controller must be on the page also where another process gives nothing
        process.wait_for_start(subscriber, () if restarted else sources.expected)
        publisher.start(_start(process, control))
        sink = ControllerSink(publisher)
        for event in _disarmed_by_restart(process, progress):
            sink.push(event)
        run_loop(
            subscriber,
            stage,
            sink,
            stop=process.stop,
            clock=process.clock,
            poll_s=_POLL_S,
            on_turn=process.on_turn(stage.counters),
        )
        for last in stage.disarm("the run ended", Severity.INFO):
            sink.push(last)
        publisher.end(session=process.run_info.session, reason="stopped")
    progress.remove()
    return 0


@contextmanager
def _stage(process: Process, control: ControlConfig, progress: Progress) -> Iterator[ControlStage]:
    """The stage with its policy, command link and outputs, which close after the block."""
    config, name = process.config, policy_name(control.policy)
    policy = made_policy(control.policy, policy_setting(config))
    before = progress.read() or {} if process.run_info.restarts else {}
    watched = {Watched.RECORDER.value: config.network.events}
    if config.decode is not None:
        watched[Watched.DECODER.value] = config.network.ready
    watch = ConnectionWatch(process.messaging, watched)
    messaging, clock = process.messaging, process.clock
    thread = PolicyThread(policy, name=name, budget_ms=control.step_budget_ms, clock=clock)
    try:
        with (
            _sender(process) as sender,
            Outputs(control.outputs, clock=clock, messaging=messaging) as outputs,
        ):
            decisions = DecisionStage(
                thread,
                policy=name,
                max_actions_per_s=control.max_actions_per_s,
                clock=clock,
                first_number=before.get("actions", 0),
            )
            stage = ControlStage(
                decisions,
                Arming(dead_man_s=control.dead_man_s, silence_s=control.silence_s),
                ActionCarrier(sender, outputs, clock=clock),
                Surroundings(
                    clock=clock,
                    commands=process.commands,
                    answer=process.report,
                    lost=watch.lost,
                    supervisor_ns=process.supervisor_ns,
                    is_ending=process.stop.is_set,
                    keep=progress.write,
                ),
                max_actions_per_s=control.max_actions_per_s,
                arm=Arm.BY_HAND if process.run_info.restarts else control.arm,
                first_number=before.get("actions", 0),
            )
            thread.meanwhile = stage.check
            yield stage
    finally:
        thread.close()


@contextmanager
def _sender(process: Process) -> Iterator[CommandSender | None]:
    """The command link to the stimulus; None where there is none, here or on another machine."""
    config, run_info = process.config, process.run_info
    is_elsewhere = config.network.commands.startswith("tcp://")
    if not is_elsewhere and all(row.role is not Role.STIMULUS for row in included(config)):
        yield None
        return
    with kept_messages(config, run_info, file="controller.commands", slots=WINDOW) as kept:
        yield CommandSender(
            process.messaging,
            clock=process.clock,
            endpoint=config.network.commands,
            kept=kept,
            token=run_info.token,
        )
    kept.remove()


def _start(process: Process, control: ControlConfig) -> Start:
    """START with name and content hash of the policy among its versions."""
    start = process.run_info.start()
    versions = {**start.versions, "policy": policy_name(control.policy)}
    if content_hash := policy_hash(control.policy):
        versions["policy_sha256"] = content_hash
    return replace(start, versions=versions)


def _disarmed_by_restart(process: Process, progress: Progress) -> Iterator[Event]:
    """The event of a controller that was armed when it failed."""
    before = progress.read() or {} if process.run_info.restarts else {}
    if before.get("armed"):
        text = "disarmed: the controller was started again, and is armed by hand alone"
        yield Event("warning", process.name, "disarmed", text)
        progress.write(before["actions"], 0)


if __name__ == "__main__":
    raise SystemExit(run_process("controller", main, sys.argv[1:]))
