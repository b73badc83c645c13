"""Where the processes of one run meet."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.schema.config.session import NetworkConfig


@contextmanager
def private_network(configured: NetworkConfig) -> Iterator[NetworkConfig]:
    """`configured` with an address in a private folder for every endpoint it leaves empty.

    Unix sockets in a fresh folder need no port, cannot meet another run, and nobody else may
    enter. The folder is short, because a socket's path may have 107 characters at most.
    """
    with tempfile.TemporaryDirectory(prefix="rtdecode-", dir="/tmp") as folder:
        yield NetworkConfig(
            **{
                name: address or f"ipc://{Path(folder) / name}"
                for name, address in configured.model_dump().items()
            }
        )
