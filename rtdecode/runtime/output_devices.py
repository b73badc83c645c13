"""Devices of the outputs: a ZeroMQ publisher, an LSL marker stream, a byte on a serial port.

Each one takes a trigger with `begin` and ends it with `finish`; both may block. Their packages
are imported when a config has such an output: pyserial (extra `ttl`), mne-lsl (extra `lsl`).
"""

import importlib
import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from rtdecode.runtime.platform import PORT_ERRORS
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config.outputs import LslOutput, Output, SerialOutput, ZmqOutput
from rtdecode.schema.control import Action
from rtdecode.schema.errors import (
    ExtraMissingError,
    OutputFailedError,
    SerialPortAbsentError,
    SerialPortUnusableError,
)
from rtdecode.schema.interfaces import Clock

_NS_PER_MS = 1e6
_QUEUE_MESSAGES = 1000
_WRITE_TIMEOUT_S = 0.5
_PACKAGES = {LslOutput: ("mne_lsl", "mne-lsl", "lsl"), SerialOutput: ("serial", "pyserial", "ttl")}
"""Module, package and extra that a kind of output needs."""


class Device(Protocol):
    """What takes the triggers of one output."""

    def begin(self, action: Action) -> None:
        """Return when the device has taken the trigger; OutputFailedError where it does not."""
        ...

    def finish(self) -> None:
        """End what `begin` began; OutputFailedError where that is not possible."""
        ...

    def close(self) -> None: ...


class _ZmqDevice:
    """The action as a message, numbered for each output, so that a subscriber detects a loss."""

    def __init__(self, config: ZmqOutput, *, clock: Clock, messaging: Messaging) -> None:
        endpoint, queue = config.endpoint, _QUEUE_MESSAGES
        self._publisher = Publisher(
            messaging, "controller", clock=clock, publish=endpoint, record="", queue=queue
        )

    def begin(self, action: Action) -> None:
        self._publisher.push(action)

    def finish(self) -> None:
        """A message has no end."""

    def close(self) -> None:
        """The socket is closed with `Messaging`."""


class _LslDevice:
    """A string marker of an LSL stream with irregular rate."""

    def __init__(self, config: LslOutput) -> None:
        lsl, identity = _module("mne_lsl.lsl", LslOutput), f"rtdecode-{config.name}"
        info = lsl.StreamInfo(config.stream, "Markers", 1, 0.0, "string", identity)
        self._name, self._outlet = config.name, lsl.StreamOutlet(info)

    def begin(self, action: Action) -> None:
        self._outlet.push_sample([f"{self._name} {action.number}"])

    def finish(self) -> None:
        """A marker has no end."""

    def close(self) -> None:
        del self._outlet


class _SerialDevice:
    """One byte that begins a pulse, and after `pulse_ms` one that ends it."""

    def __init__(self, config: SerialOutput, *, clock: Clock) -> None:
        self._config, self._clock, self._ends_ns = config, clock, 0
        self._port: Any = _opened_port(config)

    def begin(self, action: Action) -> None:
        if self._port is None:
            try:
                self._port = _opened_port(self._config)
            except (SerialPortAbsentError, SerialPortUnusableError) as error:
                raise OutputFailedError(output=self._config.name, got=str(error)) from error
        self._write(self._config.byte, what=f"action {action.number}")
        self._ends_ns = self._clock.now_ns() + round(self._config.pulse_ms * _NS_PER_MS)

    def finish(self) -> None:
        self._clock.sleep_until(self._ends_ns)
        self._write(self._config.reset_byte, what="the end of the pulse")

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _write(self, byte: int, *, what: str) -> None:
        try:
            self._port.write(bytes([byte]))
            self._port.flush()
        except PORT_ERRORS as error:
            self.close()
            got = f"{what} could not be written to {self._config.port}: {_said(error)}"
            raise OutputFailedError(output=self._config.name, got=got) from error


def require_present(config: Output) -> None:
    """Raise an error where the package or the serial port of an output is absent; open nothing.

    Raises
    ------
    ExtraMissingError, SerialPortAbsentError, SerialPortUnusableError
        If it needs a package that is not installed, or a port that is absent or not permitted.
    """
    if type(config) in _PACKAGES:
        name, package, extra = _PACKAGES[type(config)]
        if importlib.util.find_spec(name) is None:
            raise ExtraMissingError(package=package, extra=extra)
    if isinstance(config, SerialOutput):
        _require_port(config)


def _require_port(config: SerialOutput) -> None:
    listing = _module("serial.tools.list_ports", SerialOutput)
    present = sorted(port.device for port in listing.comports())
    if config.port in present:
        return
    if not Path(config.port).exists():
        raise SerialPortAbsentError(output=config.name, port=config.port, present=present)
    if not os.access(config.port, os.R_OK | os.W_OK):
        got = "permission denied"
        raise SerialPortUnusableError(output=config.name, port=config.port, got=got)


def device_of(config: Output, *, clock: Clock, messaging: Messaging) -> Device:
    """The opened device of an output.

    Raises
    ------
    ExtraMissingError, SerialPortAbsentError, SerialPortUnusableError, AddressInUseError
        If its package is not installed, or it cannot be opened.
    """
    match config:
        case ZmqOutput():
            return _ZmqDevice(config, clock=clock, messaging=messaging)
        case LslOutput():
            return _LslDevice(config)
        case SerialOutput():
            return _SerialDevice(config, clock=clock)


def _opened_port(config: SerialOutput) -> Any:
    serial = _module("serial", SerialOutput)
    _require_port(config)
    try:
        return serial.Serial(
            config.port, config.baud_rate, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
        )
    except PORT_ERRORS as error:
        got = _said(error)
        raise SerialPortUnusableError(output=config.name, port=config.port, got=got) from error


def _module(name: str, kind: type[LslOutput | SerialOutput]) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        _, package, extra = _PACKAGES[kind]
        raise ExtraMissingError(package=package, extra=extra) from error


def _said(error: Exception) -> str:
    """The system's words for `error`, without the repetitions of pyserial."""
    number = error.args[0] if error.args else None
    return os.strerror(number) if isinstance(number, int) else str(error)
