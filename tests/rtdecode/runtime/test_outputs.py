"""Real outputs: a subscriber, an LSL inlet and a pseudo-terminal get what the config says."""

import importlib
import importlib.util
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port
from lab_keys import introduced, own_address

from rtdecode.runtime import output_devices
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.keys import NetworkKeys
from rtdecode.runtime.output_devices import require_present
from rtdecode.runtime.outputs import Outputs
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.outputs import LslOutput, Output, SerialOutput, ZmqOutput
from rtdecode.schema.control import Action, Delivery
from rtdecode.schema.errors import (
    AddressInUseError,
    BadInputError,
    ExtraMissingError,
    SerialPortAbsentError,
    SerialPortUnusableError,
)

CLOCK = HostClock()
WAIT_S = 60.0
CLIENT = Path(__file__).resolve().parents[3] / "docs" / "clients" / "receive_triggers.py"


def trigger(number: int, output: str) -> Action:
    now_ns = CLOCK.now_ns()
    return Action(
        number,
        "trigger",
        "threshold",
        "sent",
        "emit/reconstruction",
        7,
        now_ns - 2,
        now_ns - 3,
        now_ns - 1,
        now_ns,
        target=output,
        value=1.0,
        reason="score 0.83 above 0.8",
    )


def delivered(outputs: Outputs, n: int = 1) -> list[Delivery]:
    """The next `n` deliveries; they come from threads."""
    until_ns, found = CLOCK.now_ns() + int(WAIT_S * 1e9), []
    while len(found) < n:
        assert CLOCK.now_ns() < until_ns, f"{len(found)} of {n} were delivered"
        found += outputs.deliveries()
        threading.Event().wait(0.001)
    return found


@pytest.fixture
def messaging() -> Iterator[Messaging]:
    with Messaging() as made:
        yield made


class Pair:
    """A pseudo-terminal pair: `master` is the device, `port` the name of its serial port."""

    def __init__(self, folder: Path) -> None:
        self.link = folder / "ttyTTL"
        self.connect()

    def connect(self) -> None:
        self.master, self._slave = os.openpty()
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def disconnect(self) -> None:
        os.close(self.master)
        os.close(self._slave)

    def read(self, n: int) -> bytes:
        got = b""
        while len(got) < n and select.select([self.master], [], [], WAIT_S)[0]:
            got += os.read(self.master, n - len(got))
        return got


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.disconnect()


def serial_output(pair: Pair, *, pulse_ms: float = 1.0) -> SerialOutput:
    link = str(pair.link)
    return SerialOutput(name="laser", port=link, byte=3, reset_byte=4, pulse_ms=pulse_ms)


def test_a_pulse_begins_and_ends_with_the_configured_bytes(
    messaging: Messaging, pair: Pair
) -> None:
    with Outputs([serial_output(pair)], clock=CLOCK, messaging=messaging) as outputs:
        for number in range(3):
            outputs.fire(trigger(number, "laser"))
        assert pair.read(6) == bytes([3, 4] * 3)
        made = delivered(outputs, 3)
    assert [(one.number, one.error) for one in made] == [(0, ""), (1, ""), (2, "")]


def test_a_delivery_has_the_time_from_the_decision_and_the_delay_of_the_device(
    messaging: Messaging, pair: Pair
) -> None:
    config = serial_output(pair).model_copy(update={"device_delay_ms": 7.0})
    action = trigger(5, "laser")
    with Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        outputs.fire(action)
        (made,) = delivered(outputs)
    assert (made.number, made.output, made.error) == (5, "laser", "")
    assert action.t_decided_ns < made.t_sent_ns < CLOCK.now_ns()
    assert made.delay_ms == pytest.approx((made.t_sent_ns - action.t_decided_ns) / 1e6 + 7.0)


def test_a_port_that_disappears_is_told_and_is_used_again_when_it_is_back(
    messaging: Messaging, pair: Pair
) -> None:
    with Outputs([serial_output(pair)], clock=CLOCK, messaging=messaging) as outputs:
        pair.disconnect()
        outputs.fire(trigger(0, "laser"))
        (lost,) = delivered(outputs)
        pair.connect()
        outputs.fire(trigger(1, "laser"))
        (back,) = delivered(outputs)
        assert pair.read(2) == bytes([3, 4])
    assert lost.number == 0
    assert "output 'laser' did not take a trigger" in lost.error
    assert "action 0 could not be written" in lost.error
    assert "arm again" in lost.error
    assert (back.number, back.error) == (1, "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unknown_error_of_a_driver_is_told_and_so_is_each_later_trigger(
    messaging: Messaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_device: object, _action: Action) -> None:
        raise RuntimeError("the stream outlet has been destroyed")

    monkeypatch.setattr(output_devices._ZmqDevice, "begin", fails)
    config = ZmqOutput(name="reward", endpoint=f"ipc://{tmp_path}/z")
    with Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        for number in range(3):
            outputs.fire(trigger(number, "reward"))
            (failed,) = delivered(outputs)
            assert failed.number == number
            assert "output 'reward' did not take a trigger (its driver failed" in failed.error


class HeldClock(HostClock):
    """Its sleep lasts until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def sleep_until(self, t_ns: int) -> None:
        self.go.wait(WAIT_S)


def test_an_output_that_is_busy_delays_no_other_one(
    messaging: Messaging, pair: Pair, tmp_path: Path
) -> None:
    other = ZmqOutput(name="reward", endpoint=f"ipc://{tmp_path}/z")
    clock = HeldClock()
    with Outputs([serial_output(pair), other], clock=clock, messaging=messaging) as outputs:
        outputs.fire(trigger(0, "laser"))
        assert pair.read(1) == bytes([3])  # its pulse now lasts until the clock is let go
        outputs.fire(trigger(1, "reward"))
        (made,) = delivered(outputs)
        assert (made.output, made.error) == ("reward", "")
        for number in range(2, 19):
            outputs.fire(trigger(number, "laser"))
        (refused,) = delivered(outputs)
        assert refused.number == 18
        assert "16 earlier ones" in refused.error
        assert outputs.withdraw() == list(range(2, 18))
        clock.go.set()
        assert (delivered(outputs)[0].number, pair.read(1)) == (0, bytes([4]))


def test_closing_ends_the_pulse_and_withdraws_what_waits(messaging: Messaging, pair: Pair) -> None:
    clock = HeldClock()
    outputs = Outputs([serial_output(pair)], clock=clock, messaging=messaging)
    for number in range(3):
        outputs.fire(trigger(number, "laser"))
    assert pair.read(1) == bytes([3])
    clock.go.set()
    outputs.close()
    sent = pair.read(1)
    while select.select([pair.master], [], [], 0.0)[0]:
        sent += pair.read(1)
    assert sent[-1:] == bytes([4])
    assert len(sent) % 2 == 1  # each pulse that began has ended


def test_an_output_that_does_not_exist_is_not_fired(messaging: Messaging) -> None:
    with Outputs([], clock=CLOCK, messaging=messaging) as outputs:
        assert "laser" not in outputs
        with pytest.raises(KeyError):
            outputs.fire(trigger(0, "laser"))


@pytest.mark.parametrize("opens", [False, True])
def test_an_absent_port_is_told_with_those_present(
    messaging: Messaging, tmp_path: Path, *, opens: bool
) -> None:
    config = SerialOutput(name="laser", port=str(tmp_path / "ttyUSB9"))
    with pytest.raises(SerialPortAbsentError, match=r"ttyUSB9 of output 'laser'.*present"):
        opened(config, messaging) if opens else require_present(config)


def opened(config: Output, messaging: Messaging) -> None:
    Outputs([config], clock=CLOCK, messaging=messaging).close()


def test_what_is_no_serial_port_or_is_in_use_is_not_opened(
    messaging: Messaging, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for config in (SerialOutput(name="laser", port=str(tmp_path / "file")), serial_output(pair)):
        require_present(config)
        with (
            Outputs([serial_output(pair)], clock=CLOCK, messaging=messaging),
            pytest.raises(SerialPortUnusableError, match="cannot be opened"),
        ):
            opened(config, messaging)
    opened(serial_output(pair), messaging)


def test_outputs_that_were_opened_are_closed_if_a_later_one_cannot_be(
    messaging: Messaging, pair: Pair, tmp_path: Path
) -> None:
    absent = SerialOutput(name="other", port=str(tmp_path / "ttyUSB9"))
    with pytest.raises(BadInputError, match="'other'"):
        Outputs([serial_output(pair), absent], clock=CLOCK, messaging=messaging)
    opened(serial_output(pair), messaging)


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        (SerialOutput(name="a", port="/dev/ttyUSB0"), r"pyserial .*rtdecode\[ttl\]"),
        (LslOutput(name="a"), r"mne-lsl .*rtdecode\[lsl\]"),
    ],
)
def test_without_its_package_an_output_says_what_to_install(
    config: Output, advice: str, messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ExtraMissingError, match=advice):
        require_present(config)
    with pytest.raises(ExtraMissingError, match=advice):
        opened(config, messaging)


def test_a_subscriber_gets_the_action_as_it_was_decided(
    messaging: Messaging, tmp_path: Path
) -> None:
    config = ZmqOutput(name="reward", endpoint=f"ipc://{tmp_path}/z")
    action = trigger(9, "reward")
    with Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        subscriber = Subscriber(
            messaging, clock=CLOCK, endpoints=[config.endpoint], kinds=[Action], queue=10
        )
        got = []
        while not got:  # what is published before the subscription has arrived is not received
            outputs.fire(action)
            got = list(subscriber.take(0.01))
    received = got[0].message.body
    assert isinstance(received, Action)
    for name in ("number", "target", "value", "reason", "t_decided_ns", "cause_frame"):
        assert getattr(received, name) == getattr(action, name)


def test_an_endpoint_in_use_is_named(messaging: Messaging) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = ZmqOutput(name="reward", endpoint=f"tcp://127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(AddressInUseError, match=config.endpoint):
            opened(config, messaging)


@pytest.fixture(params=["on this computer", "with a key"])
def client_of(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Messaging, list[str]]]:
    """The sockets of a controller, and the arguments with which the client connects to them."""
    if request.param == "on this computer":
        with Messaging() as messaging:
            yield messaging, [f"ipc://{tmp_path}/z"]
        return
    folders = introduced(tmp_path, ["decoder", "analysis"])
    address, own = own_address(), folders["decoder"].own()
    assert own is not None
    files = [tmp_path / "analysis" / "analysis.key_secret", tmp_path / "decoder" / "decoder.key"]
    with Messaging(NetworkKeys(own, folders["decoder"], NetworkConfig())) as messaging:
        yield messaging, [f"tcp://{address}:{free_port(address)}", *map(str, files)]


@pytest.mark.system
def test_the_client_of_the_documents_prints_each_trigger(
    client_of: tuple[Messaging, list[str]],
) -> None:
    messaging, arguments = client_of
    config = ZmqOutput(name="reward", endpoint=arguments[0])
    with (
        Outputs([config], clock=CLOCK, messaging=messaging) as outputs,
        subprocess.Popen([sys.executable, CLIENT, *arguments], stdout=subprocess.PIPE) as client,
    ):
        assert client.stdout is not None
        for number in range(int(WAIT_S / 0.05)):
            outputs.fire(trigger(number, "reward"))
            if select.select([client.stdout], [], [], 0.05)[0]:
                break
        lines = [client.stdout.readline()]
        outputs.fire(trigger(number + 1, "reward"))
        while not lines[-1].startswith(b"%d " % (number + 1)):
            lines.append(client.stdout.readline())
        client.kill()
    first = int(lines[0].split()[0])
    expected = [b"%d reward 1.0 score 0.83 above 0.8\n" % n for n in range(first, number + 2)]
    assert lines == expected


@pytest.mark.system
def test_an_lsl_inlet_gets_a_marker_with_the_number_of_the_action(messaging: Messaging) -> None:
    lsl = importlib.import_module("mne_lsl.lsl")
    config = LslOutput(name="reward", stream=f"triggers of {os.getpid()}")
    with Outputs([config], clock=CLOCK, messaging=messaging) as outputs:
        found = lsl.resolve_streams(timeout=WAIT_S, name=config.stream)
        inlet = lsl.StreamInlet(found[0])
        inlet.open_stream(timeout=WAIT_S)
        action = trigger(9, "reward")
        outputs.fire(action)
        (marker,), stamp_s = inlet.pull_sample(timeout=WAIT_S)
        (made,) = delivered(outputs)
        inlet.close_stream()
    assert (marker, made.error) == ("reward 9", "")
    # the stamp of LSL is on the clock of the actions
    assert action.t_decided_ns / 1e9 - 1e-6 < stamp_s < made.t_sent_ns / 1e9 + 1e-6
    assert found[0].stype == "Markers"
