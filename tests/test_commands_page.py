"""docs/commands.md is made from the commands.

`PYTHONPATH=tests/fixtures python -P tests/test_commands_page.py` writes it.
"""

import re
import textwrap
from pathlib import Path
from typing import Any

from every_verb import verbs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEAD = """# Commands

`rtdecode VERB --help` says the same in the terminal. Exit codes: 0 as asked, 1 failed, 2 bad input
or config, 3 data was lost beyond what the config permits; 130 after Ctrl-C before there was
anything to keep.
"""
LINE = 100


def section(name: str, command: Any) -> str:
    """Summary, arguments, options and example of a command."""
    help_text, *_ = (command.help or "").split("\f")
    parts = [textwrap.fill(" ".join(one.split()), LINE) for one in help_text.split("\n\n")]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join(["rtdecode", name, *(named(one) for one in arguments)])
    rows = [option_row(one) for one in command.params if not one.hidden]
    table = ["| | |", "|---|---|", *rows] if rows else []
    example = (command.epilog or "").removeprefix("Example: ")
    shown = [f"```sh\n{example}\n```"] if example else []
    return "\n\n".join([f"## {name}", f"`{usage}`", *parts, "\n".join(table), *shown])


def named(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def option_row(option: Any) -> str:
    words = [*option.opts, *option.secondary_opts]
    if option.param_type_name == "argument":
        words = [named(option)]
    said = " ".join((option.help or "").split()).replace("|", "\\|")
    default = option.default
    stated = default not in (None, False, True, "") and not callable(default)
    needed = " (required)" if option.required and option.param_type_name != "argument" else ""
    listed = ", ".join(f"`{one}`" for one in words)
    return f"| {listed} | {said}{f'; default {default}' if stated else ''}{needed} |"


def page() -> str:
    sections = (section(*one).strip() for one in verbs())
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join([HEAD.strip(), *sections]) + "\n")


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run PYTHONPATH=tests/fixtures python -P tests/test_commands_page.py"
    )


def test_every_verb_has_an_example_that_begins_with_its_name() -> None:
    examples = {name: (command.epilog or "") for name, command in verbs()}
    wrong = [n for n, example in examples.items() if not example.startswith("Example: rtdecode ")]
    assert wrong == []
    assert [n for n, example in examples.items() if f"rtdecode {n}" not in example] == []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
