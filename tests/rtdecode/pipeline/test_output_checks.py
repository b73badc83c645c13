"""Mistakes in the outputs of the closed loop are found before a start."""

import socket
from pathlib import Path
from typing import Any

import pytest

from rtdecode.pipeline.preflight import checked
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import BadInputError


def run_with(folder: Path, *outputs: dict[str, Any], policy: Any = "threshold") -> RunConfig:
    control = {"policy": policy, "outputs": outputs}
    record = {"folder": folder, "min_free_mb": 0}
    return RunConfig.model_validate({"control": control, "decode": None, "record": record})


def refused(config: RunConfig) -> str:
    with pytest.raises(BadInputError) as found:
        checked(config)
    return str(found.value)


def test_an_absent_serial_port_is_a_mistake(tmp_path: Path) -> None:
    output = {"kind": "serial", "name": "laser", "port": str(tmp_path / "ttyUSB7")}
    assert "ttyUSB7 of output 'laser' does not exist" in refused(run_with(tmp_path, output))


def test_the_endpoint_of_an_output_is_checked(tmp_path: Path) -> None:
    output = {"kind": "zmq", "name": "reward", "endpoint": "localhost:5720"}
    assert "control.outputs.reward.endpoint localhost:5720" in refused(run_with(tmp_path, output))
    with socket.create_server(("127.0.0.1", 0)) as other:
        output["endpoint"] = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert "is already in use" in refused(run_with(tmp_path, output))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("threshold", {"above": 0.5, "output": "lasr"}),
        ("template_match", {"output": "lasr"}),
        ("open_loop", {"action": "trigger", "target": "lasr"}),
    ],
)
def test_a_policy_that_fires_an_absent_output_is_a_mistake(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    policy = {"name": name, "options": options}
    laser = {"kind": "zmq", "name": "laser", "endpoint": f"ipc://{tmp_path}/laser"}
    absent = "is 'lasr', but there is no such output in control.outputs"
    assert f"{absent}, which has laser" in refused(run_with(tmp_path, laser, policy=policy))
    assert f"{absent}, which has no output" in refused(run_with(tmp_path, policy=policy))
    present = {key: "laser" if value == "lasr" else value for key, value in options.items()}
    given = run_with(tmp_path, laser, policy={"name": name, "options": present})
    assert "no such output" not in refused(given)
