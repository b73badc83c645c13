"""Which endpoints of a run lie between its hosts, and their addresses.

Only what a process on another host uses is opened on the network; all else stays in the private
folder of the run.
"""

from rtdecode.pipeline.topology import TOPOLOGY, Row, included
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.network import ENDPOINTS, NetworkConfig
from rtdecode.schema.config.roles import Role

_BOUND_BY = {source.name: row.role for row in TOPOLOGY for source in row.publishes} | {
    "recorder": Role.RECORDER,
    "commands": Role.STIMULUS,
}
"""The process that listens at each endpoint; the supervisor listens at the others."""


def network_between_hosts(config: RunConfig) -> NetworkConfig:
    """The network of `config` with an address for each empty endpoint that several hosts use.

    >>> hosts = {"decoder": {"address": "10.0.0.2"},
    ...          "rig": {"address": "10.0.0.3", "processes": ["bridge"]}}
    >>> config = RunConfig.model_validate({"network": {"hosts": hosts}})
    >>> network = network_between_hosts(config)
    >>> network.control, network.bridge, network.emit
    ('tcp://10.0.0.2:5700', 'tcp://10.0.0.3:5704', '')
    """
    network = config.network
    addresses = {
        name: _address(network, _listening_host(name, network), port=network.first_port + n)
        for n, name in enumerate(ENDPOINTS)
        if len(_hosts_at(name, config)) > 1
    }
    given = {name: address for name, address in network.endpoints().items() if address}
    return network.with_endpoints(addresses | given)


def included_on(config: RunConfig, host: str) -> tuple[Row, ...]:
    """The processes of `config` that the computer `host` runs; all for a run on one computer.

    >>> hosts = {"decoder": {"address": "10.0.0.2"},
    ...          "rig": {"address": "10.0.0.3", "processes": ["bridge", "view"]}}
    >>> config = RunConfig.model_validate({"network": {"hosts": hosts}})
    >>> [row.role.value for row in included_on(config, "rig")]
    ['bridge', 'view']
    """
    return tuple(row for row in included(config) if config.network.host_of(row.role) == host)


def is_recorded_elsewhere(config: RunConfig) -> bool:
    """Whether the recorder runs on another host than `rtdecode run`."""
    return config.network.host_of(Role.RECORDER) != config.network.main_host


def joined_hosts(config: RunConfig) -> tuple[str, ...]:
    """Names of the hosts that join a run of `config`: those of which it needs a process."""
    network = config.network
    joining = (name for name in network.hosts if name != network.main_host)
    return tuple(name for name in joining if included_on(config, name))


def _listening_host(endpoint: str, network: NetworkConfig) -> str:
    role = _BOUND_BY.get(endpoint)
    return network.main_host if role is None else network.host_of(role)


def _hosts_at(endpoint: str, config: RunConfig) -> set[str]:
    """Names of the hosts that use `endpoint`."""
    network = config.network
    found = {_listening_host(endpoint, network)}
    if endpoint in ("control", "recorder"):
        return found | network.hosts.keys()
    if endpoint == "commands":
        return found | {network.host_of(Role.CONTROLLER)} if config.control else found
    subscribers = (
        row.role
        for row in TOPOLOGY
        if row.needs.met(config)
        for name, needs in row.subscribes
        if name == endpoint and needs.met(config)
    )
    return found | {network.host_of(role) for role in subscribers}


def _address(network: NetworkConfig, host: str, *, port: int) -> str:
    address = network.hosts[host].address
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
