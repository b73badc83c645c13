"""The sockets of rtdecode with what stands behind them, to which mutated messages are sent.

Each door has the real socket and the stage of its process, in this process, so that an error of any
of them ends the test. A program that mutates and one that does not are connected to it, each with a
socket of its own.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from acquisition_bridge.sources.zmq_native import ZmqNativeSource
from rtdecode.control.arming import Arming
from rtdecode.control.decision_stage import DecisionStage
from rtdecode.control.policy import Observation, Request
from rtdecode.evaluate.online import OnlineScore
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.pipeline.control_stage import OBSERVED, ControlStage, Surroundings
from rtdecode.pipeline.decoding_stage import DecodingStage, LineAligner
from rtdecode.pipeline.evaluate import ScoringStage
from rtdecode.pipeline.recorder import RecordStage
from rtdecode.pipeline.view import PageStage
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack, topics
from rtdecode.runtime.command_receiver import WINDOW, CommandReceiver
from rtdecode.runtime.control import ControlServer
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.refused import Arrived, RefusedMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Collector, Subscriber
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import ZmqNativeSource as ZmqNativeConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.control import Acknowledgement, Action, Result
from rtdecode.schema.messages import (
    BODIES,
    Behaviour,
    Body,
    DisplayedFrame,
    End,
    Event,
    Fluorescence,
    Gap,
    Health,
    Received,
    Reconstruction,
    Responses,
    Scan,
    Score,
    Stamped,
    Start,
)
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.streams.gaps import GapWatch
from rtdecode.view.page import Page

LEGITIMATE = "legitimate"
"""Source of the messages that must all arrive."""
TOKEN = "token"
PICTURE = (6, 8)
_QUEUE = 5_000
_S = 1_000_000_000
_ALWAYS = (Start, End, Health)
Step = Callable[[], None]


class Counted(RefusedMessages):
    """Also counts what is read, and keeps the numbers of the legitimate messages."""

    def __init__(self) -> None:
        super().__init__()
        self.n_read = self.n_unread = 0
        self.legitimate: list[int] = []

    def batch(self, received: Iterable[Arrived], **settings: Any) -> list[tuple[bytes, Received]]:
        before = self.n
        taken = super().batch(received, **settings)
        self._count(before, [one.message for _, one in taken])
        return taken

    def named_batch(
        self, received: Iterable[Arrived], **settings: Any
    ) -> list[tuple[str, Stamped]]:
        before = self.n
        taken = super().named_batch(received, **settings)
        self._count(before, [message for _, message in taken])
        return taken

    def _count(self, before: int, messages: Sequence[Stamped]) -> None:
        self.n_unread += self.n - before
        self.n_read += len(messages)
        self.legitimate += [one.seq for one in messages if one.source == LEGITIMATE]


class Door:
    """One socket, what stands behind it, and the two programs that are connected to it.

    Parameters
    ----------
    kinds
        Kinds of messages that a sender of this socket has.
    peer
        ZeroMQ kind of the other end's sockets.
    step
        Receives what has arrived and passes it on.
    subscribed
        First bytes of the messages that come through; all where empty.
    """

    def __init__(  # noqa: PLR0917 - each door is made in one place
        self,
        name: str,
        messaging: Messaging,
        step: Step,
        senders: Sequence[Any],
        kinds: Sequence[type[Body]] = BODIES,
        subscribed: tuple[bytes, ...] = (),
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.kinds, self._step = name, kinds, step
        counted = messaging.refused
        if not isinstance(counted, Counted):
            raise TypeError(type(counted))
        self.counted = counted
        self._hostile, self._legitimate = senders
        self._subscribed, self.close = subscribed, close
        self.n_sent = self.n_legitimate = 0
        self._shape = (48, 56) if name == "decoder" else PICTURE

    def send(self, parts: list[bytes]) -> None:
        """Send a mutated message, and count it where it comes through."""
        self._hostile.send_multipart(parts)
        self.n_sent += not self._subscribed or parts[0].startswith(self._subscribed)

    def send_legitimate(self, now_ns: int) -> None:
        """Send a valid message that must arrive."""
        seq, self.n_legitimate = self.n_legitimate, self.n_legitimate + 1
        body = self._body(seq, now_ns)
        self._legitimate.send(pack(Stamped(LEGITIMATE, seq, now_ns, "host", body)))
        self.n_sent += 1

    def _body(self, seq: int, now_ns: int) -> Body:
        if Scan in self.kinds and self.name == "bridge":
            return Scan(np.full(self._shape, seq % 99, np.uint16), seq, 0, now_ns - 1, now_ns)
        return Health("running", "", {"turns": float(seq)})

    def step_until_all_came(self, *, turns: int = 20_000) -> bool:
        """Receive until all that was sent is read or refused; False after too many turns."""
        for _ in range(turns):
            self._step()
            if self.counted.n_read + self.counted.n_unread >= self.n_sent:
                return True
        return False


@contextmanager
def doors(folder: Path, config: RunConfig) -> Iterator[dict[str, Door]]:
    """All doors, by name; their sockets are closed with the block."""
    with ExitStack() as stack:
        made = _Made(folder, config, stack)
        yield {
            door.name: door
            for door in (
                made.recorder(),
                made.bridge(),
                made.decoder(),
                made.evaluate(),
                made.view(),
                made.controller(),
                made.commands(),
                made.control(),
            )
        }


class _Made:
    def __init__(self, folder: Path, config: RunConfig, stack: ExitStack) -> None:
        self._folder, self._config, self._stack = folder, config, stack
        self._clock = HostClock()
        self._context = stack.enter_context(zmq.Context())

    def recorder(self) -> Door:
        messaging, endpoint = self._messaging("recorder")
        collector = Collector(messaging, clock=self._clock, endpoint=endpoint, queue=_QUEUE)
        session = self._folder / "session"
        session.mkdir()
        recorder = Recorder(session, flush_s=1.0, clock=self._clock)
        self._stack.callback(recorder.close)
        stage = RecordStage(recorder, acknowledge=lambda _start: None)
        step = lambda: _none(stage.step(collector.take(0.01)))  # noqa: E731
        senders = self._senders(zmq.PUSH, endpoint)
        return Door("recorder", messaging, step, senders, close=recorder.close)

    def bridge(self) -> Door:
        endpoint = self._endpoint("bridge")
        config = ZmqNativeConfig(address=endpoint)
        source = ZmqNativeSource(config, clock=self._clock, queue=_QUEUE)
        self._stack.callback(source.close)
        messaging = source._messaging
        messaging.refused = Counted()
        step = lambda: _none(source.measured_until(self._clock.now_ns() + 10**7))  # noqa: E731
        kinds = (Scan, Behaviour, Fluorescence, Health)
        return Door("bridge", messaging, step, self._senders(zmq.PUSH, endpoint), kinds)

    def decoder(self) -> Door:
        stage = DecodingStage(
            gaps=GapWatch(detected_by="decoder"),
            calcium=calcium_stage(self._config, clock=self._clock),
            behaviour=BehaviourJoin(np.zeros(4, np.float32)),
            decoder=None,
            lines=LineAligner(self._config.calcium),
            clock=self._clock,
        )
        return self._subscribed("decoder", (Scan, Behaviour, Fluorescence), stage.step)

    def evaluate(self) -> Door:
        mask = np.ones(PICTURE, bool)
        score = OnlineScore(EvaluateConfig(warm_up_s=0), mask, frame_rate_hz=30.0)
        stage = ScoringStage(GapWatch(detected_by="evaluate"), score)
        kinds = (DisplayedFrame, Reconstruction, Responses, Behaviour)
        return self._subscribed("evaluate", kinds, stage.step)

    def view(self) -> Door:
        page = Page(frame_rate_hz=30.0, clock=self._clock)
        server: Any = type("Server", (), {"push": staticmethod(page.packets_of)})()
        stage = PageStage(server)

        def step(items: Sequence[Received]) -> Iterator[Body]:
            yield from stage.step(items)
            json.dumps([page.status(), page.history()], allow_nan=False)

        kinds = (DisplayedFrame, Reconstruction, Responses, Score, Gap, Event, Action)
        return self._subscribed("view", (*kinds, Acknowledgement), step)

    def controller(self) -> Door:
        policy: Any = type("Pauses", (), {"decide": staticmethod(_pauses)})()
        decisions = DecisionStage(policy, policy="pauses", max_actions_per_s=2.0, clock=self._clock)
        carrier: Any = _Nothing()
        around = Surroundings(
            clock=self._clock,
            commands=lambda: (),
            answer=lambda _command: None,
            lost=lambda: (),
            supervisor_ns=self._clock.now_ns,
            is_ending=lambda: False,
            keep=lambda _number, _armed: None,
        )
        stage = ControlStage(
            decisions,
            Arming(dead_man_s=None, silence_s=2.0),
            carrier,
            around,
            max_actions_per_s=2.0,
        )
        return self._subscribed("controller", OBSERVED, stage.step)

    def commands(self) -> Door:
        messaging, endpoint = self._messaging("commands")
        receiver = CommandReceiver(
            messaging,
            clock=self._clock,
            endpoint=endpoint,
            kept=KeptMessages(None, slots=WINDOW),
            token=TOKEN,
        )

        def step() -> None:
            for command in receiver.take(0.01):
                receiver.answer(command.seq, _result(command.action))

        senders = self._senders(zmq.DEALER, endpoint)
        return Door("commands", messaging, step, senders, (Action, Health))

    def control(self) -> Door:
        messaging, endpoint = self._messaging("control")
        server = ControlServer(messaging, clock=self._clock, endpoint=endpoint, token=TOKEN)
        step = lambda: _none(server.receive(0.01))  # noqa: E731
        senders = self._senders(zmq.DEALER, endpoint)
        return Door("control", messaging, step, senders)

    def _subscribed(
        self,
        name: str,
        kinds: Sequence[type[Body]],
        stage: Callable[[Sequence[Received]], Iterable[object]],
    ) -> Door:
        messaging, _ = self._messaging(name)
        endpoints = [self._endpoint(f"{name}{n}") for n in range(2)]
        senders = [self._sender(zmq.PUB) for _ in endpoints]
        for sender, endpoint in zip(senders, endpoints, strict=True):
            sender.bind(endpoint)
        inlet = Subscriber(
            messaging, clock=self._clock, endpoints=endpoints, kinds=kinds, queue=_QUEUE
        )
        self._await_subscriptions(senders, inlet)
        counted = messaging.refused = Counted()
        prefixes = tuple(prefix for kind in (*kinds, *_ALWAYS) for prefix in topics(kind.kind))
        step = lambda: _none(stage(inlet.take(0.01)))  # noqa: E731
        del counted
        return Door(name, messaging, step, senders, (*kinds, *_ALWAYS), prefixes)

    def _await_subscriptions(self, senders: Sequence[Any], inlet: Subscriber) -> None:
        probe = pack(Stamped("probe", 0, 0, "host", Health("starting", "")))
        for sender in senders:
            while not inlet.take(0.01):
                sender.send(probe)
        while inlet.take(0.05):
            pass

    def _messaging(self, name: str) -> tuple[Messaging, str]:
        messaging = self._stack.enter_context(Messaging())
        messaging.refused = Counted()
        return messaging, self._endpoint(name)

    def _endpoint(self, name: str) -> str:
        return f"ipc://{self._folder}/{name}"

    def _senders(self, kind: int, endpoint: str) -> list[Any]:
        senders = [self._sender(kind) for _ in range(2)]
        for name, sender in zip(("view", "stimulus"), senders, strict=True):
            if kind == zmq.DEALER:
                sender.set(zmq.IDENTITY, f"{name}/{TOKEN}".encode())
            sender.connect(endpoint)
        return senders

    def _sender(self, kind: int) -> Any:
        sender = self._context.socket(kind)
        sender.set(zmq.SNDHWM, _QUEUE)
        sender.set(zmq.LINGER, 0)
        self._stack.callback(sender.close)
        return sender


class _Nothing:
    """Carries out no action."""

    def carry(self, action: Action) -> None: ...

    def refuse(self, action: Action, why: str) -> None: ...

    def withdraw(self) -> None: ...

    def effects(self) -> tuple[()]:
        return ()


def _pauses(observation: Observation) -> list[Request]:
    return [Request.pause(reason="an example")] if observation.body else []


def _result(action: Action) -> Acknowledgement:
    result = Result.APPLIED.value
    return Acknowledgement(action.number, result, action.name, action.target, 0, 1, 1)


def _none(items: Iterable[object]) -> None:
    for _ in items:
        pass


def log_is_whole(folder: Path, *, recorded: int) -> bool:
    """Whether the log has `recorded` messages, with those that it states it has not taken."""
    found = [item.message for item in LogReader(folder / "session" / "log.mcap").messages()]
    bodies = [message.body for message in found if message.source == "recorder"]
    events = [body for body in bodies if isinstance(body, Event) and body.code == "stream_refused"]
    refused = sum(event.counts["messages"] for event in events)
    return len(found) - len(bodies) + refused == recorded
