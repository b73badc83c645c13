"""The folder with the keys of a host: its own, and those of the hosts that may connect.

Duties: make, read, allow and revoke keys, and refuse a folder that other users can change. Each
host has one key, named as the host in `network.hosts`. `NAME.key_secret` stays on it; `NAME.key` is
carried to the other hosts, whose copy is `allowed/NAME.key`. The files are certificates as pyzmq's
`zmq.auth` reads and writes them, so that rig programs in any language can use theirs.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as here:
...     screen, decoder = KeyFolder(Path(here) / "screen"), KeyFolder(Path(here) / "decoder")
...     made = screen.new("screen")
...     decoder.allow(screen.public_file("screen")), decoder.name_of(made.public)
('screen', 'screen')
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from rtdecode.runtime.owner_file import new_owner_file
from rtdecode.schema.config.network import HOST_NAME
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import (
    BadInputError,
    KeyConflictError,
    KeyExistsError,
    KeyFileError,
    KeyNameError,
    KeyNotAllowedError,
    KeyUnprotectedError,
    MissingFileError,
)

_SECRET, _PUBLIC = ".key_secret", ".key"
_MOST_BYTES = 10_000
_KEY_BYTES = 32
_FOLDER_OF_OWNER = 0o700
_OTHERS_ANY, _OTHERS_WRITE = 0o077, 0o022
_FIELD = re.compile(r'^\s*(name|public-key|secret-key)\s*=\s*"([^"]*)"\s*$', re.MULTILINE)
_GET_ANEW = "get the file that `rtdecode keys show` names on its host"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The key of this host; both halves in Z85."""

    name: str
    public: bytes
    secret: bytes = field(repr=False)


def default_key_folder() -> Path:
    """`rtdecode/keys` in the user's folder of configs."""
    default = Path.home() / ("AppData/Roaming" if os.name == "nt" else ".config")
    variable = "APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME"
    return Path(os.environ.get(variable) or default) / "rtdecode" / "keys"


class KeyFolder:
    """The keys of one host: its own, and those of the hosts that may connect.

    Parameters
    ----------
    path
        The folder, which need not exist; by default that of the user.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_key_folder() if path is None else path
        self.option = "" if path is None else f" --folder {path}"
        """What a command that is typed needs to use this folder."""

    def own(self) -> OwnKey | None:
        """The key of this host; None where there is none yet.

        Raises
        ------
        KeyUnprotectedError
            If other users of this computer can read the secret key, or change the folder.
        KeyFileError
            If the file is damaged, or there are several.
        """
        found = sorted(self.path.glob(f"*{_SECRET}"))
        if not found:
            return None
        if len(found) > 1:
            got = f"{found[1].name} lies beside it"
            raise KeyFileError(path=found[0], got=got, remedy="keep the one key of this host")
        for folder in (self.path, self.path / "allowed"):
            if folder.is_dir():
                _require_mode(folder, _OTHERS_WRITE, mode="700", others="change")
        _require_mode(found[0], _OTHERS_ANY, mode="600", others="read")
        name, public, secret = _read(found[0])
        if not secret or zmq.curve_public(secret) != public:
            got = "its two halves do not belong together"
            remedy = "delete it, and make a new one with `rtdecode keys new`"
            raise KeyFileError(path=found[0], got=got, remedy=remedy)
        return OwnKey(name, public, secret)

    def public_file(self, name: str) -> Path:
        """The file of this host's public key, which is carried to the other hosts."""
        return self.path / f"{name}{_PUBLIC}"

    def require_public_file(self, name: str) -> Path:
        """`public_file`, which is written again where it is missing or is another one."""
        own, file = self.own(), self.public_file(name)
        with suppress(BadInputError):
            if own is None or _read(file)[1] == own.public:
                return file
        if own is not None:
            with write_errors_named(self.path):
                file.unlink(missing_ok=True)
                _write(file, own.name, own.public)
        return file

    def new(self, name: str) -> OwnKey:
        """Make the key of this host, `name`, which nothing has read or will send.

        Raises
        ------
        KeyNameError
            If no host can have the name.
        KeyExistsError
            If this host has a key.
        """
        if not HOST_NAME.fullmatch(name):
            raise KeyNameError(name=name)
        for there in self.path.glob(f"*{_SECRET}"):
            raise KeyExistsError(name=there.stem, path=there)
        public, secret = zmq.curve_keypair()
        made = OwnKey(name, public, secret)
        with write_errors_named(self.path):
            self._make(self.path)
            _write(self.path / f"{name}{_SECRET}", name, public, secret)
            self.public_file(name).unlink(missing_ok=True)
            _write(self.public_file(name), name, public)
        return made

    def allowed(self) -> dict[str, bytes]:
        """Public key of each host that may connect, by its name.

        Raises
        ------
        KeyFileError
            If a file of them is damaged.
        """
        return {path.stem: _read(path)[1] for path in sorted(self._allowed_files())}

    def name_of(self, public: bytes) -> str:
        """Name under which the key `public` may connect now; empty where it may not.

        The files are read anew, so that a key that is allowed or revoked meanwhile is so here.
        """
        # a disk that fails admits nobody, and must not end the thread that asks
        with suppress(OSError):
            for path in self._allowed_files():
                with suppress(BadInputError, OSError):
                    if _read(path)[1] == public:
                        return path.stem
        return ""

    def allow(self, file: Path) -> str:
        """Let the host whose public key `file` has connect from now on; the name of the host.

        Raises
        ------
        KeyFileError
            If it is no public key.
        KeyConflictError
            If another key is allowed under this name, or this key under another name.
        """
        name, public, secret = _read(file)
        if secret:
            got = "it is a secret key, which must stay on its host"
            raise KeyFileError(path=file, got=got, remedy=f"carry {file.stem}{_PUBLIC} instead")
        if not HOST_NAME.fullmatch(name):
            raise KeyNameError(name=name)
        self._require_no_conflict(file, name, public)
        target = self.path / "allowed" / f"{name}{_PUBLIC}"
        with write_errors_named(self.path):
            self._make(self.path)
            self._make(target.parent)
            target.unlink(missing_ok=True)
            _write(target, name, public)
        return name

    def revoke(self, name: str) -> None:
        """Refuse new connections with the key `name`; KeyNotAllowedError if it is not allowed."""
        found = {path.stem: path for path in self._allowed_files()}
        if name not in found:
            raise KeyNotAllowedError(name=name, known=sorted(found))
        found[name].unlink()

    def _require_no_conflict(self, file: Path, name: str, public: bytes) -> None:
        own, allowed = self.own(), self.allowed()
        if own is not None and own.name == name and own.public != public:
            got = f"this host has another key of the name '{name}'"
            raise KeyConflictError(file=file, got=got, remedy="give each host a name of its own")
        if allowed.get(name, public) != public:
            got = f"another key is allowed as '{name}'"
            again = (
                f"if this host has a new key, run `rtdecode keys revoke {name}{self.option}` first"
            )
            raise KeyConflictError(file=file, got=got, remedy=again)
        for other, key in allowed.items():
            if key == public and other != name:
                got = f"it is allowed as '{other}' already"
                again = f"run `rtdecode keys revoke {other}{self.option}` first"
                raise KeyConflictError(file=file, got=got, remedy=again)

    def _allowed_files(self) -> Iterator[Path]:
        return (self.path / "allowed").glob(f"*{_PUBLIC}")

    @staticmethod
    def _make(folder: Path) -> None:
        folder.mkdir(mode=_FOLDER_OF_OWNER, parents=True, exist_ok=True)
        folder.chmod(_FOLDER_OF_OWNER)


def _require_mode(path: Path, forbidden: int, *, mode: str, others: str) -> None:
    """Raise KeyUnprotectedError where other users have a right to `path` among `forbidden`."""
    # Windows keeps the rights of a user's folder elsewhere, and states none here
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & forbidden:
        raise KeyUnprotectedError(path=path, mode=mode, others=others)


def _write(path: Path, name: str, public: bytes, secret: bytes | None = None) -> None:
    """Write a new certificate that its user alone can read."""
    what = "Public key" if secret is None else "SECRET key, which must stay on its host,"
    lines = [f"#   {what} of the host {name}, for rtdecode", "metadata", f'    name = "{name}"']
    lines += ["curve", f'    public-key = "{public.decode()}"']
    lines += [] if secret is None else [f'    secret-key = "{secret.decode()}"']
    with new_owner_file(path) as file:
        file.write("\n".join([*lines, ""]))


def _read(path: Path) -> tuple[str, bytes, bytes]:
    """Name, public and secret key of a certificate; the secret key is empty in a public one.

    The name is that of the file where the certificate states none, as those of other programs.
    """
    if not path.is_file():
        raise MissingFileError(what="key", path=path, remedy=_GET_ANEW)
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES)
    fields = dict(_FIELD.findall(content.decode("utf-8", errors="replace")))
    if "public-key" not in fields:
        got = "it has no line public-key" if content else "it is empty"
        raise KeyFileError(path=path, got=got, remedy=_GET_ANEW)
    keys = [_key(path, fields.get(half)) for half in ("public-key", "secret-key")]
    return fields.get("name", path.stem), *keys


def _key(path: Path, text: str | None) -> bytes:
    """One half of a key, in Z85; KeyFileError where it is none."""
    if text is None:
        return b""
    try:
        is_key = len(z85.decode(text)) == _KEY_BYTES
    except (KeyError, ValueError, IndexError):
        is_key = False
    if not is_key:
        got = "a key of 40 characters is damaged"
        raise KeyFileError(path=path, got=got, remedy=_GET_ANEW)
    return text.encode()
