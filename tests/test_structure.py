"""The shape of the project: what lies where, how long it is, and what proves it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acquisition_bridge", "rtdecode", "stimulus")
FILE_LINES, FUNCTION_LINES, CONFTEST_LINES = 300, 60, 100
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base"}
FORBIDDEN_WORDS = re.compile(r"TO" r"DO|FIX" r"ME|X" r"XX|TYPE_" r"CHECKING|from __future" r"__")
MOST_FILES = 560
"""A new file format may add a reader of its own; anything else joins a file that is there."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def proofs() -> list[Path]:
    return sorted((ROOT / "tests").rglob("test_*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_tests_lie_where_their_subject_lies() -> None:
    places = {p.relative_to(ROOT / "tests").parts[0] for p in proofs()}
    folders = {place for place in places if not place.endswith(".py")}
    assert folders <= {*PACKAGES, "system", "faults", "fixtures"}


def test_every_module_with_behaviour_is_imported_by_a_test() -> None:
    tests = list((ROOT / "tests").rglob("*.py"))
    imported = {name for path in tests for name in imported_names(path)}
    # some tests run a script in a process of its own
    scripts = "".join(path.read_text(encoding="utf-8") for path in tests)
    behaving = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sources()
        if path.stem not in {"__init__", "__main__"}
        # commands are tested through the command line; errors are imported from their package
        and path.parent.name not in {"commands", "errors"}
        and any(functions(path))
    }
    assert sorted(one for one in behaving - imported if f"from {one} import" not in scripts) == []


def test_the_packages_stay_few_files() -> None:
    assert len(sources()) <= MOST_FILES


def test_the_architecture_names_every_folder() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = {path.parent for path in sources()}
    named = set(re.findall(r"`((?:rtdecode|acquisition_bridge|stimulus)/[a-z_/]*)`", page))
    assert sorted(name for name in named if not (ROOT / name).is_dir()) == []
    top = {f"{shown(path)}/" for path in packages if len(path.relative_to(ROOT).parts) == 2}
    assert sorted(top - named) == []


def test_every_folder_of_code_is_a_package() -> None:
    bare = {path.parent for path in sources()} - {
        path.parent for path in sources() if path.name == "__init__.py"
    }
    assert sorted(map(shown, bare)) == []


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert [f"{shown(p)}: {n} lines" for p, n in lengths.items() if n > FILE_LINES] == []


def test_no_conftest_is_long() -> None:
    found = sorted((ROOT / "tests").rglob("conftest.py"))
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in found}
    assert [f"{shown(p)}: {n} lines" for p, n in lengths.items() if n > CONFTEST_LINES] == []


def test_no_function_is_long() -> None:
    long = [
        f"{shown(path)}: {function.name}"
        for path in sources()
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_names_are_of_the_domain() -> None:
    everything = {
        part for path in sources() for part in path.relative_to(ROOT).with_suffix("").parts
    }
    assert everything & FORBIDDEN_NAMES == set()


def test_every_exception_to_the_rules_of_security_has_its_reason() -> None:
    checked = [*sources(), *(ROOT / "benchmarks").rglob("*.py")]
    lines = [(path, line) for path in checked for line in path.read_text("utf-8").splitlines()]
    with_reason = re.compile(r"noqa: S\d+ - \w")
    excepted = [(path, line) for path, line in lines if re.search(r"noqa: S\d", line)]
    bare = [(shown(path), line) for path, line in excepted if not with_reason.search(line)]
    assert bare == []


@pytest.mark.parametrize("paths", [sources(), proofs()], ids=["sources", "tests"])
def test_nothing_is_left_for_later_or_imported_for_types_alone(paths: list[Path]) -> None:
    found = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN_WORDS.search(line)
    ]
    assert found == []
