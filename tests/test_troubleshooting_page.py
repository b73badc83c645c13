"""docs/troubleshooting.md has an entry for the code of each event that a process can send."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from acquisition_bridge.bridge import REPORTED
from rtdecode.runtime.command_link import LinkEvent
from rtdecode.runtime.strangers import NOT_ADMITTED, STRANGER
from rtdecode.session.recorder import IGNORED

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
PACKAGES = ("acquisition_bridge", "rtdecode", "stimulus")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
MAKERS = {"Event": 2, "EventMessage": 2, "_event": None}
"""Functions that make an event, and the place of its code; None: the first text among them."""
FROM_TABLES = {
    *(code for code, _, _ in REPORTED.values()),
    *(code.value for code in LinkEvent),
    *IGNORED,
    NOT_ADMITTED,
    STRANGER,
}
"""Codes that are chosen from a table while a process runs."""
CHOSEN_LATER = {
    "acquisition_bridge/bridge.py",
    "rtdecode/control/arming.py",
    "rtdecode/runtime/command_link.py",
    "rtdecode/runtime/joined_hosts.py",
    "rtdecode/runtime/strangers.py",
    "rtdecode/session/recorder.py",
}
"""Files with an event whose code is a parameter: it is given by its callers or by a table."""


@cache
def trees() -> dict[str, ast.Module]:
    """Modules that name events, and so all that define codes."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {path: ast.parse(text) for path, text in texts.items() if "Event" in text}


def constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names at the top of a module and their texts, also of `A, B = "a", "b"`."""
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, text in pairs:
            if (
                isinstance(name, ast.Name)
                and isinstance(text, ast.Constant)
                and isinstance(text.value, str)
            ):
                yield name.id, text.value


def code_of(call: ast.Call) -> ast.expr | None:
    """The expression of the code of an event; None for a call that makes no event."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name not in MAKERS:
        return None
    named = next((word.value for word in call.keywords if word.arg == "code"), None)
    place = MAKERS[name]
    if named is not None or place is None:
        return named or next(iter(arg for arg in call.args if _is_code(arg)), None)
    return call.args[place] if len(call.args) > place else None


def _is_code(arg: ast.expr) -> bool:
    if isinstance(arg, ast.Constant):
        return isinstance(arg.value, str) and CODE.fullmatch(arg.value) is not None
    return isinstance(arg, ast.Name) and arg.id.isupper()


@cache
def found() -> tuple[set[str], set[str]]:
    """Codes in the source, and files with an event whose code is no constant."""
    codes, later = set(FROM_TABLES), set()
    known = [pair for tree in trees().values() for pair in constants(tree)]
    for path, tree in trees().items():
        own = dict(constants(tree))
        for node in ast.walk(tree):
            code = code_of(node) if isinstance(node, ast.Call) else None
            name = code.id if isinstance(code, ast.Name) else ""
            if isinstance(code, ast.Constant):
                codes.add(str(code.value))
            elif name in own:
                codes.add(own[name])
            elif name.isupper():
                codes |= {text for other, text in known if other == name}
            elif code is not None:
                later.add(path)
    return codes, later


def test_each_event_code_has_an_entry() -> None:
    codes, _ = found()
    assert len(codes) > 50
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(code for code in codes if f"`{code}`" not in page) == []


def test_no_further_event_has_a_code_that_this_test_cannot_read() -> None:
    assert found()[1] - CHOSEN_LATER == set()


QUOTED = re.compile(r"`([^`]* [^`]*)`")
JOINS = re.compile(r"[\"']\s*\n\s*f?[\"']")
COMMANDS = ("rtdecode ", "source:", "policy:")


def test_each_message_that_is_quoted_is_one_of_the_product() -> None:
    """A quoted message is in the first column, with … for what differs."""
    sources = (ROOT / "rtdecode" / "schema" / "errors").glob("*.py")
    text = JOINS.sub("", "\n".join(path.read_text(encoding="utf-8") for path in sources))
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    quoted = [found for row in rows for found in QUOTED.findall(row.split(" | ")[0])]
    assert len(quoted) > 10
    parts = [part.strip() for message in quoted for part in message.split("…")]
    assert [part for part in parts if part not in text] == []
