"""A config that opens the network needs keys, and each host may send what its processes send."""

from pathlib import Path

import pytest
from lab_keys import introduced

from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.runtime.keys import NetworkKeys, network_keys, run_keys
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.endpoints import endpoints
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.errors import (
    HostAddressError,
    HostUnnamedError,
    KeysMissingError,
    OwnKeyNameError,
)

HOSTS = {
    "decoder": {"address": "10.0.0.2"},
    "microscope": {"address": "10.0.0.3", "processes": ["bridge"]},
    "screen": {"address": "10.0.0.4", "processes": ["stimulus", "view"]},
}
FAR = {"control": "tcp://10.0.0.2:5700", "bridge": "tcp://10.0.0.3:5704"}


def network(keys: Path, **changed: object) -> NetworkConfig:
    return NetworkConfig.model_validate({"hosts": HOSTS, "keys": keys, **FAR, **changed})


def test_a_run_on_one_computer_needs_no_keys(tmp_path: Path) -> None:
    near = {name: f"tcp://127.0.0.{n}:5700" for n, name in enumerate(FAR, 1)}
    assert network_keys(NetworkConfig()) is None
    assert network_keys(network(tmp_path, **near)) is None
    assert not [*tmp_path.iterdir()]


def test_without_keys_the_commands_to_type_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeysMissingError) as missing:
        network_keys(network(tmp_path))
    assert missing.value.exit_code == 2
    assert "network.control tcp://10.0.0.2:5700" in str(missing.value)
    assert f"rtdecode keys new NAME --folder {tmp_path}" in str(missing.value)
    assert "NAME is decoder or microscope or screen" in str(missing.value)
    KeyFolder(tmp_path).new("decoder")
    with pytest.raises(KeysMissingError) as missing:
        network_keys(network(tmp_path))
    assert f"rtdecode keys allow screen.key --folder {tmp_path}" in str(missing.value)
    assert f"rtdecode keys allow microscope.key --folder {tmp_path}" in str(missing.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"acquisition": {"source": {"kind": "zmq_native", "address": "tcp://*:5710"}}},
        {"acquisition": {"source": {"kind": "zmq_native", "address": "tcp://eth0:5710"}}},
        {
            "control": {
                "policy": {"name": "open_loop"},
                "outputs": [{"kind": "zmq", "name": "laser", "endpoint": "tcp://0.0.0.0:5720"}],
            }
        },
        {"network": {"recorder": "tcp://*:5701"}},
    ],
)
def test_every_endpoint_beyond_loopback_needs_keys(
    changed: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = RunConfig.model_validate(changed)
    [(option, address)] = endpoints(config)
    with pytest.raises(KeysMissingError) as missing:
        run_keys(config)
    assert f"{option} {address}" in str(missing.value)
    KeyFolder().new("decoder")
    assert run_keys(config) is not None


def test_hosts_keys_and_addresses_must_match(tmp_path: Path) -> None:
    folders = introduced(tmp_path, [*HOSTS, "office"])
    decoder = folders["decoder"].path
    assert network_keys(network(decoder)) is not None
    with pytest.raises(OwnKeyNameError, match="named 'office'"):
        network_keys(network(folders["office"].path))
    with pytest.raises(HostUnnamedError, match=r"network\.emit tcp://10\.0\.0\.9:1"):
        network_keys(network(decoder, emit="tcp://10.0.0.9:1"))
    twice = {**HOSTS, "screen": {**HOSTS["screen"], "address": "10.0.0.3"}}
    with pytest.raises(HostAddressError, match="microscope and screen"):
        network_keys(network(decoder, hosts=twice))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> NetworkKeys:
    folders = introduced(tmp_path_factory.mktemp("keys"), [*HOSTS, "office"])
    found = network_keys(network(folders["decoder"].path))
    assert found is not None
    return found


def test_the_key_of_each_address_is_that_of_its_host(keys: NetworkKeys) -> None:
    allowed = keys.folder.allowed()
    assert keys.server("tcp://10.0.0.3:5704") == ("microscope", allowed["microscope"])
    assert keys.server("tcp://10.0.0.2:5700") == ("decoder", keys.own.public)
    assert keys.name_of(keys.own.public) == "decoder"
    assert keys.name_of(allowed["screen"]) == "screen"
    with pytest.raises(HostUnnamedError):
        keys.server("tcp://10.0.0.33:5704")


def test_an_address_of_version_6_is_found(keys: NetworkKeys) -> None:
    hosts = {"decoder": {"address": "fd00::2"}}
    one = NetworkKeys(keys.own, keys.folder, NetworkConfig.model_validate({"hosts": hosts}))
    assert one.server("tcp://[fd00::2]:5700")[0] == "decoder"


@pytest.mark.parametrize(
    ("peer", "source", "kind", "may"),
    [
        ("microscope", "bridge", "scan", True),
        ("microscope", "stimulus", "displayed_frame", False),
        ("microscope", "supervisor", "event", False),
        ("screen", "stimulus", "displayed_frame", True),
        ("screen", "view", "event", True),
        ("decoder", "emit", "reconstruction", True),
        ("decoder", "ready", "reconstruction", True),
        ("decoder", "supervisor", "start", True),
        ("decoder", "bridge", "scan", False),
        # the recorder publishes what it has recorded of others
        ("decoder", "bridge", "event", True),
        ("decoder", "stimulus", "gap", True),
        ("office", "bridge", "scan", False),
        ("office", "anything", "event", False),
    ],
)
def test_each_host_sends_what_its_processes_send(
    keys: NetworkKeys, peer: str, source: str, kind: str, may: bool
) -> None:
    assert keys.may_send(peer, source=source, kind=kind) is may
