"""Settings of the outputs through which a policy's triggers leave the controller.

An output has a name, by which a policy fires it: `Request.trigger("laser")`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rtdecode.schema.config.section import Count, NotNegative, Positive, Section

Byte = Annotated[int, Field(ge=0, le=255)]
OutputName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


class ZmqOutput(Section):
    """The action as a message of docs/wire.md, published to any number of ZeroMQ subscribers."""

    kind: Literal["zmq"] = "zmq"
    """A ZeroMQ message."""
    name: OutputName
    """Name by which a policy fires the output: letters, digits, and the signs _ . -."""
    endpoint: str
    """Endpoint that the controller binds, for example tcp://127.0.0.1:5720."""
    device_delay_ms: NotNegative = 0.0
    """Delay in ms of what is behind the output, as measured, for example with an oscilloscope; it
    is added to the delay of each delivery."""


class LslOutput(Section):
    """A marker of an LSL stream; the controller offers the stream."""

    kind: Literal["lsl"] = "lsl"
    """An LSL marker, a string: name of the output, a blank, number of the action."""
    name: OutputName
    """Name by which a policy fires the output: letters, digits, and the signs _ . -."""
    stream: str = "rtdecode"
    """Name of the LSL stream, of type Markers."""
    device_delay_ms: NotNegative = 0.0
    """Delay in ms of what is behind the output, as measured, for example with an oscilloscope; it
    is added to the delay of each delivery."""


class SerialOutput(Section):
    """A byte on a serial port, and a second one that ends the pulse.

    For adapters whose output lines follow the last byte received, and for microcontrollers.
    """

    kind: Literal["serial"] = "serial"
    """A TTL pulse over a serial port."""
    name: OutputName
    """Name by which a policy fires the output: letters, digits, and the signs _ . -."""
    port: str
    """Device of the port, for example /dev/ttyUSB0."""
    baud_rate: Count = 115_200
    """Rate in bits per second."""
    byte: Byte = 255
    """Byte that begins the pulse."""
    reset_byte: Byte = 0
    """Byte that ends the pulse."""
    pulse_ms: Positive = 5.0
    """Time in ms between the two bytes; a trigger during a pulse begins a pulse after its end."""
    device_delay_ms: NotNegative = 0.0
    """Delay in ms of what is behind the output, as measured, for example with an oscilloscope; it
    is added to the delay of each delivery."""


Output = Annotated[ZmqOutput | LslOutput | SerialOutput, Field(discriminator="kind")]


def _named_once(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    names = [output.name for output in outputs]
    if several := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several outputs are named {', '.join(several)}: give each its own name")
    return outputs


Outputs = Annotated[tuple[Output, ...], AfterValidator(_named_once)]
"""The outputs of a run, each with a name of its own."""
