"""Who may connect and send what, over the network, in one run: from its config and a key folder.

Duties: say whether the endpoints of a config need keys, refuse a config without them, know whose
key each address has, and which roles and sources each host may have. It opens no socket:
`runtime.sockets` encrypts with these keys.

    keys = run_keys(config)  # None where all endpoints are of this computer alone
    with Messaging(keys=keys) as messaging:
        ...
"""

from collections.abc import Iterable
from dataclasses import dataclass
from re import fullmatch

from rtdecode.runtime.key_folder import KeyFolder, OwnKey
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.endpoints import output_endpoints, source_endpoints
from rtdecode.schema.config.network import NetworkConfig, is_near
from rtdecode.schema.config.roles import Role, role_of_source
from rtdecode.schema.errors import (
    HostAddressError,
    HostUnnamedError,
    KeysMissingError,
    OwnKeyNameError,
)

HOST_PREFIX = "join-"
"""Begin of the identity of a `rtdecode join`, `join-NAME.NONCE/INSTANCE`, for the host NAME."""
_RELAYED = ("start", "event", "gap")
"""Kinds that the recorder publishes again as they came, of all sources."""
_COMMANDING = (Role.VIEW, Role.CONTROLLER)
"""Roles whose commands the supervisor forwards from another host: arming, and its answer."""


@dataclass(frozen=True, slots=True)
class NetworkKeys:
    """The key of this host, those of the others, and what each host may do."""

    own: OwnKey
    folder: KeyFolder
    network: NetworkConfig

    def name_of(self, public: bytes) -> str:
        """Name of the host with the key `public`; empty where it may not connect."""
        return self.own.name if public == self.own.public else self.folder.name_of(public)

    def server(self, endpoint: str) -> tuple[str, bytes]:
        """Name and public key of the host at `endpoint`, to which this host connects.

        Raises
        ------
        HostUnnamedError
            If no host of the config has this address.
        KeyFileError
            If its key is damaged.
        """
        name = _host_at(endpoint, self.network)
        public = self.own.public if name == self.own.name else self.folder.allowed().get(name)
        if public is None:
            raise HostUnnamedError(endpoint=endpoint)
        return name, public

    def has_role(self, peer: str, role: Role) -> bool:
        """Whether the host `peer` runs the process `role`."""
        return peer in self.network.hosts and self.network.host_of(role) == peer

    def may_send(self, peer: str, *, source: str, kind: str) -> bool:
        """Whether the host `peer` sends messages of `kind` as `source`.

        A config that names no hosts has no processes elsewhere, only programs of the rig, which
        send under names of their own.
        """
        if not self.network.hosts:
            return True
        if kind in _RELAYED and self.has_role(peer, Role.RECORDER):
            return True
        role = role_of_source(source)
        return peer == self.network.main_host if role is None else self.has_role(peer, role)

    def may_control(self, peer: str, name: str) -> bool:
        """Whether the host `peer` takes part in the control channel as `name`."""
        if name.startswith(HOST_PREFIX):
            return name == HOST_PREFIX + peer
        role = next((role for role in Role if role == name), None)
        return peer == self.network.main_host if role is None else self.has_role(peer, role)

    def may_command(self, peer: str) -> bool:
        """Whether commands of the host `peer` to other processes of the run are passed on."""
        is_one = any(self.has_role(peer, role) for role in _COMMANDING)
        return is_one or peer == self.network.main_host


class RigKeys(NetworkKeys):
    """Keys for the socket of rig programs: they send under names of their own, with own keys."""

    def may_send(self, peer: str, *, source: str, kind: str) -> bool:
        """Whether `peer` is a rig program, and not another host of the run."""
        del source, kind
        return peer == self.own.name or peer not in self.network.hosts


def rig_keys(config: RunConfig) -> RigKeys | None:
    """`run_keys` for the socket of rig programs."""
    keys = run_keys(config)
    return None if keys is None else RigKeys(keys.own, keys.folder, keys.network)


def run_keys(config: RunConfig, *, host: str = "") -> NetworkKeys | None:
    """Keys for all endpoints of `config`, as `network_keys`.

    `host` is the name of this computer, where it is known; OwnKeyNameError is raised where its key
    has another one.
    """
    others = [*source_endpoints(config), *output_endpoints(config)]
    keys = network_keys(config.network, others=others)
    if keys is not None and host and keys.own.name != host:
        raise OwnKeyNameError(name=keys.own.name, known=[host])
    return keys


def network_keys(
    network: NetworkConfig, *, others: Iterable[tuple[str, str]] = ()
) -> NetworkKeys | None:
    """Keys for the endpoints of `network`; None where they are all of this computer alone.

    Parameters
    ----------
    others
        Option and address of endpoints that are not in `network`.

    Raises
    ------
    KeysMissingError
        If this host has no key, or has not allowed that of another host of the run.
    OwnKeyNameError, HostUnnamedError, HostAddressError
        If the hosts of `network` do not match the key of this host or the endpoints.
    KeyUnprotectedError, KeyFileError
        If the keys cannot be used.
    """
    own = [(f"network.{name}", address) for name, address in network.endpoints().items()]
    far = [f"{option} {address}" for option, address in [*own, *others] if _is_far(address)]
    if not far:
        return None
    for name, address in own:
        if _is_far(address) and not _is_wildcard(address) and not _host_at(address, network):
            raise HostUnnamedError(endpoint=f"{name} {address}")
    folder = KeyFolder(network.keys)
    key = folder.own()
    if key is None:
        raise _own_key_missing(far[0], folder, network)
    _require_hosts(far[0], key, folder, network)
    return NetworkKeys(key, folder, network)


def _require_hosts(endpoint: str, own: OwnKey, folder: KeyFolder, network: NetworkConfig) -> None:
    """Raise an error where `network` and the keys of this host do not match."""
    hosts = network.hosts
    if hosts and own.name not in hosts:
        raise OwnKeyNameError(name=own.name, known=list(hosts))
    addresses = [host.address for host in hosts.values()]
    for address in addresses:
        if addresses.count(address) > 1:
            names = [name for name, host in hosts.items() if host.address == address]
            raise HostAddressError(address=address, names=names)
    allowed = folder.allowed()
    if missing := [name for name in hosts if name not in allowed and name != own.name]:
        files = " and ".join(f"{name}.key" for name in missing)
        raise KeysMissingError(
            endpoint=endpoint,
            got=f"this host has not allowed the key of {' and '.join(missing)}",
            remedies=[
                f"carry {files} here (`rtdecode keys show` there prints the path)",
                *(f"run `rtdecode keys allow {name}.key{folder.option}` here" for name in missing),
            ],
        )


def _own_key_missing(endpoint: str, folder: KeyFolder, network: NetworkConfig) -> KeysMissingError:
    names = " or ".join(network.hosts)
    is_named = f"NAME is {names}, as this host is named in network.hosts"
    return KeysMissingError(
        endpoint=endpoint,
        got=f"{folder.path} has none of this host",
        remedies=[
            f"run `rtdecode keys new NAME{folder.option}`"
            + (f" ({is_named})" if names else " with a name for this host"),
            f"carry its NAME.key to the other hosts, and run `rtdecode keys allow "
            f"FILE{folder.option}` here for the key of each of them",
        ],
    )


def _is_far(address: str) -> bool:
    # any other transport is refused by its form, and by the sockets
    return address.startswith("tcp://") and not is_near(address)


def _is_wildcard(address: str) -> bool:
    return fullmatch(r"tcp://(\*|0\.0\.0\.0|\[::\]):.*", address) is not None


def _host_at(endpoint: str, network: NetworkConfig) -> str:
    """Name of the host with the address of `endpoint`; empty where there is none."""
    found = fullmatch(r"tcp://\[?(?P<address>[^\]]+)\]?:[^:]*", endpoint)
    address = found["address"] if found else ""
    return next((name for name, host in network.hosts.items() if host.address == address), "")
