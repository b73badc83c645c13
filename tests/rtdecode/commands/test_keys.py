"""`rtdecode keys` as a person uses it on three computers."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rtdecode.cli import app


def keys(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--folder", str(folder)])


def test_two_computers_get_to_know_each_other(tmp_path: Path) -> None:
    screen, decoder = tmp_path / "screen", tmp_path / "decoder"
    assert keys(screen, "new", "screen").exit_code == 0
    assert keys(decoder, "new", "decoder").exit_code == 0
    shown = keys(screen, "show").output
    assert f"carry {screen / 'screen.key'} to the other computers" in shown
    public = shown.split()[1]
    allowed = keys(decoder, "allow", str(screen / "screen.key"))
    assert f"the key of screen is allowed here: {public}" in allowed.output
    listed = keys(decoder, "list").output.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["decoder", "own"], ["screen", "allowed"]]
    assert "refused from now on" in keys(decoder, "revoke", "screen").output
    assert "screen" not in keys(decoder, "list").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "Bad Name"], "is no name of a host"),
        (["show"], "rtdecode keys new NAME"),
        (["allow", "/nowhere.key"], "does not exist"),
        (["revoke", "nobody"], "no other key is allowed"),
    ],
)
def test_a_mistake_is_named_and_exits_with_2(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = keys(tmp_path / "keys", *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_second_key_is_refused(tmp_path: Path) -> None:
    keys(tmp_path, "new", "screen")
    assert keys(tmp_path, "new", "screen").exit_code == 2
    empty = keys(tmp_path / "other", "list")
    assert "this computer has no key" in empty.output
