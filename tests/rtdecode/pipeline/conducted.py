"""A process's main in a thread of the test, with real sockets, and the test as its supervisor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.process import Process, Ticket
from rtdecode.runtime.sockets import Collector, ControlDesk, Publisher, Wire
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Body, Command, Health, Received

CLOCK = HostClock()
NAMES = ("control", "recorder", "bridge", "stimulus", "decoder", "emit", "evaluate")


class Conducted:
    """What a test sees of the main, and the other processes as far as the test plays them."""

    def __init__(self, name: str, wire: Wire, network: dict[str, str]) -> None:
        self._name, self._wire, self._network = name, wire, network
        self._desk = ControlDesk(wire, clock=CLOCK, endpoint=network["control"])
        self._tape: Collector | None = None
        self._publishers: list[Publisher] = []
        self.stop = Event()
        self.thread = Thread()
        self.code: int | None = None
        self.taped: list[Received] = []

    def record(self) -> None:
        """Play the recorder: everything that is sent is kept in `taped`."""
        self._tape = Collector(
            self._wire, clock=CLOCK, endpoint=self._network["recorder"], queue=500
        )

    def publisher(self, source: str, *, says_hello: bool = True) -> Publisher:
        """Play a process that sends."""
        made = Publisher(
            self._wire,
            source,
            clock=CLOCK,
            publish=self._network[source],
            record=self._network["recorder"],
            queue=500,
        )
        if says_hello:
            self._publishers.append(made)
        return made

    def go(self) -> Health:
        """Let the main go once it says that it is ready; the heartbeat that said so.

        It runs on return: a stop that came before would end it unbegun.
        """

        def ready(health: Health) -> bool:
            for publisher in self._publishers:
                publisher.hello(Health("starting", "", {}))
            return health.state == "ready"

        found = self.until(ready)
        self._desk.tell(self._name, Command(self._name, "go", ""))
        self.until(lambda health: health.state == "running")
        return found

    def until(self, wanted: Callable[[Health], bool]) -> Health:
        """The first heartbeat to come that is `wanted`."""
        while True:
            self.keep_taping(0.0)
            for _, message in self._desk.take(0.05):
                if isinstance(message.body, Health) and wanted(message.body):
                    return message.body
            if not self.thread.is_alive():
                raise RuntimeError(f"the main ended with code {self.code}")

    def keep_taping(self, wait_s: float) -> int:
        """Take what has come onto the tape; how much it was."""
        new = [] if self._tape is None else [item for _, item in self._tape.take(wait_s)]
        self.taped += new
        return len(new)

    def end(self) -> int:
        """Stop the main, as a signal would; its exit code."""
        self.stop.set()
        while self.thread.is_alive():
            self.keep_taping(0.02)
        while self.keep_taping(0.1):
            pass
        if self.code is None:
            raise RuntimeError("the main failed; see its trace")
        return self.code

    def bodies(self, source: str) -> list[Body]:
        """What `source` has put onto the tape, heartbeats left out."""
        mine = (item.message for item in self.taped if item.message.source == source)
        return [message.body for message in mine if not isinstance(message.body, Health)]


@contextmanager
def conducted(
    main: Callable[[Process], int], config: RunConfig, folder: Path, *, records: bool = True
) -> Iterator[Conducted]:
    """Run `main` on `config` with sockets in `folder`; its session is `folder`/session."""
    name = main.__module__.rpartition(".")[-1]
    network = {name: f"ipc://{folder}/{name}" for name in NAMES}
    run = RunConfig.model_validate(
        config.model_dump() | {"network": network, "record": {"folder": folder}}
    )
    (folder / "session").mkdir(exist_ok=True)
    ticket = Ticket("session", git_revision="", config_yaml="", versions={})
    with Wire() as wire, Wire() as its_wire:
        scene = Conducted(name, wire, network)
        if records:
            scene.record()
        process = Process(name, run, ticket=ticket, wire=its_wire, stop=scene.stop, clock=CLOCK)

        def run_main() -> None:
            scene.code = main(process)

        scene.thread = Thread(target=run_main, name="main")
        scene.thread.start()
        try:
            yield scene
        finally:
            scene.stop.set()
            scene.thread.join()
