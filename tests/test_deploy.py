"""The examples of docs/deploy are what systemd, desktops and the command line accept."""

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
from typer.main import get_command

from rtdecode.cli import UnloadedVerb, app

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "deploy"
INSTALL = FOLDER.parent / "install.md"
UNITS = sorted(FOLDER.glob("*.service"))
PROGRAM = "rtdecode"


def sections(file: Path) -> configparser.ConfigParser:
    """A unit or starter; a key that stands twice, and any other mistake of form, is an error."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file.read_text(encoding="ascii"))
    return parser


def started_by(file: Path) -> list[str]:
    """The words of the command that an example starts."""
    if file.suffix == ".bat":
        text = file.read_text(encoding="ascii")
        (line,) = (one for one in text.splitlines() if PROGRAM in one.partition(" ")[0])
        return line.split()
    found = sections(file)
    if file.suffix == ".service":
        return shlex.split(found["Service"]["ExecStart"])
    return shlex.split(found["Desktop Entry"]["Exec"])


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_the_command_line_accepts_what_an_example_starts(file: Path) -> None:
    program, verb, *words = started_by(file)
    assert PureWindowsPath(program).name == PROGRAM
    unloaded = get_command(app).commands[verb]  # type: ignore[attr-defined]
    assert isinstance(unloaded, UnloadedVerb)
    unloaded.loaded().make_context(verb, words)  # exits where an option does not exist


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_the_page_of_the_installation_names_every_example(file: Path) -> None:
    assert f"(deploy/{file.name})" in INSTALL.read_text(encoding="utf-8")


@pytest.mark.parametrize("unit", UNITS, ids=lambda file: file.name)
def test_systemd_accepts_a_unit(unit: Path, tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not installed")
    installed = unit.read_text(encoding="ascii").replace("%h/rtdecode/bin/rtdecode", sys.executable)
    copy = tmp_path / unit.name
    copy.write_text(installed, encoding="ascii")
    told = subprocess.run(
        [verifier, "--user", "verify", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert (told.returncode, told.stderr, told.stdout) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda file: file.name)
def test_a_unit_ends_its_processes_as_ctrl_c_does(unit: Path) -> None:
    service = sections(unit)["Service"]
    # SIGTERM to the command alone; its processes hand over what they hold before they end
    assert service["KillMode"] == "mixed"
    assert "KillSignal" not in service
    assert int(service["TimeoutStopSec"]) >= 70


def test_the_starter_of_windows_has_the_line_ends_of_windows() -> None:
    content = (FOLDER / "rtdecode-join.bat").read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") > 0
