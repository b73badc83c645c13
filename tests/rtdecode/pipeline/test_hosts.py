"""Addresses between the hosts of a run."""

from rtdecode.pipeline.hosts import network_between_hosts
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role

RIG = {
    "decoder": {"address": "10.0.0.2"},
    "microscope": {"address": "10.0.0.3", "processes": ["bridge"]},
    "screen": {"address": "fd00::4", "processes": ["stimulus"]},
}


def config(**more: object) -> RunConfig:
    return RunConfig.model_validate({"network": {"hosts": RIG, **more}})


def test_a_run_on_one_computer_opens_nothing_on_the_network() -> None:
    assert network_between_hosts(RunConfig()) == RunConfig().network


def test_only_what_another_host_uses_is_opened_on_the_network() -> None:
    used = {
        name for name, address in network_between_hosts(config()).endpoints().items() if address
    }
    assert used == {"control", "recorder", "bridge", "stimulus"}


def test_each_endpoint_is_at_the_host_that_listens_there() -> None:
    network = network_between_hosts(config(first_port=6000))
    assert network.recorder == "tcp://10.0.0.2:6001"
    assert network.bridge.startswith("tcp://10.0.0.3:")
    assert network.stimulus.startswith("tcp://[fd00::4]:")


def test_an_address_that_the_user_gives_is_kept() -> None:
    assert network_between_hosts(config(bridge="tcp://10.9.9.9:1")).bridge == "tcp://10.9.9.9:1"


def test_the_page_on_another_host_opens_what_it_shows() -> None:
    hosts = {**RIG, "office": {"address": "10.0.0.9", "processes": ["view"]}}
    network = network_between_hosts(RunConfig.model_validate({"network": {"hosts": hosts}}))
    used = {name for name, address in network.endpoints().items() if address}
    assert {"decoder", "emit", "evaluate", "events", "supervisor"} <= used


def test_commands_of_a_controller_reach_the_screen_of_another_host() -> None:
    with_loop = RunConfig.model_validate(
        {"network": {"hosts": RIG}, "control": {"policy": {"name": "sham"}}}
    )
    assert network_between_hosts(with_loop).commands.startswith("tcp://[fd00::4]:")
    assert with_loop.network.host_of(Role.CONTROLLER) == "decoder"
