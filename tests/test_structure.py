"""The shape of the project: what lies where, how long it is, and what proves it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acquisition_bridge", "rtdecode", "stimulus")
STAGES = ("acquire", "behaviour", "calcium", "decode", "emit", "evaluate")
FILE_LINES, FUNCTION_LINES, CONFTEST_LINES = 300, 60, 100
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base"}
FORBIDDEN_WORDS = re.compile(r"TO" r"DO|FIX" r"ME|X" r"XX|TYPE_" r"CHECKING|from __future" r"__")
UNTESTED = {"__init__", "__main__"}

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


def does_something(function: Function) -> bool:
    """A protocol's `...` does nothing that a test could prove."""
    last = function.body[-1]
    return not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant))


def has_behaviour(path: Path) -> bool:
    return any(does_something(function) for function in functions(path))


def proof_of(source: Path) -> Path:
    inside = source.relative_to(ROOT)
    return ROOT / "tests" / inside.with_name(f"test_{inside.name}")


def source_of(test: Path) -> Path:
    inside = test.relative_to(ROOT / "tests")
    return ROOT / inside.with_name(inside.name.removeprefix("test_"))


def is_proved(source: Path) -> bool:
    """By its own test, or, where a package is one thing in several files, by the package's."""
    return proof_of(source).exists() or proof_of(source.parent.with_suffix(".py")).exists()


def has_source(test: Path) -> bool:
    return source_of(test).exists() or source_of(test).with_suffix("").is_dir()


def test_every_source_has_its_test() -> None:
    behaving = [p for p in sources() if p.stem not in UNTESTED and has_behaviour(p)]
    assert [shown(path) for path in behaving if not is_proved(path)] == []


def test_every_test_has_its_source() -> None:
    mirrored = [p for p in proofs() if p.relative_to(ROOT / "tests").parts[0] in PACKAGES]
    assert [shown(path) for path in mirrored if not has_source(path)] == []


def test_tests_outside_the_mirror_are_of_the_project_or_of_the_system() -> None:
    places = {p.relative_to(ROOT / "tests").parts[0] for p in proofs()}
    folders = {place for place in places if not place.endswith(".py")}
    assert folders <= {*PACKAGES, "system", "golden", "benchmarks"}


def test_stages_are_listed_in_the_order_of_the_data() -> None:
    folders = [path.name for path in sorted((ROOT / "rtdecode").iterdir()) if path.is_dir()]
    assert [name for name in folders if name in STAGES] == list(STAGES)


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


@pytest.mark.parametrize("paths", [sources(), proofs()], ids=["sources", "tests"])
def test_nothing_is_left_for_later_or_imported_for_types_alone(paths: list[Path]) -> None:
    found = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN_WORDS.search(line)
    ]
    assert found == []
