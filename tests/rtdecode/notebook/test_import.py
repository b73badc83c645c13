"""`import rtdecode` is quick: it imports nothing until a name is used, and then no more than it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rtdecode
from rtdecode.notebook.opening import open_session

HEAVY = ("torch", "numba", "matplotlib", "pydantic", "numpy", "zmq", "mcap", "scipy")
STUB = Path(rtdecode.__file__).with_suffix(".pyi")


def modules_after(code: str) -> set[str]:
    """Modules that a fresh interpreter has imported after `code`."""
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_itself_needs_no_package() -> None:
    code = "import rtdecode as rd\nrd.__version__\ndir(rd)"
    found = modules_after(code)
    assert found.isdisjoint(HEAVY)
    assert {name for name in found if name.startswith("rtdecode")} == {"rtdecode"}


def test_a_session_is_opened_without_torch() -> None:
    found = modules_after("import rtdecode as rd\nrd.open_session, rd.Series, rd.RtdecodeError")
    assert found.isdisjoint({"torch", "numba", "matplotlib"})


def test_names_are_few_and_each_is_there() -> None:
    names = rtdecode.__all__
    assert len(names) <= 15
    assert sorted(names) == dir(rtdecode)
    assert all(getattr(rtdecode, name) for name in names)
    assert rtdecode.open_session is open_session
    with pytest.raises(AttributeError, match="no attribute 'open_sesion'"):
        _ = rtdecode.open_sesion  # type: ignore[attr-defined]


def test_the_stub_states_the_same_names() -> None:
    text = STUB.read_text(encoding="utf-8")
    stated = {line.rpartition(" as ")[2] for line in text.splitlines() if " as " in line}
    assert stated | {"__version__"} == set(rtdecode.__all__)


def test_every_name_is_documented_with_an_example() -> None:
    functions = ("open_session", "load_twin", "score", "reconstruct", "fit_twin", "fit_ridge")
    for name in (*functions, "Decoder", "Twin"):
        text = getattr(rtdecode, name).__doc__ or ""
        assert re.search(r"Examples\n +-+\n.+:\n\n +\w+ = rtdecode\.", text), name
