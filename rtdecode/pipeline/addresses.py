"""Addresses of a run: their form, and whether a process of this machine can listen there."""

import errno
import os
import re
import socket
from collections.abc import Iterator, Sequence

from rtdecode.pipeline.topology import Row
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.endpoints import endpoints, output_endpoints
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import AddressInUseError, AddressUnusableError

_OVER_TCP = (sources.ScanImageTcpSource, sources.PrairieRawSource)
_TCP = re.compile(r"tcp://(?P<host>\*|\[[^\]]+\]|[^:\[\]]+):(?P<port>\d+|\*)")
_IPC = re.compile(r"ipc://.{1,107}")
_HIGHEST_PORT = 65535


def require_form(address: str, option: str) -> None:
    """Raise AddressUnusableError where `address` is not an endpoint of ZeroMQ over TCP or IPC."""
    found = _TCP.fullmatch(address)
    if not found and not _IPC.fullmatch(address):
        got = "expected tcp://HOST:PORT or ipc://PATH"
        raise AddressUnusableError(address=address, option=option, got=got)
    if found and found["port"] != "*" and int(found["port"]) > _HIGHEST_PORT:
        got = f"a port is at most {_HIGHEST_PORT}"
        raise AddressUnusableError(address=address, option=option, got=got)


def listened(
    config: RunConfig, rows: Sequence[Row], *, is_main: bool = False
) -> Iterator[tuple[str, str, int]]:
    """Option, host and port of each TCP address at which a process of `rows` listens.

    The supervisor is among them where this is the host of `rtdecode run`.
    """
    roles = {row.role for row in rows}
    options = set(_listened_options(config, rows))
    if is_main:
        options |= {"network.control", "network.supervisor"}
    for option, address in endpoints(config):
        found = _TCP.fullmatch(address)
        if found and option in options and found["port"] != "*":
            yield option, found["host"].strip("[]"), int(found["port"])
    if Role.VIEW in roles:
        # a port that the system chooses is always free, but not each host can be listened at
        option = "view.port" if config.view.port else "view.host"
        yield option, config.view.host, config.view.port
    source = config.acquisition.source
    if Role.BRIDGE in roles and isinstance(source, _OVER_TCP) and source.side == "listen":
        yield "acquisition.source.port", source.host, source.port


def _listened_options(config: RunConfig, rows: Sequence[Row]) -> Iterator[str]:
    """The options of endpoints at which a process of `rows` listens."""
    for row in rows:
        yield from (f"network.{one.name}" for one in row.publishes if one.needs.met(config))
    roles = {row.role for row in rows}
    if Role.RECORDER in roles:
        yield "network.recorder"
    if Role.BRIDGE in roles:
        yield "acquisition.source.address"
    if Role.CONTROLLER in roles:
        yield from (option for option, _ in output_endpoints(config))
    if Role.STIMULUS in roles:
        yield "network.commands"


def require_free(at: tuple[str, int], option: str) -> None:
    """Raise an error where nothing can listen at `at`, without listening there."""
    host, port = ("0.0.0.0" if at[0] == "*" else at[0]), at[1]  # noqa: S104 - as ZeroMQ reads it
    if not 0 <= port <= _HIGHEST_PORT or host in {name for _, name in socket.if_nameindex()}:
        return
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen()
        except OSError as error:
            address = f"{host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise AddressInUseError(address=address, option=option) from error
            got = error.strerror or os.strerror(error.errno or 0)
            raise AddressUnusableError(address=address, option=option, got=got) from error
