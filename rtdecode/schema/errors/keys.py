"""Errors of keys and of encrypted connections between the hosts of a run."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError


class KeysMissingError(BadInputError):
    """A config opens an endpoint on the network, and keys for it are missing on this host."""

    def __init__(self, *, endpoint: str, got: str, remedies: Sequence[str]) -> None:
        super().__init__(
            f"{endpoint} can be reached from the network, where each host needs a key, but {got}: "
            f"{'; '.join(remedies)} (docs/keys.md)"
        )


class KeyNameError(BadInputError):
    """A name that no host can have."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"'{name:.40}' is no name of a host: up to 31 lower-case letters, digits and hyphens are "
            f"expected, as in network.hosts of a config"
        )


class KeyExistsError(BadInputError):
    """A key of this host exists already; it is not overwritten."""

    def __init__(self, *, name: str, path: Path) -> None:
        super().__init__(
            f"this host has the key '{name}' already ({path}), and it is not overwritten: show it with "
            f"`rtdecode keys show`, or give another --folder; to replace it, delete {path.name} and "
            f"{path.stem}.key there, make a new one, and allow it again on all other hosts"
        )


class KeyFileError(BadInputError):
    """A file that is no key file of rtdecode, or a damaged one."""

    def __init__(self, *, path: Path, got: str, remedy: str) -> None:
        super().__init__(f"{path} cannot be used as a key ({got}): {remedy}")


class KeyUnprotectedError(BadInputError):
    """A secret key, or the folder of the keys, that other users of this computer can use."""

    def __init__(self, *, path: Path, mode: str, others: str) -> None:
        super().__init__(
            f"{path} is no longer secret, since other users of this computer can {others} it: run "
            f"`chmod {mode} {path}`, and make a new key with `rtdecode keys new` if anybody else may "
            f"have used it"
        )


class KeyConflictError(BadInputError):
    """A public key whose name is that of another key, or the other way around."""

    def __init__(self, *, file: Path, got: str, remedy: str) -> None:
        super().__init__(f"the key of {file} was not allowed, because {got}: {remedy}")


class KeyNotAllowedError(BadInputError):
    """A name whose key cannot be revoked, as it is not allowed."""

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        listed = f"give one of {', '.join(known)}" if known else "no other key is allowed either"
        super().__init__(f"no key '{name:.40}' is allowed on this host: {listed}")


class HostUnnamedError(BadInputError):
    """An endpoint on the network whose host the config does not name, so that its key is unknown."""

    def __init__(self, *, endpoint: str) -> None:
        super().__init__(
            f"no host of network.hosts has the address of {endpoint}, so it is not known whose key to "
            f"expect there: add the host with this address and the name of its key to network.hosts"
        )


class HostAddressError(BadInputError):
    """Two hosts of one address, whose keys cannot be told apart."""

    def __init__(self, *, address: str, names: Sequence[str]) -> None:
        super().__init__(
            f"network.hosts: {' and '.join(names)} have the same address {address}, but each host has its "
            f"own key: give each host its own address"
        )


class OwnKeyNameError(BadInputError):
    """The key of this host has a name that the config does not have."""

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"the key of this host is named '{name}', but {' or '.join(known)} is expected here after "
            f"network.hosts: run the command on that host; or give the host in the config the name of "
            f"its key; or delete {name}.key and {name}.key_secret in the folder that `rtdecode keys "
            f"list` prints, run `rtdecode keys new NAME`, and allow the new key on the other hosts"
        )
