"""The processes of a run connect over sockets in a private folder; configured endpoints stay."""

from pathlib import Path

from rtdecode.pipeline.kept_files import private_network
from rtdecode.schema.config.network import ENDPOINTS, NetworkConfig

LONGEST_SOCKET_PATH = 107


def test_empty_endpoints_get_sockets_in_a_folder_that_is_removed_with_the_run() -> None:
    with private_network(NetworkConfig()) as network:
        addresses = network.endpoints().values()
        folders = {Path(address.removeprefix("ipc://")).parent for address in addresses}
        assert len(set(addresses)) == len(ENDPOINTS)
        assert all(len(address) <= LONGEST_SOCKET_PATH for address in addresses)
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)


def test_configured_addresses_stay() -> None:
    with private_network(NetworkConfig(bridge="tcp://10.0.0.5:5701")) as network:
        assert network.bridge == "tcp://10.0.0.5:5701"
        assert network.recorder.startswith("ipc://")


def test_two_runs_never_meet() -> None:
    with private_network(NetworkConfig()) as one, private_network(NetworkConfig()) as two:
        assert not set(one.endpoints().values()) & set(two.endpoints().values())


def test_addresses_of_an_earlier_run_count_as_empty() -> None:
    with private_network(NetworkConfig(control="ipc:///tmp/rtdecode-a1b2/control")) as network:
        assert network.control.startswith("ipc:///tmp/rtdecode-")
        assert "a1b2" not in network.control


def test_a_unix_socket_that_was_chosen_by_the_user_stays() -> None:
    with private_network(NetworkConfig(control="ipc:///run/rig/control")) as network:
        assert network.control == "ipc:///run/rig/control"
