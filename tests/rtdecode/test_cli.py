"""One command with all verbs; each has a help text with an example, without loading torch."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rtdecode.cli import app

USER = CliRunner()
IMPORTED_SLOWLY = """
import sys, time
class Slow:
    def find_spec(self, name, *_):
        if name == "rtdecode.cli":
            print("importing", flush=True)
            time.sleep(30)
sys.meta_path.insert(0, Slow())
from rtdecode.__main__ import main
main()
"""
VERBS = ["demo", "run", "check", "score", "replay", "recover", "reconstruct", "fit", "bench"]
VERBS += ["import-twin", "arm", "disarm"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_text(verb: str) -> None:
    told = USER.invoke(app, [verb, "--help"])
    assert told.exit_code == 0
    assert f" {verb} " in told.stdout.splitlines()[1]


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All verbs below a group, with the words that name them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


@pytest.mark.parametrize(("path", "command"), list(commands(get_command(app))))
def test_every_verb_has_an_example_that_it_accepts(path: tuple[str, ...], command: Any) -> None:
    help_text = " ".join(USER.invoke(app, [*path, "--help"]).stdout.split())
    assert command.epilog in help_text
    program, *words = shlex.split(command.epilog.removeprefix("Example: "))
    assert (program, tuple(words[: len(path)])) == ("rtdecode", path)
    command.make_context(path[-1], words[len(path) :])  # exits where an option does not exist


def test_the_help_lists_all_verbs() -> None:
    shown = USER.invoke(app, ["--help"]).stdout
    assert [verb for verb in VERBS if verb not in shown] == []


def test_a_verb_that_does_not_exist_is_bad_input() -> None:
    told = USER.invoke(app, ["dmeo"])
    assert told.exit_code == 2
    assert "dmeo" in told.output


@pytest.mark.system
def test_neither_torch_nor_psychopy_is_loaded_before_it_is_needed() -> None:
    script = "import sys, rtdecode.cli; print({'torch', 'psychopy', 'numba'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert loaded.stdout == "set()\n", loaded.stderr


@pytest.mark.system
def test_the_module_is_the_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "rtdecode", "check", "none.yaml"], capture_output=True, text=True
    )
    assert told.returncode == 2
    assert "config none.yaml does not exist" in told.stderr


@pytest.mark.system
def test_an_interrupt_while_the_command_is_imported_prints_nothing() -> None:
    argv = [sys.executable, "-c", IMPORTED_SLOWLY]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "importing\n"
        running.send_signal(signal.SIGINT)
        assert running.communicate()[0] == ""
    assert running.returncode == -signal.SIGINT
