"""Outputs through which triggers leave the controller: ZeroMQ, LSL markers, TTL over serial ports.

Duties: open the outputs of a config, fire them, and measure when each one had taken its trigger.
Each output has a thread of its own, so that a port that blocks delays neither the controller nor
another output. They know nothing of policies and arming.

    with Outputs(config.control.outputs, clock=clock, messaging=messaging) as outputs:
        outputs.fire(action)
        for delivery in outputs.deliveries():
            ...

A trigger that an output did not take is a `Delivery` with the cause in `error`; an output whose
device is connected again takes the next trigger.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from queue import Empty, Full, Queue, SimpleQueue
from threading import Thread
from typing import Self

from rtdecode.runtime.output_devices import Device, device_of
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config.outputs import Output
from rtdecode.schema.control import Action, Delivery
from rtdecode.schema.errors import OutputFailedError
from rtdecode.schema.interfaces import Clock

_NS_PER_MS = 1e6
_MOST_WAITING = 16
"""Triggers that may wait for an output that is busy; further ones are refused."""
_END_S = 2.0
_ENDED = "its driver failed in a way that rtdecode does not know, see logs/controller.log"


class _Worker:
    """One output and its thread."""

    def __init__(self, config: Output, device: Device, *, clock: Clock) -> None:
        self._config, self._device, self._clock = config, device, clock
        self._waiting: Queue[Action | None] = Queue(_MOST_WAITING)
        self.done: SimpleQueue[Delivery] = SimpleQueue()
        self._has_failed = False
        self._thread = Thread(target=self._run, name=f"output {config.name}", daemon=True)
        self._thread.start()

    def fire(self, action: Action) -> None:
        if self._has_failed:
            self.done.put(self._refused(action, _ENDED))
            return
        try:
            self._waiting.put_nowait(action)
        except Full:
            got = f"{_MOST_WAITING} earlier ones still wait for its device"
            self.done.put(self._refused(action, got))

    def withdrawn(self) -> Iterator[Action]:
        while True:
            try:
                action = self._waiting.get_nowait()
            except Empty:
                return
            if action is not None:
                yield action

    def close(self) -> None:
        list(self.withdrawn())
        self._waiting.put(None)
        self._thread.join(_END_S)
        self._device.close()

    def _run(self) -> None:
        while (action := self._waiting.get()) is not None:
            made = None
            try:
                made = self._fired(action)
            finally:
                # an error that no driver should raise ends the thread, and must not be silence
                self._has_failed = made is None
                self.done.put(made or self._refused(action, _ENDED))
                if made is None:
                    for one in self.withdrawn():
                        self.done.put(self._refused(one, _ENDED))

    def _fired(self, action: Action) -> Delivery:
        try:
            self._device.begin(action)
            delivery = self._delivery(action)
            self._device.finish()
        except OutputFailedError as error:
            return self._delivery(action, error=str(error))
        return delivery

    def _refused(self, action: Action, got: str) -> Delivery:
        return self._delivery(
            action, error=str(OutputFailedError(output=self._config.name, got=got))
        )

    def _delivery(self, action: Action, *, error: str = "") -> Delivery:
        t_sent_ns = self._clock.now_ns()
        waited_ms = (t_sent_ns - action.t_decided_ns) / _NS_PER_MS
        return Delivery(
            number=action.number,
            output=self._config.name,
            t_sent_ns=t_sent_ns,
            delay_ms=waited_ms + self._config.device_delay_ms,
            error=error,
        )


class Outputs:
    """The outputs of a run, by name.

    Raises
    ------
    ExtraMissingError, SerialPortAbsentError, SerialPortUnusableError, AddressInUseError
        If an output cannot be opened; those that were opened before it are closed.
    """

    def __init__(self, configs: Sequence[Output], *, clock: Clock, messaging: Messaging) -> None:
        self._workers: dict[str, _Worker] = {}
        with ExitStack() as opened:
            for config in configs:
                device = device_of(config, clock=clock, messaging=messaging)
                self._workers[config.name] = _Worker(config, device, clock=clock)
                opened.callback(self._workers[config.name].close)
            self._opened = opened.pop_all()

    def fire(self, action: Action) -> None:
        """Fire the output `action.target` in its own thread; does not wait for it.

        Raises
        ------
        KeyError
            If no output has this name.
        """
        self._workers[action.target].fire(action)

    def deliveries(self) -> list[Delivery]:
        """One for each fired action that was delivered, or failed, since the last call."""
        return [one for worker in self._workers.values() for one in _emptied(worker.done)]

    def withdraw(self) -> list[int]:
        """Numbers of the fired actions that no device had begun; they are not delivered."""
        return [one.number for worker in self._workers.values() for one in worker.withdrawn()]

    def close(self) -> None:
        """End the pulses that were begun and close all devices; what still waits is withdrawn."""
        self._opened.close()

    def __contains__(self, name: str) -> bool:
        return name in self._workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _emptied(done: "SimpleQueue[Delivery]") -> Iterator[Delivery]:
    while True:
        try:
            yield done.get_nowait()
        except Empty:
            return
