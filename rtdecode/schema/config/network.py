"""Settings of the network: the computers of a run, and the endpoints of its processes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from rtdecode.schema.config.roles import JOINABLE, Role
from rtdecode.schema.config.section import Port, Section
from rtdecode.schema.config.session import is_ip_address

HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
"""Name of a host, and of its key."""
_DNS_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - refused


class HostConfig(Section):
    """One computer of a run."""

    address: str
    """IP address or name under which the other hosts reach it."""
    processes: tuple[Role, ...] = ()
    """Processes that `rtdecode join` runs there. The one host without any is that of
    `rtdecode run`, which starts all other processes."""

    @field_validator("address")
    @classmethod
    def _is_of_one_computer(cls, address: str) -> str:
        is_address = is_ip_address(address) or _DNS_NAME.fullmatch(address)
        if not is_address or address in _ALL_ADDRESSES:
            raise ValueError(
                f"'{address:.60}' is no address under which others reach a computer: an IP address "
                f"or a DNS name is expected, without scheme and port"
            )
        return address


class NetworkConfig(Section):
    """The computers of a run, and the ZeroMQ endpoints of its processes.

    `rtdecode run` replaces an empty endpoint by a Unix socket in a private folder of the run or,
    where a process on another host uses it, by a TCP port of the host that listens there.
    """

    hosts: dict[str, HostConfig] = Field(default={})
    """Computers of the run, each under the name of its key (`rtdecode keys new NAME`); none for a
    run on one computer."""
    first_port: Port = 5700
    """First of the TCP ports that are used between `hosts`; each endpoint below has the next one,
    in this order."""
    keys: Path | None = None
    """Folder with the keys of this host; by default `rtdecode/keys` in the user's folder of
    configs."""
    control: str = ""
    """Endpoint of the supervisor, for heartbeats and commands."""
    recorder: str = ""
    """Endpoint of the recorder, to which every process sends its messages."""
    supervisor: str = ""
    """Endpoint at which the supervisor publishes its events, also while the recorder stalls."""
    events: str = ""
    """Endpoint at which the recorder publishes the events and gaps that it has recorded."""
    bridge: str = ""
    """Endpoint at which the acquisition bridge publishes scans and behaviour."""
    stimulus: str = ""
    """Endpoint at which the stimulus publishes displayed frames."""
    commands: str = ""
    """Endpoint at which the stimulus receives the commands of a controller."""
    decoder: str = ""
    """Endpoint at which the decoder publishes fluorescence and responses."""
    emit: str = ""
    """Endpoint at which the decoder publishes paced reconstructions."""
    ready: str = ""
    """Endpoint at which the decoder publishes reconstructions before they are paced, for the
    controller; they are not recorded twice."""
    controller: str = ""
    """Endpoint at which the controller publishes observations, actions and events."""
    evaluate: str = ""
    """Endpoint at which the live score is published."""
    requests: str = ""
    """Endpoint at which other programs start and stop the run, for example tcp://127.0.0.1:5690;
    docs/hosts.md has the requests."""

    def endpoints(self) -> dict[str, str]:
        """Endpoint by its name, for all processes; empty where none is given.

        >>> [name for name, address in NetworkConfig(bridge="tcp://*:5701").endpoints().items()
        ...  if address]
        ['bridge']
        """
        return {name: getattr(self, name) for name in ENDPOINTS}

    def with_endpoints(self, endpoints: Mapping[str, str]) -> Self:
        """The same network with these `endpoints`, by name."""
        return self.model_copy(update=dict(endpoints))

    @property
    def main_host(self) -> str:
        """Name of the host of `rtdecode run`; empty for a run on one computer."""
        return next((name for name, host in self.hosts.items() if not host.processes), "")

    def host_of(self, role: Role) -> str:
        """Name of the host that runs the process `role`; empty for a run on one computer.

        >>> hosts = {"decoder": {"address": "10.0.0.2"},
        ...          "screen": {"address": "10.0.0.3", "processes": ["stimulus"]}}
        >>> network = NetworkConfig(hosts=hosts)
        >>> network.host_of(Role.STIMULUS), network.host_of(Role.VIEW)
        ('screen', 'decoder')
        """
        joined = (name for name, host in self.hosts.items() if role in host.processes)
        return next(joined, self.main_host)

    @field_validator("hosts")
    @classmethod
    def _named(cls, hosts: dict[str, HostConfig]) -> dict[str, HostConfig]:
        for name in hosts:
            if not HOST_NAME.fullmatch(name):
                raise ValueError(
                    f"'{name:.40}' is no name of a host: up to 31 lower-case letters, digits and "
                    f"hyphens are expected"
                )
        return hosts

    @model_validator(mode="after")
    def _all_reach_each_other(self) -> Self:
        far = [name for name, host in self.hosts.items() if not _is_loopback(host.address)]
        near = [name for name in self.hosts if name not in far]
        if near and far:
            raise ValueError(
                f"hosts: {near[0]} has the address {self.hosts[near[0]].address}, under which "
                f"{far[0]} reaches itself: give one of the network"
            )
        return self

    @model_validator(mode="after")
    def _each_process_once(self) -> Self:
        joined = [role for host in self.hosts.values() for role in host.processes]
        if twice := sorted({role.value for role in joined if joined.count(role) > 1}):
            raise ValueError(f"hosts: {', '.join(twice)} must have one host, and has more")
        if local := sorted(role.value for role in joined if role not in JOINABLE):
            raise ValueError(
                f"hosts: {', '.join(local)} must run on the host of `rtdecode run`; other hosts "
                f"may run {', '.join(role.value for role in JOINABLE)}"
            )
        mains = [name for name, host in self.hosts.items() if not host.processes]
        if self.hosts and len(mains) != 1:
            got = " and ".join(mains) if mains else "none"
            raise ValueError(
                f"hosts: exactly one host must be without processes, that of `rtdecode run`; "
                f"got {got}"
            )
        return self


ENDPOINTS = tuple(
    name
    for name, field in NetworkConfig.model_fields.items()
    if field.annotation is str and field.default == ""
)
"""Names of all endpoints, in the order of their ports."""


def is_near(endpoint: str) -> bool:
    """Whether `endpoint` is one of this machine alone: a Unix socket or a loopback address.

    >>> is_near("tcp://127.0.0.1:5700"), is_near("tcp://*:5700"), is_near("tcp://10.0.0.2:5700")
    (True, False, False)
    """
    near = r"(ipc|inproc)://.*|tcp://(127\.\d+\.\d+\.\d+|localhost|\[::1\]):(\d+|\*)"
    return re.fullmatch(near, endpoint) is not None


def _is_loopback(address: str) -> bool:
    return is_near(f"tcp://[{address}]:1" if ":" in address else f"tcp://{address}:1")
