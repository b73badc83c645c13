"""One command with all verbs; asking it for help loads nothing heavy."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from rtdecode.cli import app

USER = CliRunner()
VERBS = ["demo", "run", "check", "score", "replay", "recover", "fit", "bench", "import-twin"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_it_is_for(verb: str) -> None:
    told = USER.invoke(app, [verb, "--help"])
    assert told.exit_code == 0
    assert f" {verb} " in told.stdout.splitlines()[1]


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
