"""One command with all verbs; each is imported when it is called, and has a help text."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rtdecode.cli import VERBS as LINES
from rtdecode.cli import UnloadedVerb, Verb, app

USER = CliRunner()
IMPORTED_SLOWLY = """
import sys, time
slow = sys.argv[1]
class Slow:
    def find_spec(self, name, *_):
        if name == slow:
            print("importing", flush=True)
            time.sleep(30)
sys.meta_path.insert(0, Slow())
from rtdecode.__main__ import main
sys.argv[1:] = ["check", "none.yaml"]
main()
"""
VERBS = [line.name for line in LINES]
HEAVY = {"torch", "psychopy", "numba", "matplotlib", "scipy", "skimage", "pydantic", "zmq", "numpy"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_text(verb: str) -> None:
    done = USER.invoke(app, [verb, "--help"])
    assert done.exit_code == 0
    assert f" {verb} " in done.stdout.splitlines()[1]


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All verbs below a group, with the words that name them."""
    for name, found in group.commands.items():
        command = found.loaded() if isinstance(found, UnloadedVerb) else found
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


@pytest.mark.parametrize("line", LINES, ids=VERBS)
def test_the_help_lists_a_verb_with_the_first_line_of_its_own_help(line: Verb) -> None:
    shown = USER.invoke(app, ["--help"]).stdout.replace("│", " ")
    assert f" {line.name} {line.summary} " in " ".join(shown.split())
    assert UnloadedVerb(line).loaded().help.partition("\n\n")[0] == line.summary


def test_the_version_is_stated() -> None:
    assert USER.invoke(app, ["--version"]).stdout.startswith("rtdecode 0.")


def test_a_verb_that_does_not_exist_is_bad_input() -> None:
    done = USER.invoke(app, ["dmeo"])
    assert done.exit_code == 2
    assert "dmeo" in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("fit direct --data d --out o --device gpu", "--device 'gpu' is not known: give one of"),
        ("reconstruct --data d --out o --method 'the mean'", "--method 'the mean' is not known"),
        ('replay s --input "it\'s"', "--input 'it's' is not known: give one of"),
        ("bench decoder --twin t --device CPU", "--device 'CPU' is not known: give one of"),
    ],
)
def test_a_value_that_an_option_does_not_have_is_an_error_with_its_remedy(
    words: str, sentence: str
) -> None:
    done = USER.invoke(app, shlex.split(words))
    assert done.exit_code == 2
    assert done.stderr.startswith(f"rtdecode: {sentence}")
    assert "Traceback" not in done.output
    if "--device" in words:
        assert done.stderr.endswith("give one of auto, cpu, cuda\n")


def enumerations() -> Iterator[tuple[tuple[str, ...], str, type[Enum]]]:
    """The options of all verbs whose values are those of an enumeration."""
    for path, command in commands(get_command(app)):
        for name, hint in get_type_hints(command.callback).items():
            kinds = [one for one in (hint, *get_args(hint)) if isinstance(one, type)]
            for kind in (one for one in kinds if issubclass(one, Enum)):
                (option,) = (one for one in command.params if one.name == name)
                yield path, max(option.opts, key=len), kind


@pytest.mark.parametrize(("path", "option", "kind"), list(enumerations()))
def test_each_option_with_some_values_lists_them(
    path: tuple[str, ...], option: str, kind: type[Enum]
) -> None:
    done = USER.invoke(app, [*path, option, "nothing"])
    known = ", ".join(str(one.value) for one in kind)
    assert done.stderr == f"rtdecode: {option} 'nothing' is not known: give one of {known}\n"


@pytest.mark.system
def test_the_help_text_needs_none_of_the_large_packages() -> None:
    script = (
        "import sys; sys.argv = ['rtdecode', '--help']\n"
        "from rtdecode.__main__ import main\n"
        "try:\n    main()\n"
        f"finally:\n    print({HEAVY!r} & set(sys.modules), file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert loaded.stderr == "set()\n"


@pytest.mark.system
def test_no_verb_loads_torch_before_it_is_needed() -> None:
    script = (
        "import importlib, sys\n"
        f"for module in {[line.module for line in LINES]!r}:\n"
        "    importlib.import_module(f'rtdecode.commands.{module}')\n"
        "    print(module, {'torch', 'psychopy', 'numba'} & set(sys.modules))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = [f"{line.module} set()" for line in LINES]
    assert loaded.stdout.splitlines() == expected, loaded.stderr


@pytest.mark.system
def test_the_demo_is_checked_without_the_packages_of_its_processes() -> None:
    script = (
        "import sys; from rtdecode.commands import check, live\n"
        "from rtdecode.demo.config import demo_config\n"
        "from rtdecode.schema.config.stimulus import Display\n"
        "config = demo_config(seconds=5.0, display=Display.VIRTUAL, clips=None)\n"
        "check.checked_with_warnings(config)\n"
        "print({'torch', 'numba', 'scipy', 'skimage', 'matplotlib'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert loaded.stdout == "set()\n", loaded.stderr


@pytest.mark.system
def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rtdecode", "check", "none.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "config none.yaml does not exist" in done.stderr


@pytest.mark.system
@pytest.mark.parametrize("module", ["rtdecode.cli", "rtdecode.commands.check"])
def test_an_interrupt_while_a_command_is_imported_prints_nothing(module: str) -> None:
    argv = [sys.executable, "-c", IMPORTED_SLOWLY, module]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "importing\n"
        running.send_signal(signal.SIGINT)
        assert running.communicate()[0] == ""
    assert running.returncode == -signal.SIGINT
