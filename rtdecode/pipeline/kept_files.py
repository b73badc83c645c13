"""What the processes of one host read of a run: its config with this run's addresses, and copies.

The protocol and the file of the policy are copied into the session folder, so that all processes
have the same trials, also after a restart and for a protocol in Python, and the session can be run
again without the originals.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.pipeline.hosts import included_on
from rtdecode.pipeline.topology import included
from rtdecode.runtime.platform import private_endpoints
from rtdecode.runtime.protocol_file import read_protocol, write_protocol
from rtdecode.runtime.stop import temporary_folder
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.protocol_limits import Limits


@contextmanager
def private_network(configured: NetworkConfig) -> Iterator[NetworkConfig]:
    """`configured` with an address of this host for every endpoint that it leaves empty.

    An endpoint in the private folder of an earlier run, which configs of earlier sessions hold,
    counts as empty.

    It is a Unix socket in a private folder, which needs no port, cannot collide with another run,
    and which other users cannot open. The folder's name is short, because the path of a socket has
    107 characters at most. On Windows it is a free port of the loopback interface.
    """
    with temporary_folder("rtdecode-") as folder:
        missing = [name for name, one in configured.endpoints().items() if is_private(one)]
        yield configured.with_endpoints(private_endpoints(folder, missing))


def is_private(address: str) -> bool:
    """Whether `address` is empty, or in the private folder of an earlier run."""
    return not address or re.fullmatch(r"ipc:///tmp/rtdecode-[^/]+/\w+", address) is not None


def kept(config: RunConfig, folder: Path, *, host: str) -> RunConfig:
    """`config` as the session in `folder` keeps it on `host`, with copies of the files there.

    The files that a process of this host reads must be there; those that another host reads are
    copied where this one has them too.
    """
    roles, here = (
        {row.role for row in rows} for rows in (included(config), included_on(config, host))
    )
    found, control = resolved(config, folder=folder.parent), config.control
    protocol = config.stimulus.protocol if Role.STIMULUS in roles else None
    policy = None if control is None else control.policy.file
    if protocol is not None and (Role.STIMULUS in here or protocol.is_file()):
        found = with_kept_protocol(found, folder / "protocol.yaml")
    if policy is not None and (Role.CONTROLLER in here or policy.is_file()):
        found = with_kept_policy(found, folder / "policy.py")
    return found


def resolved(config: RunConfig, *, folder: Path) -> RunConfig:
    """`config` as a session in `folder` keeps it; addresses of an earlier run are left out."""
    network = config.network
    earlier = {name: "" for name, address in network.endpoints().items() if is_private(address)}
    record = config.record.model_copy(update={"folder": folder})
    return config.model_copy(update={"network": network.with_endpoints(earlier), "record": record})


def with_kept_protocol(config: RunConfig, copy: Path) -> RunConfig:
    """`config` with its protocol in `copy`, relative to the folder of that."""
    path = config.stimulus.protocol
    if path is None:
        return config
    limits = Limits.of(config.stimulus, frame_rate_hz=config.frame_rate_hz)
    write_protocol(read_protocol(path, limits), copy)
    stimulus = config.stimulus.model_copy(update={"protocol": Path(copy.name)})
    return config.model_copy(update={"stimulus": stimulus})


def with_kept_policy(config: RunConfig, copy: Path) -> RunConfig:
    """`config` with the user's file of its policy in `copy`, relative to the folder of that."""
    if config.control is None or (file := config.control.policy.file) is None:
        return config
    if file.resolve() != copy.resolve():
        with write_errors_named(copy):
            copy.write_bytes(file.read_bytes())
    policy = config.control.policy.model_copy(update={"file": Path(copy.name)})
    control = config.control.model_copy(update={"policy": policy})
    return config.model_copy(update={"control": control})
