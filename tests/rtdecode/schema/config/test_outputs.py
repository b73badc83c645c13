"""Outputs in a config: kinds, names, and what is refused."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rtdecode.schema.config.outputs import LslOutput, Outputs, SerialOutput, ZmqOutput

READ: TypeAdapter[Any] = TypeAdapter(Outputs)
LASER = {"kind": "serial", "name": "laser", "port": "/dev/ttyUSB0"}


def test_each_kind_is_read_with_its_settings() -> None:
    given = [
        LASER,
        {"kind": "zmq", "name": "reward", "endpoint": "tcp://127.0.0.1:5720"},
        {"kind": "lsl", "name": "marker", "stream": "triggers", "device_delay_ms": 2},
    ]
    assert READ.validate_python(given) == (
        SerialOutput(name="laser", port="/dev/ttyUSB0"),
        ZmqOutput(name="reward", endpoint="tcp://127.0.0.1:5720"),
        LslOutput(name="marker", stream="triggers", device_delay_ms=2.0),
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([LASER, LASER], "several outputs are named laser"),
        ([LASER | {"byte": 256}], "less than or equal to 255"),
        ([LASER | {"pulse_ms": 0}], "greater than 0"),
        ([LASER | {"name": "the laser"}], "pattern"),
        ([LASER | {"kind": "parallel"}], "'zmq', 'lsl', 'serial'"),
        ([LASER | {"stream": "triggers"}], "Extra inputs"),
    ],
)
def test_what_no_output_can_be_is_refused(given: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        READ.validate_python(given)
