"""`rtdecode keys`: the keys with which the computers of a run know each other."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.schema.errors import KeysMissingError

app = typer.Typer(
    help="Keys of this computer, and of those that may connect to its runs.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path | None,
    typer.Option(
        help="folder of the keys, as network.keys; by default the user's", file_okay=False
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="name of the computer in network.hosts")]


@app.command(epilog="Example: rtdecode keys new microscope")
def new(name: Name, folder: Folder = None) -> None:
    """Make the key of this computer, NAME; an existing one is never overwritten."""
    with errors_reported():
        keys = KeyFolder(folder)
        keys.new(name)
        _print(f"made the key of {name} in {keys.path}")
        _print_public_file(keys, name)


@app.command(epilog="Example: rtdecode keys show")
def show(folder: Folder = None) -> None:
    """Print the public key of this computer, and the file that is carried to the others."""
    with errors_reported():
        keys = KeyFolder(folder)
        own = keys.own()
        if own is None:
            raise KeysMissingError(
                endpoint="a run over several computers",
                got=f"{keys.path} has none of this host",
                remedies=[f"run `rtdecode keys new NAME{keys.option}`"],
            )
        _print(f"{own.name}  {own.public.decode()}")
        _print_public_file(keys, own.name)


@app.command(epilog="Example: rtdecode keys allow microscope.key")
def allow(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="public key of another computer")],
    folder: Folder = None,
) -> None:
    """Let the computer whose public key FILE has connect from now on."""
    with errors_reported():
        keys = KeyFolder(folder)
        name = keys.allow(file)
        _print(f"the key of {name} is allowed here: {keys.allowed()[name].decode()}")
        _print(f"compare it with what `rtdecode keys show` prints on {name}")


@app.command(epilog="Example: rtdecode keys revoke microscope")
def revoke(name: Name, folder: Folder = None) -> None:
    """Refuse the computer NAME from now on; its connections end with the present run."""
    with errors_reported():
        KeyFolder(folder).revoke(name)
        _print(f"the key of {name} is refused from now on")
        _print("connections that it has made last until the run ends: end the run to cut them")


@app.command("list", epilog="Example: rtdecode keys list")
def list_keys(folder: Folder = None) -> None:
    """Print the key of this computer and those that are allowed."""
    with errors_reported():
        keys = KeyFolder(folder)
        own = keys.own()
        _print(f"keys in {keys.path}")
        _print("this computer has no key" if own is None else _line(own.name, own.public, "own"))
        for name, public in keys.allowed().items():
            _print(_line(name, public, "allowed"))


def _line(name: str, public: bytes, what: str) -> str:
    return f"{name:<32}{what:<10}{public.decode()}"


def _print_public_file(keys: KeyFolder, name: str) -> None:
    path = keys.require_public_file(name)
    _print(f"carry {path} to the other computers, and run `rtdecode keys allow {path.name}` there")


def _print(text: str) -> None:
    print_plain(Console(), text)
